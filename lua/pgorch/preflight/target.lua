-- Checks of the target once it exists: its real version, limits and extensions, and whether it is empty.
-- Before that, only that an existing target is not overwritten without the app's name given to --confirm.

local pg_client = require "pgorch.pg_client"
local source    = require "pgorch.source"

local M = {}

local GB = 2 ^ 30

---A database that is not ours and has tables is only overwritten when the app's name was given.
---@param ctx table
---@param found pgorch.Findings
function M.check_empty(ctx, found)
  if ctx.target:is_ours() then return end
  local conn <close> = ctx.target:connect()
  local tables = conn:value(source.sql "user_tables")
  if tables == 0 then return found:pass "target is empty" end
  if ctx.params.confirm == ctx.params.app then
    return found:warn(("%d tables of %s will be overwritten"):format(tables, ctx.target:name()))
  end
  found:fail("PGO-CONFIRM", ("%s has %d tables, which the restore would overwrite"):format(ctx.target:name(), tables),
    { cure = ("pass --confirm %s to overwrite it, or leave --database out for a new one"):format(ctx.params.app) })
end

local function check_version(found, facts, conn)
  local major = conn.server_version // 10000
  if major < facts.major then
    found:fail("PGO-PG-VERSION", ("the target is PostgreSQL %d, older than the source (%d)"):format(major, facts.major))
    return major
  end
  local client = found:try(pg_client.choose, facts.major, major)
  if client then found:pass(("PostgreSQL %d -> pg_dump %s -> %d"):format(facts.major, client.version, major)) end
  return major
end

local function check_extensions(found, facts, conn)
  local allowed, have = {}, {}
  for _, row in ipairs(conn:query(source.sql "extensions_allowed")) do allowed[row.name] = row.version end
  for _, row in ipairs(conn:query(source.sql "extensions")) do have[row.name] = row.version end
  local missing = {}
  for _, extension in ipairs(facts.extensions) do
    local there = have[extension.name] or allowed[extension.name]
    if not there then missing[#missing + 1] = extension.name
    elseif there ~= extension.version then
      found:warn(("extension %s is %s on the source, %s on the target"):format(extension.name, extension.version,
        there))
    end
  end
  if #missing > 0 then
    found:fail("PGO-EXTENSION", "the target does not offer: " .. table.concat(missing, ", "))
  else
    found:pass(("%d extensions are offered"):format(#facts.extensions))
  end
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
end

---@param ctx table
---@param found pgorch.Findings
---@return {major: integer}
function M.check(ctx, found)
  local facts
  do
    local conn <close> = ctx.source:connect()
    facts = require("pgorch.preflight.source").facts(conn)
  end
  local conn <close> = ctx.target:connect()
  local major = check_version(found, facts, conn)
  check_extensions(found, facts, conn)
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
