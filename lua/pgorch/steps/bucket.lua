-- A private bucket for the dump: made if it is not there, refused if the public can read it.
-- Kept after the migration; what this run puts into it is removed by the steps that put it there.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"

local function refuse_foreign(bucket)
  fail.raise("PGO-S3-BUCKET-TAKEN", ("the bucket %s belongs to somebody else"):format(bucket.name))
end

-- Runs that use it are counted, so that none takes it away from another. Whoever makes or removes it does so in turn.
local function shared_name(ctx) return "bucket:" .. ctx.store.name end

local function made_here(bucket)
  local state = bucket:head()
  if state == "foreign" then refuse_foreign(bucket) end
  return state == "free" and bucket:create()
end

local function run(ctx)
  local bucket, name = ctx.store, shared_name(ctx)
  ctx:remember { name = bucket.name }
  ctx:hold(name)
  local made = ctx:in_turn(name, function() return made_here(bucket) end)
  if not bucket:is_private() then
    fail.raise("PGO-S3-PUBLIC", ("the bucket %s can be read by the public"):format(bucket.name))
  end
  return { name = bucket.name, created = made }
end

-- A run that was put back has left it, and needs it again.
local function check(ctx)
  ctx:hold(shared_name(ctx))
  return ctx.store:head() == "mine"
end

local function reason_to_keep(ctx, result)
  local others = ctx:others(shared_name(ctx))
  if #others > 0 then return "run " .. others[1] .. " uses it" end
  if not result.created then return "this run did not make it" end
  if #ctx.store:list "" > 0 or #ctx.store:uploads "" > 0 then return "it is not empty" end
end

local function remove(ctx, result)
  local bucket = ctx.store
  local what = "bucket " .. bucket.name
  if bucket:head() == "free" then return { what = what, state = "gone" } end
  local why = reason_to_keep(ctx, result)
  if why then return { what = what, state = "kept", why = why } end
  bucket:remove()
  return { what = what, state = bucket:head() == "free" and "removed" or "left" }
end

local function cleanup(ctx, result)
  if not result then return { { what = "bucket " .. ctx.store.name, state = "gone" } } end
  return { ctx:in_turn(shared_name(ctx), function() return remove(ctx, result) end) }
end

local function plan(ctx)
  local state = ctx.store:head()
  if state == "foreign" then refuse_foreign(ctx.store) end
  return state == "free" and "+ bucket " .. ctx.store.name or ("bucket %s is there"):format(ctx.store.name)
end

return recipe.step {
  id = "bucket", title = "A private bucket", effect = "write", run = run, undo = false, check = check,
  way = "archive",
  plan = plan, estimate = 5,
  keeps = function(result) return result.created and "bucket " .. result.name or nil end, cleanup = cleanup,
}
