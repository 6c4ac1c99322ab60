-- The article asks for a private, encrypted bucket. Privacy is tried from outside; encryption at rest is the provider's
-- word and reported as such.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"

local function run(ctx)
  if not ctx.store:is_private() then
    fail.raise("PGO-S3-PUBLIC", ("the bucket %s can be read by the public"):format(ctx.store.name))
  end
  ctx:note "the bucket is private; that it is encrypted at rest is the provider's word"
  return { private = true }
end

return recipe.step { id = "bucket_is_private", title = "The bucket is private", effect = "read", run = run,
                     way = "archive", plan = function() return "asked from outside" end }
