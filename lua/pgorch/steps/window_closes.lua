-- "Wrap-up": the dynos as they were, then maintenance off. The source stays read-only, so that a forgotten client is
-- refused instead of writing to a database that nobody reads any more.

local recipe = require "pgorch.recipe"
local freeze = require "pgorch.freeze"
local hook   = require "pgorch.hook"

local function run(ctx)
  local old, said = ctx.result.window_opens, ctx.recall or { began = true }
  ctx:remember(said)                     -- from here on the app may write to the new database
  if not old then return { read_only = false } end        -- a recipe that keeps writes out by a step of its own
  local started = old.formation and freeze.start_app(ctx, old)
  if started then ctx:put_back(started) end
  local read_only = old.has_setting ~= nil and ctx.options.source == "stays read-only"
  if old.has_setting ~= nil then
    if read_only then
      ctx:note "the source stays read-only"
    else
      local opened = freeze.open_source(ctx, old)
      if opened then ctx:put_back(opened) end
    end
  end
  hook.thaw(ctx, "moved", said)
  return { read_only = read_only }
end

-- A rollback after this has to close everything again before the old database becomes the valid one.
local function undo(ctx)
  local old = ctx.result.window_opens
  if not old then return end
  hook.freeze(ctx)
  if old.formation then freeze.stop_app(ctx, old) end
end

return recipe.step {
  id = "window_closes", title = "Close the window", effect = "write", run = run, undo = undo, undo_when = "failure",
  closes_window = true, options = { source = "stays read-only" },
  stands = function(result) return result.read_only and "the source is read-only" end,
  plan = function(ctx) return "~ dynos as before, maintenance off; source " .. ctx.options.source end,
}
