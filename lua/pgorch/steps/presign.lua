-- "Get the Signed URL": signed just before it is used, for a time that fits the dump, and tried at once. Signed here,
-- or with { by = "provider", signature = "v2" } by the provider's API.

local recipe     = require "pgorch.recipe"
local signed_url = require "pgorch.signed_url"

local function run(ctx)
  local how, dump = ctx.options, ctx.result.dump_to_store
  signed_url.get(ctx, how)
  return { key = dump.key, seconds = signed_url.life(dump.bytes, how.signature), by = how.by,
           signature = how.signature }
end

return recipe.step {
  id = "presign", title = "Sign a URL for the dump and try it", effect = "read", run = run,
  way = "archive",
  needs = { "dump_to_store" },
  plan = function() return "signed and tried once the dump is there" end,
}
