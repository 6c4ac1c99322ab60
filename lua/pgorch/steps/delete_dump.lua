-- The dump holds everything: once the data is verified it is deleted, unless it was asked to stay.

local recipe = require "pgorch.recipe"

local function kept(ctx)
  return ctx.options.unless and ctx.params[ctx.options.unless]
end

local function run(ctx)
  local key = ctx.result.dump_to_store.key
  if kept(ctx) then
    ctx:note("the dump is kept: " .. key)
    return { kept = key }
  end
  ctx.store:delete(key)
  ctx.store:abort_stale_uploads(("pgorch/%s/"):format(ctx.run.id))
  ctx:put_back "dump deleted"
  return { deleted = key }
end

return recipe.step {
  id = "delete_dump", title = "Delete the dump", effect = "destroy", run = run, undo = false,
  options = { unless = "keep_dump" },
  plan = function(ctx) return kept(ctx) and {} or "- object" end,
}
