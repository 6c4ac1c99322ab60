-- Checks of the target once it exists: its real version, limits and extensions, and whether it is empty.
-- Before that, only that an existing target is not overwritten without the app's name given to --confirm.

local checks     = require "pgorch.preflight.source"
local copy       = require "pgorch.copy"
local extensions = require "pgorch.preflight.extensions"
local locale     = require "pgorch.preflight.locale"
local pg_client  = require "pgorch.pg_client"
local source     = require "pgorch.source"
local way        = require "pgorch.way"

local M = {}

local GB = 2 ^ 30

---A database that is not ours and holds anything is only overwritten when the app's name was given.
---@param ctx table
---@param found pgorch.Findings
function M.check_empty(ctx, found)
  if ctx.target:is_ours() then return end
  local conn <close> = ctx.target:connect()
  local text, names = copy.standing(conn)
  if not text then return found:pass "target is empty" end
  if ctx.params.confirm == ctx.params.app then
    return found:warn(("%s will be overwritten: %s"):format(ctx.target:name(), text),
      { detail = names, fate = "all that is in it now is lost" })
  end
  found:fail("PGO-CONFIRM", ("%s is not empty, and would be overwritten: %s"):format(ctx.target:name(), text),
    { detail = names, fate = "all that is in it would be lost",
      cure = ("pass --confirm %s to overwrite it, or leave --database out for a new one"):format(ctx.params.app) })
end

-- Where Heroku fetches the data, no pg_dump of this machine has to fit.
local function check_version(ctx, found, facts, conn)
  local major = conn.server_version // 10000
  if major < facts.major then
    found:fail("PGO-PG-VERSION", ("the target is PostgreSQL %d, older than the source (%d)"):format(major, facts.major))
    return major
  end
  if way.of(ctx) == "heroku" then
    found:pass(("PostgreSQL %d -> %d"):format(facts.major, major))
    return major
  end
  local client = found:try(pg_client.choose, facts.major, major)
  if client then found:pass(("PostgreSQL %d -> pg_dump %s -> %d"):format(facts.major, client.version, major)) end
  return major
end

local function check_limits(ctx, found, facts)
  local limits = found:try(function() return ctx.target:database():limits() end)
  if not limits then return end
  if limits.bytes and facts.bytes > limits.bytes * 0.9 then
    found:fail("PGO-TARGET-SIZE", ("%.1f GB do not fit the target's %.0f GB"):format(facts.bytes / GB,
      limits.bytes / GB))
  end
  if limits.tables and facts.tables > limits.tables then
    found:fail("PGO-TARGET-SIZE", ("%d tables do not fit the target's %d"):format(facts.tables, limits.tables))
  end
  if limits.connections and facts.sessions > limits.connections then
    found:warn(("%d sessions are connected to the source; the target allows %d"):format(facts.sessions,
      limits.connections), { fate = "further connections are refused by the new database",
      cure = "choose a larger plan with --plan, or make the pools of the clients smaller" })
  end
end

local function facts_of(ctx)
  local conn <close> = ctx.source:connect { settings = checks.LIMITS }
  local facts = checks.facts(conn)
  facts.locale = conn:row(source.sql "preflight/locale")
  facts.collations = conn:query(source.sql "preflight/collations")
  facts.sessions = #conn:query(source.sql "sessions")
  return facts
end

---@param ctx table
---@param found pgorch.Findings
---@return {major: integer}
function M.check(ctx, found)
  local facts = facts_of(ctx)
  local conn <close> = ctx.target:connect { settings = checks.LIMITS }
  local major = check_version(ctx, found, facts, conn)
  extensions.compare(found, facts, conn, function(fn)
    local asked <close> = ctx.source:connect { settings = checks.LIMITS }
    return fn(asked)
  end)
  found:ask("collations of the target", locale.compare, found, facts, conn)
  check_limits(ctx, found, facts)
  M.check_empty(ctx, found)
  local running = ctx.target:database():unfinished_transfer()
  if running then
    found:fail("PGO-LOCKED", ("transfer %d of this app still runs at Heroku"):format(running.num),
      { cure = "wait for it, or `heroku pg:backups:cancel`" })
  end
  return { major = major }
end

return M
