-- Is this machine let in by the source's allow list, and from which address does it come?
-- The address is --from-ip, or what an echo service says, unless the source is this machine itself.
-- Changes nothing: the step `allow_list` adds and removes our one entry.

local env  = require "pgorch.env"
local fail = require "pgorch.error"
local http = require "pgorch.http"
local poll = require "pgorch.poll"

local M = {}

local ECHO_URL = "https://checkip.amazonaws.com/"

local function number(address)
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  return (tonumber(a) << 24) | (tonumber(b) << 16) | (tonumber(c) << 8) | tonumber(d)
end

---Whether `cidr` ("198.51.100.0/24", or an address alone) covers an IPv4 address; other families compare as text.
---@param cidr string
---@param address string
---@return boolean
function M.covers(cidr, address)
  local net, bits = cidr:match("^([^/]+)/(%d+)$")
  net, bits = net or cidr, math.tointeger(tonumber(bits or "32"))
  local n, a = number(net), number(address)
  if not n or not a then return net == address end
  if bits == 0 then return true end
  local mask = (0xffffffff << (32 - bits)) & 0xffffffff
  return n & mask == a & mask
end

---The address that the source sees us come from.
---@return string
function M.address(ctx, source)
  if ctx.params.from_ip then return ctx.params.from_ip end
  if poll.is_loopback(source.host) then return source.host == "::1" and "::1" or "127.0.0.1" end
  local reply = http.request { method = "GET", url = env.get("PGORCH_ECHO_URL") or ECHO_URL, timeout = 15,
                               retry = "polite" }
  local address = reply.body:match("^%s*([%x.:]+)%s*$")
  if not address then
    fail.raise("PGO-ALLOW-LIST", "this machine's public address is not known", { detail = "give it with --from-ip" })
  end
  return address
end

---@return {answer: "none"|"open"|"listed"|"closed", address: string|nil, cidr: string|nil} cidr: the entry for us alone
function M.state(ctx, source)
  if not source.allow_list then return { answer = "none" } end
  local list = source.allow_list.get()
  if #list == 0 and source.empty_allow_list == "open" then return { answer = "open" } end
  local address = M.address(ctx, source)
  local own = address .. (address:find(":", 1, true) and "/128" or "/32")
  for _, cidr in ipairs(list) do
    if M.covers(cidr, address) then
      return { answer = "listed", address = address, cidr = cidr == own and own or nil }
    end
  end
  return { answer = "closed", address = address, cidr = own }
end

return M
