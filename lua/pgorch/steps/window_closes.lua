-- "Wrap-up": the dynos as they were, then maintenance off. The source stays read-only, so that a forgotten client is
-- refused instead of writing to a database that nobody reads any more.

local recipe = require "pgorch.recipe"
local freeze = require "pgorch.freeze"
local hook   = require "pgorch.hook"
local planned = require "pgorch.plan.dynos"

local function run(ctx)
  local old, said = ctx.result.window_opens, ctx.recall or { began = true }
  ctx:remember(said)                     -- from here on the app may write to the new database
  if not old then return { read_only = false } end        -- a recipe that keeps writes out by a step of its own
  if old.formation then freeze.leave_app(ctx, old) end
  local read_only = old.has_setting ~= nil and ctx.options.source == "stays read-only"
  if read_only then
    freeze.leave_source_closed(ctx, old)
    ctx:note "the source stays read-only"
  elseif old.has_setting ~= nil then
    freeze.leave_source(ctx, old)
  end
  hook.thaw(ctx, "moved", said)
  return { read_only = read_only }
end

-- A rollback after this has to close everything again before the old database becomes the valid one: the app, as it is
-- by now. The source is opened at the end of it.
local function undo(ctx)
  local old = ctx.result.window_opens
  if not old then return end
  hook.freeze(ctx)
  if old.formation then freeze.join_app(ctx, function() end) end
  if old.has_setting ~= nil then freeze.rejoin_source(ctx, old) end
end

-- What closes it again.
local function by_hand(ctx)
  local old, app, list = ctx.result.window_opens, ctx.params.app, {}
  if not old then return nil end
  if ctx.params.on_freeze then list[1] = ctx.params.on_freeze end
  if old.formation then list[#list + 1] = "heroku maintenance:on --app " .. app end
  for _, each in ipairs(old.formation or {}) do
    if each.quantity > 0 then list[#list + 1] = ("heroku ps:scale %s=0 --app %s"):format(each.type, app) end
  end
  return #list > 0 and table.concat(list, "\n") or nil
end

-- What was found when the window opened; before that, what would be found now.
local function before(ctx)
  if ctx:finished "window_opens" then return ctx.result.window_opens end
  local means, app = freeze.means(ctx), ctx.target.app
  local old = { has_setting = means["read-only"] or nil }
  if means["maintenance"] then
    local info = app:info()
    old.maintenance, old.formation = info and info.maintenance or false, info and app:formation() or {}
  end
  return old
end

local function plan_app(old)
  local words = planned.words(old.formation, "%s %d")
  local changes = not old.maintenance or #words > 0
  table.insert(words, 1, "maintenance " .. (old.maintenance and "stays on" or "off"))
  return (changes and "~ " or "") .. table.concat(words, ", ")
end

local function plan(ctx)
  local old, lines = before(ctx), {}
  if old.formation then lines[1] = plan_app(old) end
  if old.has_setting ~= nil then
    local stays = ctx.options.source == "stays read-only"
    lines[#lines + 1] = stays and "source stays read-only" or "~ source writable"
  end
  if ctx.params.on_thaw then lines[#lines + 1] = "~ runs --on-thaw: " .. ctx.params.on_thaw end
  return lines
end

return recipe.step {
  id = "window_closes", title = "Close the window", effect = "write", run = run, undo = undo, undo_when = "failure",
  by_hand = by_hand,
  closes_window = true, options = { source = "stays read-only" },
  stands = function(result) return result.read_only and "the source is read-only" end,
  plan = plan, estimate = 5,
}
