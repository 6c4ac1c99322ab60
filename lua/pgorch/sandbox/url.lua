-- Percent coding and query strings, for all stand-ins. S3's signature checks have to see every parameter exactly as the
-- client wrote it. Never normalises a path: `//` and `..` are legal inside a key.

local url = {}

local function octet(char) return string.format("%%%02X", char:byte()) end

--- Percent-encodes everything but the unreserved characters, in upper-case hex.
---@param text string
---@param keep_slash? boolean leave "/" as it is (in a path)
---@return string
function url.encode(text, keep_slash)
  return (text:gsub(keep_slash and "[^%w%-_.~/]" or "[^%w%-_.~]", octet))
end

---@param text string
---@param plus? boolean "+" is a blank (in a query, never in a path)
---@return string
function url.decode(text, plus)
  if plus then text = text:gsub("%+", " ") end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Splits a raw query into its decoded parameters, in the order in which they came.
---@param raw? string without the question mark
---@return { name: string, value: string }[] list
---@return table<string, string> by_name the last one of a name wins
function url.parameters(raw)
  local list, by_name = {}, {}
  for pair in (raw or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    name, value = url.decode(name or pair, true), url.decode(value or "", true)
    list[#list + 1] = { name = name, value = value }
    by_name[name] = value
  end
  return list, by_name
end

return url
