-- This machine's loopback addresses: 127.0.0.1 always, ::1 where IPv6 is not switched off; and ports free on all.
-- Holds no port: somebody may take one before its server does, and the caller tries again.

local http_server = require "pgorch.http_server"

local loopback = {}

local function refuse() return { status = 503 } end

local function can_listen(host, port)
  local ok, listener = pcall(http_server.serve, { host = host, port = port }, refuse)
  if not ok then return false end
  listener:close()
  return true
end

local has_ipv6

--- True when servers can listen on ::1.
---@return boolean
function loopback.has_ipv6()
  if has_ipv6 == nil then has_ipv6 = can_listen("::1", 0) end
  return has_ipv6
end

---@return string[] "127.0.0.1", and "::1" where there is one
function loopback.addresses()
  return loopback.has_ipv6() and { "127.0.0.1", "::1" } or { "127.0.0.1" }
end

--- A port that is free now on every loopback address.
---@return integer
function loopback.free_port()
  while true do
    local listener = http_server.serve({ host = "127.0.0.1", port = 0 }, refuse)
    local port = listener.port
    local free = not loopback.has_ipv6() or can_listen("::1", port)
    listener:close()
    if free then return port end
  end
end

--- A host as it stands in a URL: an IPv6 address in brackets.
---@param host string
---@return string
function loopback.in_url(host)
  return host:find(":", 1, true) and "[" .. host .. "]" or host
end

return loopback
