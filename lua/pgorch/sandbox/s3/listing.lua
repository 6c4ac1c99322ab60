-- Pages through the keys of a bucket: prefix, delimiter, marker and page size, the same for both versions of
-- ListObjects, for ListObjectVersions and for ListMultipartUploads.

local errors = require "pgorch.sandbox.s3.errors"
local url = require "pgorch.sandbox.url"

local listing = {}

--- A key as a listing has it: with `encoding-type=url` coded, slashes too.
---@param key string
---@param coded boolean
---@return string
function listing.written(key, coded) return coded and url.encode(key) or key end

local PAGE = 1000

--- The page size that a request asks for, 1000 at most; fewer than none is none.
---@param text string|nil
---@return integer
function listing.page_size(text)
  if text == nil or text == "" then return PAGE end
  local size = text:match("^%-?%d+$") and tonumber(text)
  if not size then errors.raise "InvalidArgument" end
  return math.max(0, math.min(size, PAGE))
end

--- The common prefix that hides a key, nil when the key is listed itself.
local function rolled_up(key, prefix, delimiter)
  if delimiter == "" then return nil end
  local _, last = key:find(delimiter, #prefix + 1, true)
  return last and key:sub(1, last)
end

---@param names table<string, any> the keys are listed in byte order
---@param o { prefix: string?, delimiter: string?, after: string?, limit: integer }
---@return { keys: string[], prefixes: string[], next: string? } page next is where the following page starts after
function listing.page(names, o)
  local prefix, delimiter, after = o.prefix or "", o.delimiter or "", o.after or ""
  local sorted = {}
  for name in pairs(names) do
    if name > after and name:sub(1, #prefix) == prefix then sorted[#sorted + 1] = name end
  end
  table.sort(sorted)
  local page, last = { keys = {}, prefixes = {} }, nil
  for _, key in ipairs(sorted) do
    local common = rolled_up(key, prefix, delimiter)
    local entry = common or key
    if entry ~= last and not (common and common == after) then
      if #page.keys + #page.prefixes == o.limit then
        page.next = last or after
        break
      end
      table.insert(common and page.prefixes or page.keys, entry)
      last = entry
    end
  end
  if o.limit == 0 then page.next = nil end
  return page
end

return listing
