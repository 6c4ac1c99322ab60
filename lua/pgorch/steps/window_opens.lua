-- The window opens: maintenance on, dynos to 0, the source read-only, the user's own notice sent.
-- What was there before is stored first; putting it back is exactly that, not a default.

local recipe = require "pgorch.recipe"
local clock  = require "pgorch.clock"
local freeze = require "pgorch.freeze"
local hook   = require "pgorch.hook"
local planned = require "pgorch.plan.dynos"
local task   = require "pgorch.task"

-- What was there before the first run that closed it, if others have: their freeze is not taken for it.
local function close_app(ctx, old)
  freeze.join_app(ctx, function(before)
    old.maintenance, old.formation = before.maintenance, before.formation
    ctx:remember(old)
  end, old)
end

local function close_source(ctx, old)
  ctx.source:claim(ctx)
  return freeze.join_source(ctx, function(before)
    old.setting, old.has_setting = before.setting, before.has_setting
    ctx:remember(old)
  end, old)
end

local function run(ctx)
  local means, old = freeze.means(ctx), ctx.recall or {}
  ctx.target:claim(ctx)
  if means["read-only"] then ctx.source:claim(ctx) end   -- before anybody is told to stop
  old.source = ctx.source:identity()
  ctx:remember(old)
  hook.freeze(ctx)
  if means["maintenance"] then close_app(ctx, old) end
  local clients = means["read-only"] and close_source(ctx, old) or nil
  ctx:note "the window is open"
  return { maintenance = old.maintenance, formation = old.formation, setting = old.setting,
           has_setting = old.has_setting, source = old.source, opened = clock.iso(), clients = clients }
end

-- A source that cannot be reached must not keep the app down: each is put back on its own. What a killed attempt has
-- joined and not remembered is left too. The end is told last, and not again by a rollback that was killed after it.
local function undo(ctx, old)
  local ok, err = true, nil
  if old.source then ok, err = pcall(freeze.leave_source, ctx, old) end
  freeze.leave_app(ctx, old)
  if not ok then error(err, 0) end
  hook.thaw(ctx, "put-back", ctx.recall or old)
end

local function app_is_down(ctx)
  if not ctx.target.app:info().maintenance then return false end
  for _, each in ipairs(ctx.target.app:formation()) do
    if each.quantity > 0 then return false end
  end
  return true
end

-- Somebody may have lifted the freeze by hand while the run was stopped: then what was dumped is not the last word.
-- The process that closed the source has gone, and its claim with it.
local function check(ctx, old)
  if old.has_setting ~= nil then ctx.source:claim(ctx) end
  if old.has_setting ~= nil and ctx.source:read_only_setting() ~= "on" then return false end
  return old.formation == nil or app_is_down(ctx)
end

-- A source that is read-only keeps nobody from writing to the new database.
local function holds_app(ctx, old) return old.formation ~= nil and app_is_down(ctx) end

-- An app that is yet to be made has no dynos, and is put into maintenance like any other.
local function plan_app(ctx)
  local app = ctx.target.app
  local info = app:info()
  local dynos = planned.words(info and app:formation() or {}, ", %s %d -> 0")
  local is_on = info and info.maintenance
  return ("%smaintenance %s%s"):format(is_on and #dynos == 0 and "" or "~ ", is_on and "is on" or "on",
    table.concat(dynos))
end

local function plan_source(ctx)
  if ctx.source:read_only_setting() == "on" then return "~ sessions of others ended (source is read-only already)" end
  return "~ source read-only, sessions of others ended"
end

local function plan(ctx)
  local means, lines = freeze.means(ctx), {}
  if means["maintenance"] then lines[1] = plan_app(ctx) end
  if means["read-only"] then lines[#lines + 1] = plan_source(ctx) end
  if ctx.params.on_freeze then lines[#lines + 1] = "~ runs --on-freeze: " .. ctx.params.on_freeze end
  return lines
end

local function stands(old)
  local parts = {}
  if old.formation then parts[#parts + 1] = "maintenance is STILL ON, the dynos are stopped" end
  if old.has_setting ~= nil then parts[#parts + 1] = "the source is STILL read-only" end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

local function by_hand(ctx, old)
  local app, commands = ctx.params.app, {}
  for _, each in ipairs(old.formation or {}) do
    if each.quantity > 0 then
      commands[#commands + 1] = ("heroku ps:scale %s=%d --app %s"):format(each.type, each.quantity, app)
    end
  end
  if old.formation and not old.maintenance then
    commands[#commands + 1] = ("heroku maintenance:off --app %s"):format(app)
  end
  if old.has_setting ~= nil then
    commands[#commands + 1] = ([[echo 'alter database :"DBNAME" %s' | ]]
      .. [[PGOPTIONS="-c default_transaction_read_only=off" psql SOURCE]]):format(old.setting
      and "set default_transaction_read_only = " .. old.setting or "reset default_transaction_read_only")
  end
  if ctx.params.on_thaw and not old.thawed then commands[#commands + 1] = ctx.params.on_thaw end
  return #commands > 0 and table.concat(commands, "\n") or nil
end

-- Another run that has closed the source, and has not opened it again.
local function closed_by(ctx)
  local source = ctx.source:identity()
  for _, row in ipairs(ctx:in_other_runs "window_opens") do
    local did = row.result or row.remembered
    if did and did.source == source and did.has_setting ~= nil and row.state ~= "undone" then return row.run end
  end
end

local function after_put_back(ctx, old, what)
  local ok, setting = pcall(ctx.source.read_only_setting, ctx.source)
  if not ok and task.cancelled(setting) then error(setting, 0) end
  if not ok then return { what = what, state = "kept", why = "opened again; from here: " .. tostring(setting) } end
  if setting ~= "on" then return { what = "read-only setting of " .. what, state = "gone", why = "writable again" } end
  what = what .. " read-only"
  if old.setting == "on" then return { what = what, state = "kept", why = "it was so before this run" } end
  local other = closed_by(ctx)
  if other then return { what = what, state = "kept", why = "run " .. other .. " has it so" } end
  return { what = what, state = "left", why = "not by this run: it was opened again" }
end

-- A source that has been moved away from stays closed. One that was put back is looked at, if it lets us.
local function cleanup(ctx, old, row)
  if not old or old.has_setting == nil then return {} end
  local what = "source " .. ctx.source:name()
  if row.state == "done" then
    return { { what = what, state = "kept", why = ("read-only; `pgorch destroy-source %s`"):format(ctx.run.id) } }
  end
  return { after_put_back(ctx, old, what) }
end

return recipe.step {
  id = "window_opens", title = "Open the window", effect = "write", run = run, plan = plan, check = check,
  undo = undo, undo_when = "failure", by_hand = by_hand, stands = stands, opens_window = true,
  holds_app = holds_app,
  undo_estimate = function(_, took) return 60 + took end,         -- dynos start; a command of --on-thaw
  cleanup = cleanup, estimate = 15,
}
