-- The app: found, or created. One that was created is kept when the migration fails; the next run uses it.

local recipe = require "pgorch.recipe"

-- Runs that move a database of it are counted, so that none removes it under another. Whoever makes or removes it does
-- so in turn.
local function shared_name(ctx) return "app:" .. ctx.params.app end

local function find_or_create(ctx)
  local app, name = ctx.target.app, ctx.params.app
  local found = app:info()
  if found then
    -- Asked for by an attempt that was killed before it could say so: then it is ours. One that recalls a whole result
    -- only looks again.
    return { name = name, id = found.id, created = ctx.recall ~= nil and ctx.recall.created ~= false }
  end
  ctx:remember { name = name }
  local made = app:create { region = ctx.params.region, team = ctx.params.team, space = ctx.params.space }
  return { name = name, id = made.id, created = true }
end

local function run(ctx)
  ctx:hold(shared_name(ctx))
  return ctx:in_turn(shared_name(ctx), function() return find_or_create(ctx) end)
end

-- A run that was put back has left it, and needs it again.
local function check(ctx)
  ctx:hold(shared_name(ctx))
  return ctx.target.app:info() ~= nil
end

-- Only one that this run made, that nothing was moved to, and that holds nothing: no code, no other add-on.
local function reason_to_keep(ctx)
  local app = ctx.target.app
  if ctx:finished "cut_over" then return "it uses the new database" end
  local others = ctx:others(shared_name(ctx))
  if #others > 0 then return "run " .. others[1] .. " uses it" end
  if #app:formation() > 0 then return "code was deployed to it" end
  if #app:addons() > 0 then return "it has add-ons" end
end

-- The user has taken his time to answer: looked at again.
local function remove(ctx)
  local why = reason_to_keep(ctx)
  if why then return "kept", why end
  ctx.target.app:destroy()
  return ctx.target.app:info() and "left" or "removed"
end

local function cleanup(ctx, result, _, confirmed)
  local app = ctx.target.app
  if not result or not result.created and result.id then return {} end          -- it was there before
  local what = "app " .. app.name
  if not app:info() then return { { what = what, state = "gone" } } end
  local why = reason_to_keep(ctx)
  if not why and not confirmed(what) then
    why = ("empty; `pgorch cleanup %s --confirm %s` removes it"):format(ctx.run.id, app.name)
  end
  if why then return { { what = what, state = "kept", why = why } } end
  local state, refused = ctx:in_turn(shared_name(ctx), function() return remove(ctx) end)
  return { { what = what, state = state, why = refused } }
end

local function plan(ctx)
  if ctx.target.app:info() then return ("app %s is there"):format(ctx.params.app) end
  local where = {}
  for _, name in ipairs { "region", "team", "space" } do
    if ctx.params[name] then where[#where + 1] = name .. " " .. ctx.params[name] end
  end
  return ("+ app %s%s"):format(ctx.params.app, #where > 0 and " (" .. table.concat(where, ", ") .. ")" or "")
end

return recipe.step {
  id = "app", title = "Create a Heroku app, or find it", effect = "write", run = run, undo = false,
  plan = plan, estimate = 5, check = check,
  keeps = function(result) return result.created and "app " .. result.name or nil end, cleanup = cleanup,
}
