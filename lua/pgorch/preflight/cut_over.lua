-- What the cut-over will do to the app's config vars, and whether it can: told before the move, because Heroku refuses
-- an attachment whose config var is taken only when it is made. Reads only; no value is shown, at most a host.

local config_vars = require "pgorch.config_vars"
local moved       = require "pgorch.preflight.moved"
local pg          = require "pgorch.pg"
local preflight   = require "pgorch.preflight"

local M = {}

-- What a var holds, in words.
local function contents(value)
  local ok, dsn = pcall(pg.dsn, value)
  if not ok or not dsn.host then return "what is no PostgreSQL address" end
  return ("the address of another database: %s at %s"):format(dsn.dbname or "?", dsn.host)
end

local function refuse(found, target, source, value)
  local app = target.app.name
  found:fail("PGO-CONFIG-VAR", ("%s_URL of %s is a plain config var that holds %s"):format(target.as, app,
    contents(value)), {
    fate = "at the cut-over, Heroku would refuse to attach the new database as " .. target.as,
    cure = ("if the app is to use the new database instead, keep the value elsewhere and take it away: heroku "
      .. "config:unset %s_URL --app %s; if it is %s under another name, write the one that %s gives"):format(
      target.as, app, source:name(), source.provider or "the provider") })
end

local function what_happens(holder)
  if holder.copy then
    return ("it moves to %s, %s_URL is attached, and %s gets a copy of the new address"):format(holder.old,
      holder.attachment, holder.name)
  end
  return ("it moves to %s and %s is attached"):format(holder.old, holder.attachment)
end

local function tell(found, app, holder)
  found:warn(("%s of %s is a plain config var that holds this source's URL. At cut-over %s."):format(holder.name,
    app.name, what_happens(holder)),
    { fate = holder.copy and "two releases" or ("two releases: a release process runs once without %s")
      :format(holder.name) })
end

-- Some sources have their database's name only from the server, which may let nobody in yet.
local function name_is_known(source) return rawget(source, "dbname") ~= nil end

---@param ctx table
---@param found pgorch.Findings
---@return boolean told  false: the source's address is not whole yet, to be asked again once it lets us in
function M.check(ctx, found)
  if not preflight.has_step(ctx, "cut_over") then return true end
  local ok, source = pcall(function() return ctx.source end)    -- why there is none, others tell
  if not ok or not name_is_known(source) then return false end
  found:try(M.tell, ctx.target, found, source)
  found:try(moved.check, ctx, found, source)
  return true
end

---@param target pgorch.Target
---@param found pgorch.Findings
---@param source pgorch.Source
function M.tell(target, found, source)
  local app = target.app
  local holders = config_vars.holders(app, source)
  for _, holder in ipairs(holders) do tell(found, app, holder) end
  if #holders > 0 then return end               -- no other name is taken then
  local taken = config_vars.plain(app)[target.as .. "_URL"]
  if taken then return refuse(found, target, source, taken) end
  found:pass(("%s can have the new database as %s"):format(app.name, target.as))
end

return M
