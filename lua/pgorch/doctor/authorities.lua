-- The certificate authorities that TLS connections are verified by: the system's, and AWS_CA_BUNDLE for a storage.

local doctor = require "pgorch.doctor"
local env    = require "pgorch.env"
local fs     = require "pgorch.fs"
local trust  = require "pgorch.s3.trust"

local PLACES = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" }
local LIMIT = 8 << 20

local function count(path)
  local ok, text = pcall(fs.read, path, LIMIT)
  local _, many = (ok and text or ""):gsub("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-", "")
  return many
end

local function check_system(found, places)
  for _, path in ipairs(places) do
    local many = count(path)
    if many > 0 then return found:pass(("%d certificate authorities in %s"):format(many, path)) end
  end
  found:fail("PGO-TLS", "this machine has no certificate authorities: no server can be verified",
    { cure = "Install them, on Debian: apt-get install ca-certificates" })
end

return function(found, o)
  check_system(found, o.authorities or PLACES)
  if doctor.try(found, nil, trust.bundle) then found:pass("AWS_CA_BUNDLE: " .. env.get "AWS_CA_BUNDLE") end
end
