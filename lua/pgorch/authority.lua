-- A file of certificate authorities that the user names, by a flag, a variable or in a URL: read whole, and refused
-- before anything is connected to. Whom the authorities are for is the caller's to know.

local fail = require "pgorch.error"
local fs   = require "pgorch.fs"
local task = require "pgorch.task"

local authority = {}

local LIMIT = 4 << 20

local CURE = "Name a file of certificates in PEM form; those of the system are in /etc/ssl/certs/ca-certificates.crt "
  .. "or /etc/pki/tls/certs/ca-bundle.crt."

---@param named_by string  "--target-ca", "AWS_CA_BUNDLE": for the message
---@param path string
---@param cure? string
---@return string pem      raises PGO-PARAM when the file is not there, or holds no certificate
function authority.read(named_by, path, cure)
  local ok, pem = pcall(fs.read, path, LIMIT)
  if ok and pem:find("-----BEGIN CERTIFICATE-----", 1, true) then return pem end
  if task.cancelled(pem) then error(pem, 0) end
  fail.raise("PGO-PARAM", ("%s names %s, which is no file with a PEM certificate"):format(named_by, path),
    { detail = not ok and tostring(pem) or nil, cure = cure or CURE })
end

return authority
