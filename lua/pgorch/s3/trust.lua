-- The certificate authorities that an object storage is trusted by: those in the file that AWS_CA_BUNDLE names, as in
-- every S3 tool, in place of the system's. For storages with an authority of their own, and for proxies that break TLS.

local authority = require "pgorch.authority"
local env       = require "pgorch.env"
local fail      = require "pgorch.error"

local trust = {}

local VARIABLE = "AWS_CA_BUNDLE"
local CURE = "Name a file of certificates in PEM form, or unset it to trust the system's authorities."

---What AWS_CA_BUNDLE holds; nil when it is not set: then the system's authorities count.
---@return string|nil pem
function trust.bundle()
  local path = env.get(VARIABLE)
  return path and authority.read(VARIABLE, path, CURE)
end

---A TLS failure, with what the user can do about it here.
---@param err pgorch.Error
---@return pgorch.Error
function trust.explained(err)
  if not fail.is(err, "PGO-TLS") then return err end
  local set = env.get(VARIABLE)
  if set then
    err.cure = ("%s=%s is what the storage is trusted by: it must hold the authority that signed its certificate.")
      :format(VARIABLE, set)
  else
    err.cure = ("If the storage has a certificate authority of its own, name that authority's PEM file in %s.")
      :format(VARIABLE)
  end
  return err
end

return trust
