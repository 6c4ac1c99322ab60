-- "Get the Signed URL": signed just before it is used, for a time that fits the dump, and tried at once.

local recipe     = require "pgorch.recipe"
local signed_url = require "pgorch.signed_url"

local function run(ctx)
  signed_url.get(ctx)
  return { key = ctx.result.dump_to_store.key, seconds = signed_url.life(ctx.result.dump_to_store.bytes) }
end

return recipe.step {
  id = "presign", title = "Sign a URL for the dump and try it", effect = "read", run = run,
  plan = function() return "signed and tried once the dump is there" end,
}
