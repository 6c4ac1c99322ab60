-- Checks of the source database, theme by theme, in the order in which they are told. Every query is a file of sql/,
-- has a time limit and waits for no lock; one that is not answered is a warning. Reads the catalogues, no rows.

local source = require "pgorch.source"

local contents    = require "pgorch.preflight.contents"
local extensions  = require "pgorch.preflight.extensions"
local locale      = require "pgorch.preflight.locale"
local not_carried = require "pgorch.preflight.not_carried"
local pooled      = require "pgorch.preflight.pooled"
local readable    = require "pgorch.preflight.readable"
local restorable  = require "pgorch.preflight.restorable"
local search_path = require "pgorch.preflight.search_path"
local server      = require "pgorch.preflight.server"
local size        = require "pgorch.preflight.size"
local versions    = require "pgorch.preflight.versions"
local ways        = require "pgorch.preflight.ways"

local M = {}

-- Names are written out with their schemas where the search_path is empty, as it is in a restore. Compiling a long
-- query of the catalogs takes a server with LLVM seconds, running it milliseconds (15.18).
M.LIMITS = { statement_timeout = "30s", lock_timeout = "2s", idle_in_transaction_session_timeout = "60s",
             search_path = "", jit = "off", ["pgorch.long_transaction"] = "5 minutes" }

-- fn(ctx, found, facts, conn); the theme is what a check that is not answered is called.
local THEMES = {
  { "pooler", pooled.check }, { "the way of the data", ways.check },
  { "client programs", versions.clients }, { "what newer majors took away", versions.gone },
  { "size", size.check }, { "amounts", size.amounts },
  { "closing for writing", server.closing }, { "prepared transactions", server.prepared },
  { "other databases", server.others }, { "open transactions", server.transactions },
  { "locks", server.locks },
  { "replication slots", server.slots },
  { "encoding and collation", locale.check }, { "collations", locale.collations },
  { "row security", readable.row_security }, { "privileges to read", readable.relations },
  { "large objects", readable.large_objects },
  { "roles in policies", restorable.policies }, { "objects of superusers", restorable.of_superusers },
  { "foreign servers", restorable.foreign }, { "extensions", extensions.check },
  { "search_path of expressions", search_path.expressions }, { "search_path of functions", search_path.bodies },
  { "contents", contents.check }, { "tablespaces", contents.tablespaces },
  { "roles, grants and settings", not_carried.check }, { "clients", size.clients },
}

M.is_too_old = versions.is_too_old

---What the other checks and steps need to know.
---@return table
function M.facts(conn)
  local facts = conn:row(source.sql "database")
  facts.tables = conn:value(source.sql "preflight/table_count")
  facts.extensions = conn:query(source.sql "extensions")
  facts.tls = conn.tls
  return facts
end

---@param ctx table
---@param found pgorch.Findings
---@return table facts
function M.check(ctx, found)
  local conn <close> = ctx.source:connect { settings = M.LIMITS }
  if versions.is_too_old(found, conn.server_version) then return {} end
  local facts = M.facts(conn)
  for _, theme in ipairs(THEMES) do found:ask(theme[1], theme[2], ctx, found, facts, conn) end
  return facts
end

return M
