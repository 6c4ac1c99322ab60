-- What comes after the rows: indexes, keys, triggers, materialized views, each as soon as the tables that it is about
-- are full. Turns the archive's dependencies into an order of work, and runs a statement. The dependencies are those
-- that pg_restore -j follows, and one that it lacks: what stands on a partitioned table waits for all its partitions.

local calls       = require "pgorch.copy.calls"
local fail        = require "pgorch.error"
local masked      = require "pgorch.restore.masked"
local pg          = require "pgorch.pg"
local restore_log = require "pgorch.restore_log"
local schema      = require "pgorch.copy.schema"

local objects = {}

-- Passes: each begins when the one before has ended. These need all rows and keys: what calls a function, which may
-- read any table whatever it is declared; a view; and an event trigger, which would fire for each statement. Views are
-- filled one after the other, as pg_restore does: one may read another in a function's text, which nobody knows of.
local CALLER, LATE = 2, { ["MATERIALIZED VIEW DATA"] = 3, ["EVENT TRIGGER"] = 4 }
local PASSES = 4

local HOLDS_ROWS = { ["TABLE"] = true, ["MATERIALIZED VIEW"] = true, ["FOREIGN TABLE"] = true }

-- These look at rows, and run what they name with them; for statistics ANALYZE does.
local LOOKS_AT_ROWS = { ["INDEX"] = true, ["CONSTRAINT"] = true, ["CHECK CONSTRAINT"] = true, ["FK CONSTRAINT"] = true,
                        ["STATISTICS"] = true }

-- How much work it is to look at a byte of a table, where copying it is 1 (measured on PostgreSQL 15); other kinds look
-- at none. An index that sorts is made quickly, of others (GIN, GiST, BRIN, an extension's) nothing is known.
local SORTED, SEARCHED = 0.25, 1
local COST = { ["CONSTRAINT"] = SORTED, ["CHECK CONSTRAINT"] = 0.1, ["FK CONSTRAINT"] = 0.15, ["ANALYZE"] = 1,
               ["ANALYZE ONLY"] = 1 }
local ANALYZED_BYTES = 32 << 20     -- ANALYZE reads a sample

-- These are about one table, also where it has children: nothing is done to those. An index on a partitioned table is
-- an empty shell, and those of its partitions wait for it: it must not wait for rows.
local ONE_TABLE = { ["INDEX"] = true, ["INDEX ATTACH"] = true, ["CONSTRAINT"] = true, ["ANALYZE ONLY"] = true }
local NEEDS_NO_CHILDREN = { ["INDEX"] = true, ["INDEX ATTACH"] = true }

---@class pgorch.copy.Place   a table, as what comes after the rows sees it
---@field oid integer
---@field rows pgorch.copy.Work    its own rows are there
---@field full pgorch.copy.Work    and those of its children
---@field children boolean
---@field family integer|nil       the oldest of its ancestors, where there are any or children
---@field bytes integer
---@field below integer            with those of its children
---@field analyze pgorch.copy.Work|nil   the ANALYZE that gives it statistics

-- --- tables ---

-- The number of the family that a table belongs to, by its parents and theirs; an own one where there are several.
local function family_of(oid, parents)
  local seen = {}
  while parents[oid] and not seen[oid] do
    seen[oid] = true
    oid = parents[oid][1]
  end
  return oid
end

-- A table's bytes count for all that are above it, too.
local function measure(by_oid, parents, bytes)
  for oid, place in pairs(by_oid) do
    place.bytes = bytes[oid] or 0
    local list, seen = { oid }, { [oid] = true }
    for _, above in ipairs(list) do
      if by_oid[above] then by_oid[above].below = by_oid[above].below + place.bytes end
      for _, parent in ipairs(parents[above] or {}) do
        if not seen[parent] then list[#list + 1], seen[parent] = parent, true end
      end
    end
  end
end

local function places_of(order, entries, parents)
  local by_id, by_oid = {}, {}
  for _, entry in ipairs(entries) do
    if HOLDS_ROWS[entry.desc] then
      local oid = math.tointeger(tonumber(entry.oid))
      local place = { oid = oid, bytes = 0, below = 0, children = false, rows = order:add({}, {}) }
      place.full = order:add({}, { place.rows })
      by_id[entry.id], by_oid[oid] = place, place
    end
  end
  for child, list in pairs(parents) do
    for _, parent in ipairs(list) do
      local upper, lower = by_oid[parent], by_oid[child]
      if upper and lower then
        order:follow(upper.full, lower.full)
        upper.children, upper.family, lower.family = true, family_of(parent, parents), family_of(child, parents)
      end
    end
  end
  return by_id, by_oid
end

-- --- what keeps a table to itself ---

-- Building an index lets others be built, unless its entry alters the table too (CLUSTER ON, REPLICA IDENTITY).
local function is_shared(entry)
  return entry.desc == "INDEX" and not entry.defn:find("ALTER TABLE", 1, true)
end

-- Everything else that alters a table, or two (a foreign key), wants it alone, or two statements would wait for each
-- other. What alters a parent alters its children, but for ONE_TABLE.
local function locks_of(entry, places)
  local exclusive, shared, seen = {}, {}, {}
  local function add(list, name)
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  local one, of_its_own = ONE_TABLE[entry.desc], is_shared(entry) and shared or exclusive
  for _, place in ipairs(places) do
    if place.children and not one then add(exclusive, "family " .. place.family) end
  end
  for _, place in ipairs(places) do
    if place.family then add(shared, "family " .. place.family) end
    add(of_its_own, place.oid)
  end
  return exclusive, shared
end

-- The tables that an entry is about; where it names none, those of the indexes and keys that it names (a comment).
local function places_for(entry, by_id, known)
  local list, seen = {}, {}
  local function add(place)
    if place and not seen[place] then list[#list + 1], seen[place] = place, true end
  end
  for _, id in ipairs(entry.dependencies) do add(by_id[id]) end
  if #list > 0 then return list end
  for _, id in ipairs(entry.dependencies) do
    for _, place in ipairs(known[id] and known[id].places or {}) do add(place) end
  end
  return list
end

-- --- the order ---

local function pass_of(entry, known, called)
  local pass = LATE[entry.desc] or called.functions and CALLER or 1
  for _, id in ipairs(entry.dependencies) do
    if known[id] then pass = math.max(pass, known[id].pass) end
  end
  return pass
end

local function cost_of(entry)
  if entry.desc ~= "INDEX" then return COST[entry.desc] or 0 end
  return entry.defn:find 'USING "?btree' and SORTED or SEARCHED
end

local function weight_of(entry, places)
  local most = 0
  for _, place in ipairs(places) do most = math.max(most, ONE_TABLE[entry.desc] and place.bytes or place.below) end
  return most * cost_of(entry)
end

-- A foreign key may lead to a table of an extension's, which has no place, and an extension's function may read one.
local function waits_for(plan, entry, places, called)
  local after = {}
  for _, place in ipairs(places) do
    after[#after + 1] = NEEDS_NO_CHILDREN[entry.desc] and place.rows or place.full
  end
  for _, id in ipairs(entry.dependencies) do after[#after + 1] = plan.known[id] end
  if entry.desc == "FK CONSTRAINT" or called.extensions then after[#after + 1] = plan.others end
  if entry.desc == "MATERIALIZED VIEW DATA" then after[#after + 1] = plan.last_view end
  return after
end

local NOTHING = {}

-- What is left of an entry once its place is known.
local function statement_of(entry)
  return { desc = entry.desc, namespace = entry.namespace, tag = entry.tag, defn = entry.defn }
end

local function add_statement(plan, entry)
  local places = places_for(entry, plan.by_id, plan.known)
  local called = LOOKS_AT_ROWS[entry.desc] and plan.calls:of(entry) or NOTHING
  local work = { queue = "statements", entry = statement_of(entry), places = places,
                 pass = pass_of(entry, plan.known, called), weight = weight_of(entry, places) }
  work.exclusive, work.shared = locks_of(entry, places)
  plan.known[entry.id] = plan.order:add(work, waits_for(plan, entry, places, called))
  if entry.desc == "MATERIALIZED VIEW DATA" then plan.last_view = work end
  for _, place in ipairs(places) do
    if place.analyze then plan.order:follow(place.analyze, work) end
  end
  plan.statements = plan.statements + 1
  return work
end

-- --- statistics ---

local function add_analyze(order, row, place)
  local entry = { desc = row.only and "ANALYZE ONLY" or "ANALYZE", namespace = row.schema, tag = row.name,
                  defn = ("analyze %s%s"):format(row.only and "only " or "", pg.ident(row.schema, row.name)) }
  local work = { queue = "statements", entry = entry, weight = math.min(ANALYZED_BYTES, weight_of(entry, { place })) }
  work.exclusive, work.shared = locks_of(entry, { place })
  return order:add(work, { place.full })
end

-- Of a table that is not in the list a table above it is, whose ANALYZE does it, too.
local function find_analyze(oid, by_oid, parents)
  local seen = {}
  while oid and not seen[oid] do
    if by_oid[oid] and by_oid[oid].analyze then return by_oid[oid].analyze end
    seen[oid], oid = true, parents[oid] and parents[oid][1]
  end
end

-- A copy brings no statistics. ANALYZE of a table comes when all else that is about it is done.
local function add_statistics(order, rows, by_oid, parents)
  for _, row in ipairs(rows) do
    local place = by_oid[row.oid]
    if place then place.analyze = add_analyze(order, row, place) end
  end
  if #rows == 0 then return end
  for oid, place in pairs(by_oid) do place.analyze = find_analyze(oid, by_oid, parents) end
end

-- --- passes ---

local function separate(order, works)
  local ends = {}
  for pass = 1, PASSES - 1 do ends[pass] = order:add({}, { ends[pass - 1] }) end
  for _, work in ipairs(works) do
    if ends[work.pass] then order:follow(ends[work.pass], work) end
    if work.pass > 1 then order:follow(work, ends[work.pass - 1]) end
    work.places = nil
  end
  return ends[1]
end

---@class pgorch.copy.Ends   what the caller lets follow the copying of rows
---@field all pgorch.copy.Work      everything that has to be there before functions are called and views are filled
---@field others pgorch.copy.Work   the rows of tables without a place: those that extensions have made

---Adds all that comes after the rows. The caller lets `rows` of a place follow the copying of its rows.
---@param order pgorch.copy.Order
---@param entries pgorch.archive.Entry[]
---@param o {parents: table<integer, integer[]>, bytes: table<integer, integer>, analyze: table[]|nil}
---  parents, bytes: by the tables' oids; analyze: rows of sql/analyzable.sql
---@return table<integer, pgorch.copy.Place> places   by oid
---@return pgorch.copy.Ends ends
---@return integer statements
function objects.plan(order, entries, o)
  local plan = { order = order, known = {}, statements = 0, calls = calls.new(entries), others = order:add({}, {}) }
  local by_oid
  plan.by_id, by_oid = places_of(order, entries, o.parents)
  measure(by_oid, o.parents, o.bytes)
  add_statistics(order, o.analyze or {}, by_oid, o.parents)
  local sections, works = schema.sections(entries), {}
  for _, entry in ipairs(entries) do
    if sections[entry] == "post-data" and (entry.defn or "") ~= "" then
      works[#works + 1] = add_statement(plan, entry)
    end
  end
  return by_oid, { all = separate(order, works), others = plan.others }, plan.statements
end

-- --- a statement ---

-- "index shop.orders_open", "fk constraint shop.orders orders_customer_fk": what a reader looks for.
local function name_of(entry)
  return ("%s %s%s"):format(entry.desc:lower(), entry.namespace and entry.namespace .. "." or "", entry.tag or "")
end

-- As pg_restore would say it: the rules of a restore know what it means.
local COMPLAINT = "pg_restore: error: could not execute query: ERROR:  %s\nCommand was: %s"

local function failed(entry, err, lossy)
  local parts = { err.detail }
  if lossy.rule then parts[#parts + 1] = lossy.why end
  parts[#parts + 1] = "Command was: " .. masked.text(entry.defn):sub(1, 600)
  return fail.new("PGO-COPY", ("%s: %s"):format(name_of(entry), err.message), { cause = err, sqlstate = err.sqlstate,
    retryable = err.retryable, detail = table.concat(parts, "\n"), cure = lossy.cure })
end

---Runs a statement of the archive. What is harmless, or made good by a later step of a recipe, is returned.
---@param conn pgorch.Connection   of the target
---@param entry {desc: string, namespace: string|nil, tag: string|nil, defn: string}
---@param mends? table<string, boolean>   ids of the steps that come later
---@return pgorch.restore.Verdict|nil complaint
function objects.run(conn, entry, mends)
  local ok, err = pcall(conn.exec, conn, entry.defn)
  if ok then return nil end
  if not fail.is(err, "PGO-PG-QUERY") then error(err, 0) end
  local judged = restore_log.classify(COMPLAINT:format(err.message, entry.defn), mends)
  if judged.lossy[1] then error(failed(entry, err, judged.lossy[1]), 0) end
  return judged.harmless[1] or judged.mended[1]
end

return objects
