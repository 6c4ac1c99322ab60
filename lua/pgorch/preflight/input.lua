-- Checks of what the user gave: keys, names, plan, bucket. Each is independent of the others, so that one wrong value
-- does not hide the next. Reads only: nothing is created, opened or changed here.

local fail       = require "pgorch.error"
local allow_list = require "pgorch.allow_list"
local params     = require "pgorch.recipe.params"
local plans      = require "pgorch.heroku.plans"

local M = {}

local function check_heroku(ctx, found)
  local account = found:try(function() return ctx.target.client:account() end)
  if not account then return end
  found:pass("Heroku token of " .. tostring(account.email))
  return account
end

local function check_app(ctx, found)
  local name = ctx.params.app
  if not name then return found:fail("PGO-PARAM", "the app is not named (--app)") end
  local well_formed, why = params.check_app_name(name)
  if not well_formed then return found:fail("PGO-HEROKU-APP", why) end
  local info = found:try(function() return ctx.target.app:info() or false end)
  if info == nil then return end
  found:pass(info and "app " .. name or "app " .. name .. " will be created")
  return info
end

local function check_plan(ctx, found)
  local plan = ctx.params.plan
  if not plan then return end
  local ok = found:try(function()
    plans.refuse_advanced(plan)
    local live, names = ctx.target.client:plans(), {}
    if live[plans.slug(plan)] then return true end
    for slug in pairs(live) do
      if not plans.is_advanced(slug) then names[#names + 1] = slug end
    end
    table.sort(names)
    fail.raise("PGO-HEROKU-PLAN", ("there is no plan %s"):format(plan),
      { detail = "there are: " .. table.concat(names, ", ") })
  end)
  if ok then found:pass("plan " .. plan) end
end

local function check_store(ctx, found)
  local bucket = found:try(function() return ctx.store end)
  if not bucket then return end
  local state = found:try(function() return bucket:head() end)
  if state == "foreign" then
    found:fail("PGO-S3-BUCKET-TAKEN", ("the bucket %s belongs to somebody else"):format(tostring(bucket.name)))
  elseif state then
    found:pass(("bucket %s %s"):format(tostring(bucket.name), state == "free" and "can be made" or "is ours"))
  end
end

-- A closed allow list drops packets: a connection from here would only time out, so it is left to the step that opens
-- the list.
local function check_source(ctx, found)
  local source = found:try(function() return ctx.source end)
  if not source then return nil end
  found:pass("database " .. source:name())
  if not source.ready then
    found:fail("PGO-PROVIDER-INSTANCE", ("%s is %s"):format(source.label, source.status),
      { cure = "wait until it runs" })
    return nil
  end
  local state = found:try(allow_list.state, ctx, source)
  if not state or state.answer == "closed" then return nil end
  return found:try(function()
    local conn <close> = source:connect()
    found:pass(("login as %s at %s"):format(source.user, source.host))
    return conn.server_version and source
  end)
end

---Runs all of them.
---@param ctx table
---@param found pgorch.Findings
---@return {source: boolean, heroku: boolean, app: table|false|nil} what may be looked at further
function M.check(ctx, found)
  local source = check_source(ctx, found)
  local account, app
  if found:try(function() return ctx.target end) then
    account = check_heroku(ctx, found)
    if account then
      app = check_app(ctx, found)
      check_plan(ctx, found)
    end
  end
  check_store(ctx, found)
  return { source = source ~= nil, heroku = account ~= nil, app = app }
end

return M
