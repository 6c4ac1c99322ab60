-- A private bucket for the dump: made if it is not there, refused if the public can read it.
-- Kept after the migration; what this run puts into it is removed by the steps that put it there.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"

local function refuse_foreign(bucket)
  fail.raise("PGO-S3-BUCKET-TAKEN", ("the bucket %s belongs to somebody else"):format(bucket.name))
end

local function run(ctx)
  local bucket = ctx.store
  ctx:remember { name = bucket.name }
  local state = bucket:head()
  if state == "foreign" then refuse_foreign(bucket) end
  if state == "free" then bucket:create() end
  if not bucket:is_private() then
    fail.raise("PGO-S3-PUBLIC", ("the bucket %s can be read by the public"):format(bucket.name))
  end
  return { name = bucket.name, created = state == "free" }
end

local function cleanup(ctx, result)
  local bucket = ctx.store
  if not result or bucket:head() == "free" then return { { what = "bucket " .. bucket.name, state = "gone" } } end
  local function kept(why) return { { what = "bucket " .. bucket.name, state = "kept", why = why } } end
  if not result.created then return kept "this run did not make it" end
  if #bucket:list "" > 0 or #bucket:uploads "" > 0 then return kept "it is not empty" end
  bucket:remove()
  return { { what = "bucket " .. bucket.name, state = bucket:head() == "free" and "removed" or "left" } }
end

return recipe.step {
  id = "bucket", title = "A private bucket", effect = "write", run = run, undo = false,
  plan = function(ctx) return ("bucket %s, made if it is not there"):format(ctx.store.name) end,
  check = function(ctx) return ctx.store:head() == "mine" end,
  keeps = function(result) return result.created and "bucket " .. result.name or nil end, cleanup = cleanup,
}
