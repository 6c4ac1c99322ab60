-- What comes after the rows: indexes, keys, triggers, materialized views, each as soon as the tables that it is about
-- are full. Turns the archive's dependencies into an order of work, and runs a statement. The dependencies are those
-- that pg_restore -j follows, and one that it lacks: what stands on a partitioned table waits for all its partitions.

local calls       = require "pgorch.copy.calls"
local fail        = require "pgorch.error"
local masked      = require "pgorch.restore.masked"
local places      = require "pgorch.copy.places"
local restore_log = require "pgorch.restore_log"
local schema      = require "pgorch.copy.schema"
local statistics  = require "pgorch.copy.statistics"

local objects = {}

-- Passes: each begins when the one before has ended. These need all rows and keys: what calls a function, which may
-- read any table whatever it is declared; a view; and an event trigger, which would fire for each statement. Views are
-- filled one after the other, as pg_restore does: one may read another in a function's text, which nobody knows of.
local CALLER, LATE = 2, { ["MATERIALIZED VIEW DATA"] = 3, ["EVENT TRIGGER"] = 4 }
local PASSES = 4

-- These look at rows, and run what they name with them; for statistics ANALYZE does.
local LOOKS_AT_ROWS = { ["INDEX"] = true, ["CONSTRAINT"] = true, ["CHECK CONSTRAINT"] = true, ["FK CONSTRAINT"] = true,
                        ["STATISTICS"] = true }

-- How much work it is to look at a byte of a table, where copying it is 1 (measured on PostgreSQL 15); other kinds look
-- at none. An index that sorts is made quickly, of others (GIN, GiST, BRIN, an extension's) nothing is known.
local SORTED, SEARCHED = 0.25, 1
local COST = { ["CONSTRAINT"] = SORTED, ["CHECK CONSTRAINT"] = 0.1, ["FK CONSTRAINT"] = 0.15 }

-- An index on a partitioned table is an empty shell, and those of its partitions wait for it: it must not wait for
-- rows.
local NEEDS_NO_CHILDREN = { ["INDEX"] = true, ["INDEX ATTACH"] = true }

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

local function weight_of(entry, list)
  local most = 0
  for _, place in ipairs(list) do most = math.max(most, places.bytes(entry, place)) end
  return most * cost_of(entry)
end

-- A foreign key may lead to a table of an extension's, which has no place, and an extension's function may read one.
local function waits_for(plan, entry, list, called)
  local after = {}
  for _, place in ipairs(list) do
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
  local list = places.of(entry, plan.by_id, plan.known)
  local called = LOOKS_AT_ROWS[entry.desc] and plan.calls:of(entry) or NOTHING
  local work = { queue = "statements", entry = statement_of(entry), places = list,
                 pass = pass_of(entry, plan.known, called), weight = weight_of(entry, list) }
  work.exclusive, work.shared = places.locks(entry, list)
  plan.known[entry.id] = plan.order:add(work, waits_for(plan, entry, list, called))
  if entry.desc == "MATERIALIZED VIEW DATA" then plan.last_view = work end
  for _, place in ipairs(list) do
    if place.analyze then plan.order:follow(place.analyze, work) end
  end
  plan.statements = plan.statements + 1
  return work
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
---@return integer analyzed     how many ANALYZE there are beside them
function objects.plan(order, entries, o)
  local plan = { order = order, known = {}, statements = 0, calls = calls.new(entries), others = order:add({}, {}) }
  local by_oid
  plan.by_id, by_oid = places.read(order, entries, o.parents, o.bytes)
  local analyzed = statistics.add(order, o.analyze or {}, by_oid, o.parents)
  local sections, works = schema.sections(entries), {}
  for _, entry in ipairs(entries) do
    if sections[entry] == "post-data" and (entry.defn or "") ~= "" then
      works[#works + 1] = add_statement(plan, entry)
    end
  end
  return by_oid, { all = separate(order, works), others = plan.others }, plan.statements, analyzed
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
