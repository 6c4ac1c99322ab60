-- Allow-list entries as the providers' stand-ins read and store them. The gate reads the same texts on its own.

local networks = {}

local function ipv4(address)
  local parts = { address:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for _, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return #parts == 4
end

-- Groups of up to four digits, eight of them, or fewer with one "::". Addresses with a dotted tail are not taken.
local function ipv6(address)
  local short = address:find("::", 1, true)
  if not address:find "^[%x:]+$" or short and address:find("::", short + 1, true) or address:find ":::" then
    return false
  end
  local groups = 0
  for group in address:gmatch "[^:]+" do
    if #group > 4 then return false end
    groups = groups + 1
  end
  if short then return groups < 8 end
  return groups == 8 and not address:find "^:" and not address:find ":$"
end

--- An address or a network with its prefix, as the APIs store it; nil when the text is neither.
---@param text any
---@return string|nil
function networks.normal(text)
  if type(text) ~= "string" then return nil end
  local address, bits = text:match "^([^/]+)/(%d+)$"
  address = address or text
  local most = ipv4(address) and 32 or ipv6(address) and 128
  if not most then return nil end
  bits = math.tointeger(tonumber(bits or most))
  return bits and bits <= most and ("%s/%d"):format(address, bits) or nil
end

--- A list of them, or nil and the first that is none.
---@param texts any
---@return string[]|nil
---@return any bad
function networks.list(texts)
  if type(texts) ~= "table" then return nil, texts end
  local list = {}
  for i, text in ipairs(texts) do
    list[i] = networks.normal(text)
    if not list[i] then return nil, text end
  end
  return list
end

return networks
