-- Certificate authorities of tests, and the certificates that they sign: good ones, expired ones, for other names.

local fs      = require "pgorch.fs"
local process = require "pgorch.process"

local certificates = {}

---@class support.Authority
---@field pem string
---@field dir string
local Authority = {}
Authority.__index = Authority

local NEW_KEY = { "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes" }

local function openssl(dir, ...)
  local arguments = { "openssl", ... }
  arguments.cwd, arguments.timeout = dir, 60
  process.run(arguments)
end

---A new authority, whose files are in a folder of its own below `dir`.
---@param dir string
---@param name string
---@return support.Authority
function certificates.authority(dir, name)
  local self = setmetatable({ dir = dir .. "/" .. name }, Authority)
  fs.mkdir(self.dir)
  openssl(self.dir, "req", "-x509", "-subj", "/CN=" .. name, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem",
    table.unpack(NEW_KEY))
  self.pem = fs.read(self.dir .. "/ca.pem")
  return self
end

---A certificate of it.
---@param o { names: string, days: integer? } names: "DNS:localhost,IP:127.0.0.1"; days below 0: it has expired
---@return string certificate PEM
---@return string key PEM
function Authority:issue(o)
  local dir = self.dir
  openssl(dir, "req", "-new", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr",
    table.unpack(NEW_KEY))
  fs.write(dir .. "/extensions", "subjectAltName=" .. o.names .. "\nbasicConstraints=CA:FALSE\n")
  openssl(dir, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
    tostring(o.days or 2), "-extfile", "extensions", "-out", "server.crt")
  return fs.read(dir .. "/server.crt"), fs.read(dir .. "/server.key")
end

return certificates
