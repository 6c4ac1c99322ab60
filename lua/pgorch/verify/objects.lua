-- The schema objects of a database with their definitions, and what differs between two databases. One query for each
-- family of objects (sql/objects/), however many there are. Reads only. Owners and grants are not looked at: a dump for
-- Heroku carries none.

local difference  = require "pgorch.verify.difference"
local noise       = require "pgorch.verify.noise"
local not_carried = require "pgorch.verify.not_carried"
local snapshot    = require "pgorch.verify.snapshot"
local source      = require "pgorch.source"
local view_text   = require "pgorch.verify.view_text"

local M = {}

local FAMILIES = { "schemas", "types", "relations", "columns", "constraints", "indexes", "sequences", "routines",
                   "triggers", "rules", "statistics", "operators", "languages", "foreign", "comments",
                   "dependencies" }

---@alias pgorch.Objects table<string, table<string, string|pgorch.LongText>>  kind -> name -> definition

local HAS_LINES = { ["function"] = true, procedure = true, ["window function"] = true }
local IS_VIEW = { view = true, ["materialized view"] = true }

local function definition(row)
  local text = row.text or ""
  if IS_VIEW[row.kind] then text = view_text.normal(text) end
  return difference.mask(text)
end

local VIEWS_AT_ONCE = 50

-- Gives the rows of views the text of their queries.
local function add_queries(conn, rows)
  local views = {}
  for _, row in ipairs(rows) do
    if row.view then views[#views + 1] = row end
  end
  for first = 1, #views, VIEWS_AT_ONCE do
    local numbers, text = {}, {}
    for i = first, math.min(first + VIEWS_AT_ONCE - 1, #views) do numbers[#numbers + 1] = views[i].view end
    for row in conn:rows(source.sql "objects/views", "{" .. table.concat(numbers, ",") .. "}") do
      text[row.view] = row.text
    end
    for i = first, first + #numbers - 1 do
      local row, query = views[i], text[views[i].view] or ""
      row.text = row.text == "" and query or row.text .. "\n" .. query
    end
    snapshot.release_locks(conn)
  end
  return rows
end

---Every object with its whole definition. The caller has set verify.SETTINGS on `conn`: names come out qualified.
---@param conn table
---@return pgorch.Objects
function M.read(conn)
  local kinds = {}
  for _, family in ipairs(FAMILIES) do
    for _, row in ipairs(add_queries(conn, conn:query(source.sql("objects/" .. family)))) do
      local names = kinds[row.kind] or {}
      kinds[row.kind] = names
      local text = definition(row)
      names[row.name] = names[row.name] and names[row.name] .. "\n" .. text or text   -- two of one name: both count
    end
    snapshot.release_locks(conn)
  end
  return kinds
end

---The same in the form in which a run records it: long definitions as digests.
---@param objects pgorch.Objects
---@return pgorch.Objects
function M.stored(objects)
  local kinds = {}
  for kind, names in pairs(objects) do
    kinds[kind] = {}
    for name, text in pairs(names) do
      kinds[kind][name] = type(text) == "string" and difference.stored(text) or text
    end
  end
  return kinds
end

---@param objects pgorch.Objects
---@return integer
function M.count(objects)
  local n = 0
  for _, names in pairs(objects) do
    for _ in pairs(names) do n = n + 1 end
  end
  return n
end

local function in_order(list)
  table.sort(list, function(x, y)
    if x.kind ~= y.kind then return x.kind < y.kind end
    return x.name < y.name
  end)
  return list
end

-- Kinds whose objects have objects of their own, named `relation.column` or `relation constraint`.
local HOLDS = { table = true, ["partitioned table"] = true, ["foreign table"] = true, view = true,
                ["materialized view"] = true, domain = true }
local PARTS   = { column = true, ["primary key"] = true, ["unique constraint"] = true, ["foreign key"] = true,
                  check = true, exclusion = true, ["not null"] = true, ["constraint trigger"] = true, trigger = true,
                  rule = true, policy = true, ["domain constraint"] = true, ["triggers of a key"] = true }

-- Names of relations that the other side lacks altogether: their parts are counted, not told one by one.
local function lacking(a, b)
  local names = {}
  for kind in pairs(HOLDS) do
    for name in pairs(a[kind] or {}) do names[name] = 0 end
  end
  for kind in pairs(HOLDS) do
    for name in pairs(b[kind] or {}) do names[name] = nil end
  end
  return names
end

-- An unquoted part of a name has neither dot nor blank; a quoted one has its quotes doubled.
local function split(name)
  local function part(from)
    if name:sub(from, from) ~= '"' then return select(2, name:find("^[^. ]+", from)) end
    local _, stop = name:find('^"[^"]*"', from)
    while stop and name:sub(stop + 1, stop + 1) == '"' do _, stop = name:find('^"[^"]*"', stop + 1) end
    return stop
  end
  local schema = part(1)
  return schema and part(schema + 2)
end

---The relation of a part: `shop.orders` of `shop.orders.id` and of `shop.orders "a key"`.
---@param name string
---@return string|nil
function M.holder(name)
  local stop = split(name)
  return stop and name:sub(1, stop) or nil
end

-- How the relation is found to which an object belongs whose name does not tell it.
local BELONGS = {
  index = function(_, text)
    local relation = text:match " ON (.-) USING "
    return relation and relation:gsub("^ONLY ", "")
  end,
  sequence = function(_, text)
    return M.holder(text:match " owned by (.+)$" or text:match " identity of (.+)$" or "")
  end,
  comment = function(name)   -- `trigger audit on shop.orders`, `table column shop.orders.id`
    local relation = name:match "^%l.* on (.+)$"
    if relation then return relation end
    local about = name:gsub("^materialized ", ""):gsub("^foreign ", ""):gsub("^%l+ ", "")
    return M.holder((about:gsub("^column ", "")))
  end,
}

-- The relation that is gone with this object, if that is so.
local function gone_with(kind, name, text, missing)
  local find = BELONGS[kind]
  local holder
  if find then holder = find(name, type(text) == "table" and text.first or text)
  elseif PARTS[kind] then holder = M.holder(name) end
  return holder and missing[holder] and holder
end

-- What only `mine` has, each with the beginning of its definition.
local function only_here(mine, theirs)
  local missing, found = lacking(mine, theirs), {}
  for kind, names in pairs(mine) do
    local others = theirs[kind] or {}
    for name, text in pairs(names) do
      local holder = others[name] == nil and gone_with(kind, name, text, missing)
      if holder then missing[holder] = missing[holder] + 1
      elseif others[name] == nil then
        found[#found + 1] = { kind = kind, name = name, text = difference.beginning(text) }
      end
    end
  end
  for _, each in ipairs(found) do
    local parts = HOLDS[each.kind] and missing[each.name]
    if parts and parts > 0 then each.text = ("%s (and %d columns, keys and the like)"):format(each.text, parts) end
  end
  return found
end

-- What both have, and not alike.
local function unlike(a, b, report)
  for kind, names in pairs(a) do
    local others = b[kind] or {}
    for name, mine in pairs(names) do
      local theirs = others[name]
      if theirs ~= nil and not difference.same(mine, theirs) then report(kind, name, mine, theirs) end
    end
  end
end

-- What mends a constraint, whose name is `relation constraint`.
local function altered(name, cure)
  local relation = M.holder(name)
  return ("ALTER TABLE %s %s%s"):format(relation, cure, name:sub(#relation + 1))
end

---Appends the differences to `list`, and returns those that mean nothing, each with the reason.
---@param a pgorch.Objects  the source's
---@param b pgorch.Objects  the target's
---@param list pgorch.Difference[]
---@return {kind: string, name: string, why: string}[] ignored
function M.compare(a, b, list)
  local ignored, found = {}, {}
  local function add(kind, name, why, mine, theirs)
    local one = { kind = kind, name = name, source = mine, target = theirs }
    if why then ignored[#ignored + 1] = { kind = kind, name = name, why = why } else found[#found + 1] = one end
    return one
  end
  unlike(a, b, function(kind, name, mine, theirs)
    local why = noise.reason(kind, name) or noise.version_only(kind, mine, theirs)
    local one = add(kind, name, why, difference.show(mine, theirs, HAS_LINES[kind]))
    local level, cure = not_carried.judge(kind, mine, theirs)
    one.level, one.mend = level, cure and altered(name, cure)
  end)
  for _, each in ipairs(only_here(a, b)) do
    add(each.kind, each.name, noise.reason(each.kind, each.name, "source"), each.text, "missing").level =
      not_carried.on_the_source_alone(each.kind)
  end
  for _, each in ipairs(only_here(b, a)) do
    add(each.kind, each.name, noise.reason(each.kind, each.name, "target"), "missing", each.text)
  end
  table.move(in_order(found), 1, #found, #list + 1, list)
  return in_order(ignored)
end

return M
