-- Whether the database that was moved to still is what was verified: the app's config leads to it, and no table that
-- had rows is gone or empty. Reads only.

local config_vars = require "pgorch.config_vars"
local content     = require "pgorch.verify.content"
local json        = require "pgorch.json"

local target = {}

local AT_ONCE = 100              -- tables asked for in one query

---The first of the vars that were moved which does not lead to the new database any more.
---@param ctx pgorch.Context
---@return string|nil name
function target.astray(ctx)
  local config = ctx.target.app:config()
  local ours <close> = ctx.target:connect()
  local expected = ctx.target.who(ours)
  for _, name in ipairs(ctx.result.cut_over.vars) do
    if not config[name] or config_vars.is_source(ctx.source, config[name]) then return name end
    local conn <close> = ctx.target:connect { url = config[name] }
    if ctx.target.who(conn) ~= expected then return name end
  end
end

local GONE = "select name from json_array_elements_text($1::json) as each(name) where to_regclass(name) is null"

local function gone(conn, names)
  local found = {}
  for _, row in ipairs(conn:query(GONE, json.encode(json.array(names)))) do found[row.name] = true end
  return found
end

-- Those of names[first..last] without a row.
local function empty(conn, names, froms, first, last)
  local asked, found = {}, {}
  for i = first, last do asked[#asked + 1] = ("(%d, exists (select from %s))"):format(i, froms[names[i]]) end
  if #asked == 0 then return found end
  local sql = "select i from (values " .. table.concat(asked, ", ") .. ") as asked(i, has_rows) where not has_rows"
  for _, row in ipairs(conn:query(sql)) do found[#found + 1] = names[row.i] .. " is empty" end
  return found
end

---Tables that had rows when they were verified, and are gone or empty now: each with what has become of it.
---@param ctx pgorch.Context
---@return string[]
function target.lost(ctx)
  local names, froms, list, there = {}, {}, {}, {}
  for name, sum in pairs(ctx.result.checksum_source.sums) do
    if (sum.rows or 0) > 0 then names[#names + 1], froms[name] = name, content.from(name, sum) end
  end
  table.sort(names)
  local conn <close> = ctx.target:connect()
  local missing = gone(conn, names)
  for _, name in ipairs(names) do
    if missing[name] then list[#list + 1] = name .. " is gone" else there[#there + 1] = name end
  end
  for first = 1, #there, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #there)
    table.move(empty(conn, there, froms, first, last), 1, AT_ONCE, #list + 1, list)
  end
  return list
end

return target
