-- The dump holds everything: once the data is verified it is deleted, unless it was asked to stay.

local recipe = require "pgorch.recipe"

local function kept(ctx)
  return ctx.options.unless and ctx.params[ctx.options.unless]
end

local function prefix(ctx) return ("pgorch/%s/"):format(ctx.run.id) end

-- Everything of the run: what an attempt that was killed had sent may have become an object only after that.
local function remove_all(store, under)
  for _, object in ipairs(store:list(under)) do store:delete(object.key) end
  store:abort_stale_uploads(under)
end

local function run(ctx)
  local key = ctx.result.dump_to_store.key
  if kept(ctx) then
    ctx:note("the dump is kept: " .. key)
    return { kept = key }
  end
  remove_all(ctx.store, prefix(ctx))
  ctx:put_back "dump deleted"
  return { deleted = key }
end

-- All that the run put into the bucket, a dump that was to be kept included, and parts that are billed until aborted.
local function cleanup(ctx)
  local store, under = ctx.store, prefix(ctx)
  if store:head() ~= "mine" then return { { what = "objects and uploads", state = "gone" } } end
  local objects, had, entries = store:list(under), #store:uploads(under), {}
  remove_all(store, under)
  for i, object in ipairs(objects) do
    entries[i] = { what = "object " .. object.key, state = store:head_object(object.key) and "left" or "removed" }
  end
  if #entries == 0 then entries[1] = { what = "objects", state = "gone" } end
  local left = #store:uploads(under)
  entries[#entries + 1] = { what = had > 0 and had .. " uploads" or "uploads",
                            state = left > 0 and "left" or had > 0 and "removed" or "gone" }
  return entries
end

return recipe.step {
  id = "delete_dump", title = "Delete the dump", effect = "destroy", run = run, undo = false,
  way = "archive",
  needs = { "dump_to_store" },
  options = { unless = "keep_dump" }, cleanup = cleanup,
  estimate = 2,
  plan = function(ctx) return kept(ctx) and "the dump is kept" or ("- object %s1.dump"):format(prefix(ctx)) end,
}
