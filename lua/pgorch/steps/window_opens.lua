-- The window opens: maintenance on, dynos to 0, the source read-only, the user's own notice sent.
-- What was there before is stored first; putting it back is exactly that, not a default.

local recipe = require "pgorch.recipe"
local clock  = require "pgorch.clock"
local freeze = require "pgorch.freeze"
local hook   = require "pgorch.hook"
local task   = require "pgorch.task"

-- An attempt that was killed in the middle has stored what was there before it began; the state now is half ours.
local function remembered(ctx, means)
  local old = ctx.recall or freeze.look(ctx, means)
  old.source = ctx.source:identity()
  ctx:remember(old)
  return old
end

-- Another run's freeze must not be taken for what was there before.
local function claim(ctx, means)
  ctx.target:claim(ctx)
  if not means["read-only"] then return end
  ctx:lock("freeze:" .. ctx.source:identity(), ctx.source:name())
  ctx.source:claim(ctx)
end

local function open_source(ctx, old)
  ctx.source:claim(ctx, { if_reachable = true })         -- not under another machine's run
  return freeze.open_source(ctx, old)
end

local function run(ctx)
  local means = freeze.means(ctx)
  claim(ctx, means)
  local old = remembered(ctx, means)
  hook.freeze(ctx)
  if means["maintenance"] then freeze.stop_app(ctx, old) end
  local clients = means["read-only"] and freeze.close_source(ctx) or nil
  ctx:note "the window is open"
  return { maintenance = old.maintenance, formation = old.formation, setting = old.setting,
           has_setting = old.has_setting, source = old.source, opened = clock.iso(), clients = clients }
end

-- Contexts whose app has been put back: an undo that is tried again does not do it twice.
local app_is_back = setmetatable({}, { __mode = "k" })

-- A source that cannot be reached must not keep the app down: each is put back on its own. The end is told last, and
-- not again by a rollback that was killed after it.
local function undo(ctx, old)
  local ok, said = true, nil
  if old.has_setting ~= nil then
    ok, said = pcall(open_source, ctx, old)
    if ok and said then ctx:put_back(said) end
  end
  if old.formation and not app_is_back[ctx] then
    local started = freeze.start_app(ctx, old)
    if started then ctx:put_back(started) end
    app_is_back[ctx] = true
  end
  if not ok then error(said, 0) end
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

local function plan(ctx)
  local means, lines = freeze.means(ctx), {}
  if means["maintenance"] and ctx.target.app:info() then
    local dynos = {}
    for _, each in ipairs(ctx.target.app:formation()) do
      dynos[#dynos + 1] = ("%s %d -> 0"):format(each.type, each.quantity)
    end
    lines[#lines + 1] = "~ maintenance on" .. (#dynos > 0 and ", " .. table.concat(dynos, ", ") or "")
  end
  if means["read-only"] then lines[#lines + 1] = "~ source read-only, sessions of others ended" end
  if ctx.params.on_freeze then lines[#lines + 1] = "runs: " .. ctx.params.on_freeze end
  return lines
end

local function stands(old)
  local parts = {}
  if old.formation then parts[#parts + 1] = "maintenance is STILL ON, the dynos are stopped" end
  if old.has_setting ~= nil then parts[#parts + 1] = "the source is STILL read-only" end
  return table.concat(parts, ", ")
end

local function by_hand(ctx, old)
  local app, commands = ctx.params.app, {}
  for _, each in ipairs(old.formation or {}) do
    if each.quantity > 0 then
      commands[#commands + 1] = ("heroku ps:scale %s=%d --app %s"):format(each.type, each.quantity, app)
    end
  end
  if old.formation then commands[#commands + 1] = ("heroku maintenance:off --app %s"):format(app) end
  if old.has_setting ~= nil then
    commands[#commands + 1] = ([[echo 'alter database :"DBNAME" %s' | ]]
      .. [[PGOPTIONS="-c default_transaction_read_only=off" psql SOURCE]]):format(old.setting
      and "set default_transaction_read_only = " .. old.setting or "reset default_transaction_read_only")
  end
  return table.concat(commands, "\n")
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
  what = what .. " read-only"
  if setting ~= "on" then return { what = what, state = "gone" } end
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
  cleanup = cleanup,
}
