-- Is this machine let in by the source's allow list, and from which address does it come?
-- The address is --from-ip, or what an echo service says, unless the source is this machine itself.
-- Changes nothing: the step `allow_list` adds and removes our one entry.

local env  = require "pgorch.env"
local fail = require "pgorch.error"
local http = require "pgorch.http"
local poll = require "pgorch.poll"

local M = {}

local ECHO_URL = "https://checkip.amazonaws.com/"

-- The 16-bit groups of an address, nil when it is none. An IPv4 address has two.
local function groups_of(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a then return { tonumber(a) << 8 | tonumber(b), tonumber(c) << 8 | tonumber(d) } end
  local head, tail = text:match("^(.-)::(.*)$")
  local first, last = {}, {}
  for group in (head or text):gmatch("%x+") do first[#first + 1] = tonumber(group, 16) end
  for group in (tail or ""):gmatch("%x+") do last[#last + 1] = tonumber(group, 16) end
  while head and #first + #last < 8 do first[#first + 1] = 0 end
  table.move(last, 1, #last, #first + 1, first)
  return text:find("^[%x:]+$") and #first == 8 and first or nil
end

---Whether `cidr` ("198.51.100.0/24", "2001:db8::/32", or an address alone) covers an address of the same family.
---@param cidr string
---@param address string
---@return boolean
function M.covers(cidr, address)
  local net, bits = cidr:match("^([^/]+)/(%d+)$")
  local network, wanted = groups_of(net or cidr), groups_of(address)
  if not network or not wanted or #network ~= #wanted then return (net or cidr) == address end
  local left = math.tointeger(tonumber(bits)) or #wanted * 16
  for i, group in ipairs(network) do
    local mask = left >= 16 and 0xffff or left <= 0 and 0 or (0xffff << (16 - left)) & 0xffff
    if group & mask ~= wanted[i] & mask then return false end
    left = left - 16
  end
  return true
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
