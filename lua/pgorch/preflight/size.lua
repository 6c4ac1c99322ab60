-- The source's size against the plan and against what dump and restore are meant for: bytes, tables, objects, clients.
-- The plan is the one asked for, or the one chosen; the limits of a database that exists are target.lua's.

local plans     = require "pgorch.heroku.plans"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

local GB = 2 ^ 30

-- Known trouble sizes of Heroku's backups and upgrades.
local MANY = { schemas = 1000, objects = 10000, ["large objects"] = 10000 }

local function plan_of(ctx)
  if ctx.params.database then return nil end
  local chosen = ctx.params.plan or ctx.result and ctx.result.choose_plan and ctx.result.choose_plan.plan
  if not chosen then return nil end
  return plans.find(chosen), chosen
end

local function check_limits(found, facts, plan)
  if facts.bytes > plan.bytes * 0.9 then
    found:fail("PGO-TARGET-SIZE", ("%.1f GB do not fit %s, which holds %.0f GB"):format(facts.bytes / GB, plan.slug,
      plan.bytes / GB), { fate = "the restore may succeed, and Heroku would take away the right to write later" })
  end
  if plan.tables and facts.tables > plan.tables then
    found:fail("PGO-TARGET-SIZE", ("%d tables do not fit %s, which holds %d"):format(facts.tables, plan.slug,
      plan.tables))
  end
  if facts.bytes <= plan.bytes * 0.9 and facts.tables <= (plan.tables or math.huge) then
    found:pass(("the size fits %s"):format(plan.slug))
  end
end

local function check_advice(ctx, found, gb)
  if gb > 100 and not ctx.params.allow_large then
    found:fail("PGO-TARGET-SIZE", ("%.0f GB: dump and restore is meant for less than 100 GB"):format(gb),
      { fate = "the source would be closed for many hours", cure = "pass --allow-large to move it all the same" })
  elseif gb > 20 then
    found:warn(("%.0f GB: the restore will take hours"):format(gb),
      { fate = "Heroku means its backups for databases up to 20 GB; the source is closed all the while",
        cure = "measure it with `pgorch rehearse`, and announce the window that it tells" })
  end
end

---@param ctx table
---@param found pgorch.Findings
---@param facts table
function M.check(ctx, found, facts)
  if facts.tables == 0 and not ctx.params.allow_empty then
    found:fail("PGO-EMPTY-SOURCE", ("%s has no tables"):format(facts.name))
  end
  local plan, chosen = plan_of(ctx)
  if plan then
    check_limits(found, facts, plan)
  elseif chosen then
    found:warn(("the limits of %s are not known here"):format(chosen),
      { fate = "checked once the add-on exists, before the window opens" })
  end
  check_advice(ctx, found, facts.bytes / GB)
end

---Numbers of things that make a restore slow.
function M.amounts(_, found, _, conn)
  local amounts = conn:row(source.sql "preflight/amounts")
  amounts["large objects"] = conn:value "select count(*) from pg_largeobject_metadata"
  local many = false
  for _, what in ipairs { "schemas", "objects", "large objects" } do
    if amounts[what] > MANY[what] then
      many = true
      found:warn(("%d %s: the restore may be slow"):format(amounts[what], what), {
        fate = ("Heroku's backups are known to run out of time above %d"):format(MANY[what]),
        cure = "measure it with `pgorch rehearse`; drop what nobody needs" })
    end
  end
  if not many then found:pass "not too many schemas, objects or large objects" end
end

local function who(client)
  return ("%s (%s at %s), %s"):format(client.application or "?", client.user or "?", client.address or "local",
    preflight.number(client.sessions, "session"))
end

---Who is connected now: it stops writing when the window opens, and has to fit the plan's connections afterwards.
function M.clients(ctx, found, facts, conn)
  facts.clients = conn:query(source.sql "clients")
  local sessions = 0
  for _, client in ipairs(facts.clients) do sessions = sessions + client.sessions end
  if sessions > 0 then
    found:warn("connected to the source: " .. preflight.number(sessions, "session"), {
      detail = preflight.names(facts.clients, who),
      fate = "read-only once the window opens; they have to be told the new address",
      cure = "stop what is not on the Heroku app before the window opens" })
  end
  local plan = plan_of(ctx)
  if plan and sessions > plan.connections then
    found:warn(("%d sessions are connected; %s allows %d"):format(sessions, plan.slug, plan.connections),
      { fate = "further connections are refused by the new database",
        cure = "choose a larger plan with --plan, make the pools of the clients smaller, or use Heroku's pooling" })
  end
end

return M
