-- What a database holds, in a form that two servers can be compared by, and everything in which two of them differ:
-- objects, exact counts, content checksums, sequences, materialized views, large objects. Reads only, in one snapshot.
-- What could not be read is a difference, never a pass; what cannot be compared is named, never counted as equal.

local content       = require "pgorch.verify.content"
local fail          = require "pgorch.error"
local large_objects = require "pgorch.verify.large_objects"
local noise         = require "pgorch.verify.noise"
local objects       = require "pgorch.verify.objects"
local pg            = require "pgorch.pg"
local row_hash      = require "pgorch.verify.row_hash"
local sequences     = require "pgorch.verify.sequences"
local snapshot      = require "pgorch.verify.snapshot"

local M = { SETTINGS = snapshot.SETTINGS, sequences = sequences.values }

---@param t {schema: string, name: string}
---@return string  quoted
function M.key(t)
  return pg.ident(t.schema, t.name)
end

---Sums of every table, in a snapshot of its own unless one is given.
---@param connect fun(o: table): table   opens a connection to the database
---@param o pgorch.SumOptions|{snapshot?: string}
---@return table<string, pgorch.TableSum>
function M.sums(connect, o)
  local at <close> = snapshot.open(connect, o.snapshot)
  return content.sums(at, o)
end

---@class pgorch.Side
---@field objects pgorch.Objects
---@field sequences table<string, string>
---@field behind table<string, pgorch.BehindSequence>
---@field large pgorch.LargeObjects
---@field sums table<string, pgorch.TableSum>|nil
---@field hash pgorch.RowHash|nil   what they are sums of; nil where it was not recorded, or rows were only counted
---@field unreadable table<string, string>   sequences and columns that could not be read, and why
---@field search_path string|nil   that sessions have by default

---All but the rows. Settings are pinned on `conn` by the caller.
---@param conn pgorch.Connection
---@param o? {content?: boolean}   false: large objects are only counted
---@return pgorch.Side
function M.catalog(conn, o)
  local values, unreadable = sequences.readable(conn)
  local behind, columns = sequences.behind(conn, values)
  for column, why in pairs(columns) do unreadable[column] = why end
  snapshot.release_locks(conn)
  return { objects = objects.read(conn), sequences = values, behind = behind, unreadable = unreadable,
           large = large_objects.read(conn, not (o and o.content == false)),
           search_path = conn:value "select reset_val from pg_settings where name = 'search_path'" }
end

---Everything, in one snapshot.
---@param at pgorch.Snapshot
---@param o pgorch.SumOptions
---@return pgorch.Side
function M.read(at, o)
  local side = M.catalog(at.conn, { content = o.content == true })
  snapshot.release_locks(at.conn)
  side.sums, side.hash = content.sums(at, o), o.content and (o.hash or row_hash.SHA256) or nil
  return side
end

---@class pgorch.Difference
---@field kind string
---@field name string
---@field source string
---@field target string
---@field level "warn"|"unknown"|nil   only worth a warning; cannot be compared
---@field mend string|nil              a statement that mends it on the target

local function add(list, kind, name, a, b, level)
  local one = { kind = kind, name = name, source = tostring(a), target = tostring(b), level = level }
  list[#list + 1] = one
  return one
end

local function show(sum)
  if not sum then return "missing" end
  if sum.error then return "could not be read: " .. sum.error end
  return sum.rows and sum.rows .. " rows" or "not populated"
end

-- A restore refreshes materialized views: where both have data and it differs, the source's was stale.
local function compare_sum(key, mine, theirs, list)
  local level = mine and theirs and mine.matview and mine.rows and theirs.rows and "warn" or nil
  if not (mine and theirs) or mine.error or theirs.error then add(list, "rows", key, show(mine), show(theirs))
  elseif theirs.rows ~= mine.rows then add(list, "rows", key, show(mine), show(theirs), level)
  elseif mine.sum and theirs.sum ~= mine.sum then add(list, "content", key, mine.sum, theirs.sum, level) end
end

-- Whether a difference means nothing: `kind` is that of the thing that one side lacks.
local function is_noise(ignored, kind, of, key, mine, theirs)
  local why = noise.reason_of_key(of, key, mine, theirs)
  if why then ignored[#ignored + 1] = { kind = kind, name = key, why = why } end
  return why ~= nil
end

-- Sums of different things say nothing of each other, not even where they are the same.
local function refuse_other_hash(a, b)
  if row_hash.of(a) == row_hash.of(b) then return end
  for key, mine in pairs(a.sums) do
    if mine.sum and b.sums[key] and b.sums[key].sum then
      fail.raise("PGO-VERIFY", ("the sums of both sides cannot be compared: %s on the source, %s on the target")
        :format(row_hash.words(row_hash.of(a)), row_hash.of(b)))
    end
  end
end

local function compare_sums(a, b, list, ignored)
  local unknown = {}
  local function compare(key, mine, theirs)
    local of = (mine or theirs).matview and "materialized view" or "table"
    if is_noise(ignored, "rows", of, key, mine, theirs) then return end
    compare_sum(key, mine, theirs, list)
    for _, sum in pairs { mine, theirs } do
      for _, column in ipairs(sum.not_comparable or {}) do unknown[key .. "." .. column] = true end
    end
  end
  for key, mine in pairs(a) do compare(key, mine, b[key]) end
  for key, theirs in pairs(b) do
    if not a[key] then compare(key, nil, theirs) end
  end
  for column in pairs(unknown) do add(list, "not comparable", column, "unknown", "unknown", "unknown") end
end

local function place(side, key)
  if side.unreadable and side.unreadable[key] then return "could not be read: " .. side.unreadable[key] end
  return side.sequences[key] or "missing"
end

local function compare_sequences(a, b, list, ignored)
  local function compare(key, mine, theirs)
    if mine == theirs or is_noise(ignored, "sequence", "sequence", key, mine, theirs) then return end
    add(list, "sequence", key, mine or place(a, key), theirs or place(b, key))
  end
  for key, value in pairs(a.sequences) do compare(key, value, b.sequences[key]) end
  for key, value in pairs(b.sequences) do
    if not a.sequences[key] then compare(key, nil, value) end
  end
end

local function standing(behind)
  if not behind then return "not behind" end
  return ("next is %d, %s has %d"):format(behind.next, behind.column, behind.edge)
end

-- Where the source's is behind too, nothing was lost; the next row will fail all the same.
local function compare_behind(a, b, list, ignored)
  for key, theirs in pairs(b.behind or {}) do
    local mine = (a.behind or {})[key]
    if not is_noise(ignored, "sequence behind", "sequence", key, a.sequences[key], b.sequences[key]) then
      add(list, "sequence behind", key, standing(mine), standing(theirs), mine and "warn").mend = theirs.mend
    end
  end
end

local function compare_unreadable(a, b, list, ignored)
  local names = {}
  for _, side in ipairs { a, b } do
    for name in pairs(side.unreadable or {}) do names[name] = true end
  end
  for name in pairs(names) do
    local mine, theirs = (a.unreadable or {})[name], (b.unreadable or {})[name]
    if not is_noise(ignored, "unreadable", "sequence", name, mine, theirs) then
      add(list, "unreadable", name, mine or "readable", theirs or "readable")
    end
  end
end

local function compare_large(a, b, list)
  if a.error or b.error then
    add(list, "large objects", "content", a.error and "could not be read: " .. a.error or "readable",
      b.error and "could not be read: " .. b.error or "readable")
  elseif a.count ~= b.count then
    add(list, "large objects", "count", a.count, b.count)
  elseif a.digest and a.digest ~= b.digest then
    add(list, "large objects", "content", a.digest, b.digest)
  end
end

---Everything in which two databases differ, in a stable order. Raises where they were summed with different hashes.
---@param a pgorch.Side
---@param b pgorch.Side
---@return pgorch.Difference[]
---@return {kind: string, name: string, why: string}[] ignored   differences that mean nothing
function M.compare(a, b)
  local list = {}
  refuse_other_hash(a, b)
  local ignored = objects.compare(a.objects, b.objects, list)
  compare_sums(a.sums, b.sums, list, ignored)
  compare_sequences(a, b, list, ignored)
  compare_behind(a, b, list, ignored)
  compare_unreadable(a, b, list, ignored)
  compare_large(a.large, b.large, list)
  M.sort(list)
  M.sort(ignored)
  return list, ignored
end

---@param list {kind: string, name: string}[]
function M.sort(list)
  table.sort(list, function(x, y)
    if x.kind ~= y.kind then return x.kind < y.kind end
    return x.name < y.name
  end)
end

---@param list pgorch.Difference[]
---@return integer failures
function M.failures(list)
  local count = 0
  for _, d in ipairs(list) do
    if not d.level then count = count + 1 end
  end
  return count
end

---One difference as a line.
---@param d pgorch.Difference
---@return string
function M.line(d)
  if d.level == "unknown" then return ("not comparable: %s"):format(d.name) end
  local mend = d.mend and ("; to mend it: %s"):format(d.mend) or ""
  return ("%s %s: source %s, target %s%s"):format(d.kind, d.name, d.source, d.target, mend)
end

---Raises PGO-VERIFY with the first differences in its detail, unless there are none but warnings.
---@param list pgorch.Difference[]
function M.refuse_differences(list)
  local count = M.failures(list)
  if count == 0 then return end
  local lines = {}
  for _, d in ipairs(list) do
    if not d.level and #lines < 20 then lines[#lines + 1] = M.line(d) end
  end
  if count > 20 then lines[#lines + 1] = ("... and %d more"):format(count - 20) end
  fail.raise("PGO-VERIFY", ("the databases differ in %d places"):format(count), { detail = table.concat(lines, "\n") })
end

---Rows of all tables together, and how many tables.
---@param sums table<string, pgorch.TableSum>
---@return integer tables, integer rows
function M.totals(sums)
  local tables, rows = 0, 0
  for _, one in pairs(sums) do
    if one.rows then tables, rows = tables + 1, rows + one.rows end
  end
  return tables, rows
end

return M
