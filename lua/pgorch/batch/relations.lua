-- What the rows of a batch are to each other: names given once, databases and apps used once, what waits for what.
-- Pure: looks at rows, and adds what is wrong to a list.

local relations = {}

local function add(problems, row, format, ...) problems:add(row.place, format:format(...)) end

-- Calls found(row, first) for each row whose key another one has already.
local function each_double(rows, key, found)
  local first = {}
  for _, row in ipairs(rows) do
    local own = key(row)
    if own and first[own] then found(row, first[own]) end
    if own then first[own] = first[own] or row end
  end
end

local function target_of(row)
  local given = row.params.values
  return given.app and ("%s %s"):format(given.app, given.as or given.database or "DATABASE")
end

local function source_of(row)
  local scopes, dbname = row.scopes, row.params.values.dbname or ""
  return scopes.instance and ("%s %s %s"):format(scopes.instance, dbname, scopes.account[scopes.provider] or "")
end

local function check_doubles(rows, problems)
  each_double(rows, function(row) return row.id end, function(row, first)
    add(problems, row, "the id %s is taken by %s", row.id, first.place)
  end)
  each_double(rows, target_of, function(row, first)
    add(problems, row, "%s would be moved into %s of app %s, as %s is: give one of them another `as`", row.id,
      row.params.values.as or "DATABASE", row.params.values.app, first.id)
  end)
  each_double(rows, source_of, function(row, first)
    add(problems, row, "%s moves the same database as %s", row.id, first.id)
  end)
end

-- A group is moved as one: what waits for a row of it waits for all of them.
local function unit_of(row) return row.group and "group " .. row.group or "row " .. row.id end

local function index(rows)
  local by_id = {}
  for _, row in ipairs(rows) do by_id[row.id] = by_id[row.id] or row end
  return by_id
end

-- {unit = {unit that it waits for = the row that says so}}
local function waits(rows, by_id, problems)
  local edges = {}
  for _, row in ipairs(rows) do
    local unit = unit_of(row)
    edges[unit] = edges[unit] or {}
    for _, id in ipairs(row.depends_on) do
      local other = by_id[id]
      if not other then
        add(problems, row, "depends_on: there is no row %s", id)
      elseif unit_of(other) == unit then
        add(problems, row, "depends_on: %s", other == row and "a row cannot wait for itself"
          or ("%s and %s are of one group, which is moved as one"):format(row.id, id))
      else
        edges[unit][unit_of(other)] = row
      end
    end
  end
  return edges
end

local function circle_text(path, unit)
  local from = 1
  while path[from] ~= unit do from = from + 1 end
  return ("%s -> %s"):format(table.concat(path, " -> ", from), unit)
end

-- Each is found from one of its units only.
local function check_circles(edges, problems)
  local state = {}
  local function visit(unit, path)
    state[unit] = "open"
    path[#path + 1] = unit
    for other, row in pairs(edges[unit]) do
      if state[other] == "open" then
        add(problems, row, "depends_on goes round in a circle: %s", circle_text(path, other))
      elseif not state[other] then
        visit(other, path)
      end
    end
    path[#path], state[unit] = nil, "done"
  end
  local units = {}
  for unit in pairs(edges) do units[#units + 1] = unit end
  table.sort(units)
  for _, unit in ipairs(units) do
    if not state[unit] then visit(unit, {}) end
  end
end

-- A gate that nobody passes would hold a slot, and an app's window, until somebody looks.
local function check_gates(rows, options, problems)
  if options.yes_cut_over or options.gates == "ask" then return end
  for _, row in ipairs(rows) do
    if row.asks then
      add(problems, row, "the recipe asks before the cut-over: say yes_cut_over (--yes-cut-over) for the batch, or "
        .. "gates = \"ask\" (--gates ask): then rows wait there for `pgorch batch approve`")
    end
  end
end

---@param all pgorch.batch.Row[]   one without an id is passed over: that is said elsewhere
---@param options table
---@param problems pgorch.batch.Problems
function relations.check(all, options, problems)
  local rows = {}
  for _, row in ipairs(all) do
    if row.id then rows[#rows + 1] = row end
  end
  check_doubles(rows, problems)
  check_circles(waits(rows, index(rows), problems), problems)
  check_gates(rows, options, problems)
end

---What can be done as it is, but may not be meant.
---@param rows pgorch.batch.Row[]
---@param options pgorch.BatchOptions
---@return string[]
function relations.warnings(rows, options)
  local sizes, list = {}, {}
  for _, row in ipairs(rows) do
    if row.group then sizes[row.group] = (sizes[row.group] or 0) + 1 end
  end
  for name, size in pairs(sizes) do
    if size > options.limits.jobs then
      list[#list + 1] = ("group %s has %d rows, which is more than %d at the same time: it begins when nothing else is "
        .. "at work"):format(name, size, options.limits.jobs)
    end
  end
  table.sort(list)
  return list
end

return relations
