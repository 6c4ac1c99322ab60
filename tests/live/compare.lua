-- Compares what a real account answered with what the stand-in answers. Not compared: `said`, which is for people,
-- questions whose answer depends on the moment, and those that got none. What is known of a difference is
-- differences.lua's.

local compare = {}

local function add_leaves(value, path, leaves)
  if type(value) ~= "table" then
    leaves[path] = value
    return
  end
  if #value > 0 then                        -- a list, such as states in their order
    local words = {}
    for i, each in ipairs(value) do words[i] = tostring(each) end
    leaves[path] = table.concat(words, " ")
    return
  end
  for name, each in pairs(value) do
    if name ~= "said" then add_leaves(each, path .. "/" .. name, leaves) end
  end
end

local function leaves_of(answer, id)
  local leaves = {}
  add_leaves(answer, id, leaves)
  return leaves
end

local function differ(id, recorded, ours, found)
  local a, b, paths = leaves_of(recorded, id), leaves_of(ours, id), {}
  for path in pairs(a) do paths[path] = true end
  for path in pairs(b) do paths[path] = true end
  for path in pairs(paths) do
    if a[path] ~= b[path] then found[#found + 1] = { path = path, recorded = a[path], ours = b[path] } end
  end
end

---Every difference, by path: "transfer.done/logs". A question that only the recording has is one, too; one that is
---asked since the recording was made is not.
---@param recorded table  a file of answers/
---@param ours table      the same, of the stand-in
---@return {path: string, recorded: any, ours: any}[]
function compare.differences(recorded, ours)
  local found = {}
  for id, entry in pairs(recorded.asked) do
    local other = ours.asked[id]
    local open = type(entry.answer) == "table" and entry.answer.raised ~= nil
    if other and not (open or entry.timed or other.timed) then
      differ(id, entry.answer, other.answer, found)
    elseif not other and not entry.real_only then
      found[#found + 1] = { path = id, recorded = "asked", ours = "not asked" }
    end
  end
  table.sort(found, function(x, y) return x.path < y.path end)
  return found
end

---The entry of `known` that a path falls under: its own, or one above it.
---@param known table<string, string>
---@param path string
---@return string|nil
function compare.known_as(known, path)
  while path do
    if known[path] then return path end
    path = path:match "^(.*)/[^/]*$"
  end
end

---Splits differences into those that nobody knows of, as text, and the entries of `known` that were met.
---@param found table[]
---@param known table<string, string>
---@return string[] unknown
---@return table<string, true> met
function compare.judge(found, known)
  local unknown, met = {}, {}
  for _, each in ipairs(found) do
    local entry = compare.known_as(known, each.path)
    if entry then
      met[entry] = true
    else
      unknown[#unknown + 1] = ("%s: the real one has %s, the stand-in %s"):format(each.path, tostring(each.recorded),
        tostring(each.ours))
    end
  end
  return unknown, met
end

return compare
