-- "Wrap-up": the dynos as they were, then maintenance off. The source stays read-only, so that a forgotten client is
-- refused instead of writing to a database that nobody reads any more.

local recipe = require "pgorch.recipe"
local freeze = require "pgorch.freeze"
local hook   = require "pgorch.hook"

local function run(ctx)
  local old, said = ctx.result.window_opens, ctx.recall or { began = true }
  ctx:remember(said)                     -- from here on the app may write to the new database
  if not old then return { read_only = false } end        -- a recipe that keeps writes out by a step of its own
  if old.formation then freeze.leave_app(ctx) end
  local read_only = old.has_setting ~= nil and ctx.options.source == "stays read-only"
  if read_only then
    freeze.leave_source_closed(ctx, old.source)
    ctx:note "the source stays read-only"
  elseif old.has_setting ~= nil then
    freeze.leave_source(ctx, old.source)
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

return recipe.step {
  id = "window_closes", title = "Close the window", effect = "write", run = run, undo = undo, undo_when = "failure",
  closes_window = true, options = { source = "stays read-only" },
  stands = function(result) return result.read_only and "the source is read-only" end,
  plan = function(ctx) return "~ dynos as before, maintenance off; source " .. ctx.options.source end,
}
