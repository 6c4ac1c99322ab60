-- The database add-on, under our own name and attachment: what the app reads moves only at the cut-over.
-- Recognised by its name, never made twice. Kept when the migration fails, and used by the next run on the same app.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"
local task   = require "pgorch.task"
local poll   = require "pgorch.poll"
local plans  = require "pgorch.heroku.plans"
local planned = require "pgorch.plan.database"
local target = require "pgorch.target"

local function name_for(ctx) return target.addon_name(ctx.params.app, ctx.run.id) end

-- "provisioned" and "available" are Heroku's words; a query that is answered is proof.
local function wait_until_it_answers(ctx)
  local deadline, pause = task.now() + 600, poll.pace "connect"
  while true do
    local ok, answer = pcall(function()
      local conn <close> = ctx.target:connect()
      return conn:value "select 1"
    end)
    if ok then return end
    -- A certificate does not become another by waiting.
    if task.cancelled(answer) or fail.is(answer, "PGO-TLS") or task.now() > deadline then error(answer, 0) end
    ctx:progress { text = "waiting for the database to answer" }
    task.sleep(pause())
  end
end

local function refuse_other_plan(addon, plan)
  local have = plans.slug(addon.plan and addon.plan.name or "")
  if have == plan then return end
  fail.raise("PGO-HEROKU-ADDON", ("%s is left over with plan %s, not %s"):format(addon.name, have, plan),
    { detail = ("remove it (heroku addons:destroy %s) or pass --plan %s"):format(addon.name, have) })
end

-- One that an earlier migration has cut over to is in use: it keeps its data and loses only our attachment.
local function left_over(ctx, plan)
  local attached = ctx.target:attached()
  if not attached then return nil end
  ctx.target:claim(ctx, { if_reachable = true })
  local running = ctx.target:database():unfinished_transfer()
  if running then
    fail.raise("PGO-LOCKED", ("transfer %d runs on %s: another pgorch works on it"):format(running.num,
      attached.addon.name))
  end
  if planned.is_in_use(ctx, attached) then
    ctx.target.app:detach(attached.id)
    return nil
  end
  refuse_other_plan(attached.addon, plan)
  return attached.addon.name
end

-- Somebody's own database, under whatever names the runs were told of it.
local function lock_named(ctx, addon) ctx:lock("addon:" .. addon.id, "database " .. addon.name) end

local function find_or_create(ctx)
  if not ctx.target:is_ours() then
    local addon = ctx.target:attached().addon
    lock_named(ctx, addon)
    return addon, false
  end
  local plan, asked_before = ctx.result.choose_plan.plan, ctx.recall ~= nil
  local name = asked_before and ctx.recall.name or left_over(ctx, plan) or name_for(ctx)
  ctx:remember { name = name }
  return ctx.target.app:create_database { plan = plan, name = name, attachment = ctx.target.attachment,
                                          maybe_asked = asked_before, version = ctx.params.version }
end

local function run(ctx)
  local addon, created = find_or_create(ctx)
  local database = ctx.target.app:database(addon)
  local function say(state) ctx:progress { text = ("%s: %s"):format(addon.name, state) } end
  database:wait_for_addon { progress = say }
  database:wait { progress = say }
  wait_until_it_answers(ctx)
  ctx.target:claim(ctx)
  ctx:note(("database %s answers"):format(addon.name))
  return { name = addon.name, id = addon.id, created = created, attachment = ctx.target.attachment,
           cents = ctx.target:is_ours() and ctx.result.choose_plan.cents or nil }
end

-- What Heroku asks for it, in words.
local function price(cents) return cents and (", $%g/month"):format(cents / 100) or "" end

-- Other apps and names that use the database; the colours that Heroku gives by itself are read by nobody.
local function use_of(ctx, addon)
  for _, each in ipairs(ctx.target.client:list("/addons/" .. addon.id .. "/addon-attachments")) do
    if not target.is_idle(each.name) then return ("%s uses it as %s"):format(each.app.name, each.name) end
  end
end

local function reason_to_keep(ctx, addon, confirmed)
  if not addon.name:find(ctx.run.id, 1, true) then return "this run did not make it" end
  local use = use_of(ctx, addon)
  if use then return use end
  local cents = addon.billed_price and addon.billed_price.cents
  if confirmed(("add-on %s with all that is in it"):format(addon.name)) then return nil end
  return ("billed%s; `pgorch cleanup %s --confirm %s` removes it"):format(price(cents), ctx.run.id, ctx.params.app)
end

-- Ours is of use until nothing can be put back any more: `pgorch destroy-source` takes it off.
local function with_attachment(ctx, addon, entries)
  local ours = ctx.target:attached()
  if ctx.target:is_ours() and ours and ours.addon.id == addon.id and use_of(ctx, addon) then
    entries[2] = { what = "attachment " .. ours.name, state = "kept", why = "a rollback finds the database by it" }
  end
  return entries
end

local function cleanup(ctx, result, _, confirmed)
  if not result or not result.name then return {} end
  local app, what = ctx.target.app, "add-on " .. result.name
  local addon = app:addon_surely(result.name)
  if not addon then return { { what = what, state = "gone" } } end
  local why = reason_to_keep(ctx, addon, confirmed)
  if why then return with_attachment(ctx, addon, { { what = what, state = "kept", why = why } }) end
  app:destroy_addon(addon.id)
  return { { what = what, state = app:addon_surely(result.name) and "left" or "removed" } }
end

local function check(ctx, result)
  local addon = ctx.target.app:addon_surely(result.name)
  if addon and not ctx.target:is_ours() then lock_named(ctx, addon) end
  return addon ~= nil and addon.state == "provisioned"
end

local function plan(ctx)
  if not ctx.target:is_ours() then return ctx.target:name() .. " is there" end
  local chosen, attached, list = ctx.result.choose_plan, planned.attached(ctx), {}
  if attached and not planned.is_in_use(ctx, attached) then
    refuse_other_plan(attached.addon, chosen.plan)
    return ("add-on %s is there, left by an earlier run"):format(attached.addon.name)
  end
  if attached then list[1] = ("- attachment %s of %s"):format(attached.name, attached.addon.name) end
  list[#list + 1] = { ("+ add-on heroku-postgresql:%s as `%s` ($%g/month)"):format(chosen.plan, name_for(ctx),
    chosen.cents / 100), cents = chosen.cents }
  return list
end

return recipe.step {
  id = "addon", title = "Provision the Heroku Postgres add-on", effect = "write", run = run, undo = false,
  needs = { "choose_plan" },
  plan = plan, estimate = 180, check = check,
  goes_on = function(did) return did.name and ("Heroku goes on making the add-on %s"):format(did.name) end,
  keeps = function(result, id)
    return result.name and result.name:find(id, 1, true) and "add-on " .. result.name .. price(result.cents) or nil
  end,
  cleanup = cleanup,
}
