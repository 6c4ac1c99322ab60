-- A key for the bucket, and for nothing else, as long as the run lasts. It is known by its label: whatever process of
-- the run made it, it is deleted on every way out.

local recipe = require "pgorch.recipe"

local function run(ctx)
  local bucket = ctx.store
  ctx:remember { label = bucket.key_label }
  if bucket:head() == "mine" then bucket:s3() end      -- a rollback after a cleanup finds none
  return { label = bucket.key_label, id = bucket.key_id }
end

local function undo(ctx)
  if ctx.store:revoke() > 0 then ctx:put_back "storage key deleted" end
end

-- Whoever looks into the bucket makes a key, the other cleanups as well: those are no news, all others are.
local function cleanup(ctx)
  local store = ctx.store
  if store.given then return {} end
  store:revoke()
  local found = store.others_revoked > 0 and "removed" or "gone"
  return { { what = "storage key " .. store.key_label, state = store:revoke() == 0 and found or "left" } }
end

return recipe.step {
  id = "storage_key", title = "A storage key for the bucket alone", effect = "write", run = run, undo = undo,
  way = "archive", only_if = function(ctx) return ctx.store.given == nil end,
  undo_when = "always", cleanup = cleanup, cleans_last = true,
  estimate = 10,
  plan = function(ctx)
    return { "+ storage key " .. ctx.store.key_label, after = "- storage key " .. ctx.store.key_label }
  end,
  stands = function(result) return ("the storage key %s is there"):format(result.label) end,
  by_hand = function(_, result)
    return ("linode-cli object-storage keys-list\nlinode-cli object-storage keys-delete ID-OF-%s"):format(result.label)
  end,
}
