-- A certificate authority for one world, and a server certificate for 127.0.0.1, ::1 and localhost signed by it.
-- Made by openssl(1), valid for a month. The authority's key is thrown away once it has signed.

local fs      = require "pgorch.fs"
local process = require "pgorch.process"

local certificate = {}

-- A configuration of our own: what the machine's openssl.cnf says must not matter.
local CONFIG = [[
[req]
distinguished_name = name
prompt = no
[name]
CN = pgorch sandbox
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, IP:::1, DNS:localhost
]]

--- Makes ca.pem, server.crt and server.key in a folder that exists.
---@param dir string
---@return { ca_file: string, ca_pem: string, certificate: string, key: string }
function certificate.make(dir)
  local function path(name) return dir .. "/" .. name end
  local function new_key(...)
    process.run { timeout = 60, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
      "-nodes", "-config", path "openssl.cnf", ... }
  end
  fs.write(path "openssl.cnf", CONFIG)
  new_key("-x509", "-days", "30", "-subj", "/CN=pgorch sandbox CA", "-extensions", "authority", "-keyout",
    path "ca.key",
    "-out", path "ca.pem")
  new_key("-subj", "/CN=127.0.0.1", "-keyout", path "server.key", "-out", path "server.csr")
  process.run { timeout = 60, "openssl", "x509", "-req", "-in", path "server.csr", "-CA", path "ca.pem", "-CAkey",
    path "ca.key", "-set_serial", "2",
    "-days", "30", "-extfile", path "openssl.cnf", "-extensions", "server", "-out", path "server.crt" }
  for _, name in ipairs { "ca.key", "server.csr", "openssl.cnf" } do fs.remove(path(name)) end
  return { ca_file = path "ca.pem", ca_pem = fs.read(path "ca.pem"), certificate = path "server.crt",
    key = path "server.key" }
end

return certificate
