-- Checks of what the user gave: keys, names, plan, bucket. Each is independent of the others, so that one wrong value
-- does not hide the next. Reads only: nothing is created, opened or changed here.

local fail         = require "pgorch.error"
local allow_list   = require "pgorch.allow_list"
local cut_over     = require "pgorch.preflight.cut_over"
local params       = require "pgorch.recipe.params"
local plans        = require "pgorch.heroku.plans"
local pooled       = require "pgorch.preflight.pooled"
local preflight    = require "pgorch.preflight"
local surroundings = require "pgorch.preflight.surroundings"
local way          = require "pgorch.way"

local M = {}

local function check_heroku(ctx, found)
  local account = found:try(function() return ctx.target.client:account() end)
  if not account then return end
  found:pass("Heroku token of " .. tostring(account.email))
  if not ctx.target.ca_pem then
    found:note("TLS to Heroku Postgres is encrypted, but its certificate is not verified: it is signed by no public "
      .. "authority. --target-ca FILE verifies it.")
  end
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

-- Ways without a dump need none; where it is to be chosen, that is what asks the storage.
local function check_store(ctx, found)
  if way.of(ctx) ~= "archive" then return end
  local bucket = found:try(function() return ctx.store end)
  if not bucket then return end
  local state = found:try(function() return bucket:head() end)
  if state == "foreign" then
    found:fail("PGO-S3-BUCKET-TAKEN", ("the bucket %s belongs to somebody else"):format(tostring(bucket.name)))
  elseif state then
    found:pass(("bucket %s %s"):format(tostring(bucket.name), state == "free" and "can be made" or "is ours"))
    surroundings.store(found, bucket:endpoint():match "^%a+://([^/]+)")
  end
end

---Pools of the provider: their clients lose them, and a pool is no database that could be dumped.
---@param found pgorch.Findings
---@param source pgorch.Source
function M.pools(found, source)
  local pools = source.pools and found:try(source.pools) or {}
  for _, pool in ipairs(pools) do
    if pool.name == source.dbname then
      return found:fail("PGO-POOLED", ("%s is a connection pool of %s"):format(pool.name, source.label),
        { cure = ("name the database behind it: --dbname %s"):format(pool.database) })
    end
  end
  if #pools == 0 then return end
  found:warn(("%s at the provider"):format(preflight.number(#pools, "connection pool")), {
    detail = preflight.names(pools, function(p) return ("%s, of %s"):format(p.name, p.database) end),
    fate = "not carried; clients that use them connect to the old database until they are told the new address",
    cure = "count their clients in when choosing the plan; Heroku has pooling of its own (pg:connection-pooling)" })
end

-- With no authority to verify with, whoever sits between could answer in the source's name.
local function tell_tls(found, source)
  if source:dsn().sslmode:find "^verify" then return found:pass "TLS verified with the provider's CA" end
  found:warn("TLS to the source is encrypted, but its certificate is not verified", {
    fate = "somebody who sits between here and the source could read the dump, and the password",
    cure = "give the certificate authority of the provider: --source-ca FILE, or sslrootcert in the URL" })
end

---Logs in.
---@param found pgorch.Findings
---@param source pgorch.Source
---@return pgorch.Source|nil
function M.login(found, source)
  local ok, conn = pcall(source.connect, source)
  if not ok then
    if not pooled.refused(conn) then error(conn, 0) end
    fail.raise("PGO-POOLED", ("%s:%d is a connection pooler"):format(source.host, source.port), { cause = conn })
  end
  local closing <close> = conn
  found:pass(("login as %s at %s"):format(source.user, source.host))
  if conn.tls then tell_tls(found, source) end
  return closing.server_version and source
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
  M.pools(found, source)
  local state = found:try(allow_list.state, ctx, source)
  if not state then return nil end
  if state.answer == "closed" then return nil, state end
  if state.answer ~= "none" then found:pass("allow list: " .. state.answer) end
  return found:try(M.login, found, source)
end

---Runs all of them.
---@param ctx table
---@param found pgorch.Findings
---@return {source: boolean, closed: table|nil, heroku: boolean, app: table|false|nil, config_vars: boolean|nil}
---what may be looked at further; closed: the allow list's state, when it does not let this machine in; config_vars:
---they were looked at
function M.check(ctx, found)
  local source, closed = check_source(ctx, found)
  local account, app, told
  if found:try(function() return ctx.target end) then
    account = check_heroku(ctx, found)
    if account then
      app = check_app(ctx, found)
      check_plan(ctx, found)
      told = app and cut_over.check(ctx, found)
    end
  end
  check_store(ctx, found)
  return { source = source ~= nil, closed = closed, heroku = account ~= nil, app = app,
           config_vars = told }
end

return M
