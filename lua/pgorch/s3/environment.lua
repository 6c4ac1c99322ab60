-- An S3 client from the variables that every S3 tool reads: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION or
-- AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL; AWS_CA_BUNDLE is read by trust.lua, for every client.
-- Profiles and config files are not read.

local env  = require "pgorch.env"
local fail = require "pgorch.error"

---@param o? {endpoint?: string, region?: string}
---@return pgorch.s3.Options
return function(o)
  if env.get "AWS_SESSION_TOKEN" then
    fail.raise("PGO-PARAM", "AWS_SESSION_TOKEN is set: temporary keys cannot be used",
      { cure = "Use an access key of its own, and unset AWS_SESSION_TOKEN." })
  end
  local access, secret = env.get "AWS_ACCESS_KEY_ID", env.secret "AWS_SECRET_ACCESS_KEY"
  if not access or not secret then
    fail.raise("PGO-PARAM", ("the keys of the object storage are not given: %s is not set"):format(
      access and "AWS_SECRET_ACCESS_KEY" or "AWS_ACCESS_KEY_ID"), { cure = "Set it in the environment." })
  end
  local region = o and o.region or env.get "AWS_REGION" or env.get "AWS_DEFAULT_REGION" or "us-east-1"
  local endpoint = o and o.endpoint or env.get "AWS_ENDPOINT_URL_S3" or env.get "AWS_ENDPOINT_URL"
  return { endpoint = endpoint or ("https://s3.%s.amazonaws.com"):format(region), region = region,
           access_key = access, secret_key = secret }
end
