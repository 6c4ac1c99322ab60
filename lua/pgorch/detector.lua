-- The write detector: has anything been written to the source since the dump's snapshot was taken?
--   quiet    no transaction that the snapshot did not see has committed; or some have, and the server's counters show
--            that they were elsewhere (another database, ANALYZE) and that nothing here moved
--   written  one has, and the tables (or sequences, large objects, the schema) are named by what moved
--   unclear  neither can be said. The caller counts and sums again; what is still `open` can yet commit
-- Exact as to transactions: the mark holds the snapshot's own xmax and running xids, and each xid since is asked for
-- its fate. Sequences move without an xid: compared one by one. Counters only attribute. Reads only; takes no xid.

local source = require "pgorch.source"
local task   = require "pgorch.task"
local verify = require "pgorch.verify"

local M = {}

---@class pgorch.Mark
---@field xmax string           the first xid that the snapshot does not see
---@field running string        xids that ran in it, "731,734"
---@field server_start string
---@field stats_reset string|nil
---@field system string|nil     of the server, where it may be read
---@field timeline integer|nil
---@field written table<string, integer>   rows ever written, by table
---@field files table<string, integer>     the file a table lives in
---@field rows string           written in other databases
---@field notes string          of ANALYZE
---@field sequences table<string, string>
---@field catalog string        digest of the schema's own rows

-- Until 14 a process of its own counts rows, and a session reads its file, which may be 0.5 s old: what was written
-- just now is not in it yet. Since 15 a session that has ended has counted.
local COUNTED_SINCE, FILE_AGE = 150000, 1

-- A session that idles has counted after 10 s at the latest (PGSTAT_IDLE_INTERVAL).
local SETTLE, LOOK = 12, 1

local LARGE = { ['"pg_catalog"."pg_largeobject"'] = true, ['"pg_catalog"."pg_largeobject_metadata"'] = true }

local function counters(conn)
  if conn.server_version < COUNTED_SINCE then task.sleep(FILE_AGE) end
  local found = { written = {}, files = {} }
  for _, row in ipairs(conn:query(source.sql "tuple_stats")) do
    local key = verify.key(row)
    if LARGE[key] then
      found.written["large objects"] = (found.written["large objects"] or 0) + row.written
    else
      found.written[key], found.files[key] = row.written, row.file
    end
  end
  for name, value in pairs(conn:row(source.sql "elsewhere")) do found[name] = value end
  return found
end

local function identify(conn, into)
  local ok, who = pcall(conn.row, conn, source.sql "identity")
  if ok then into.system, into.timeline = who.system, who.timeline
  elseif task.cancelled(who) then error(who, 0) end
end

---Begins the transaction whose snapshot is the mark's: what the caller exports from it is the same, to the xid. The
---counters are read just before it: a write between the two is in the dump and at worst named for nothing.
---@return pgorch.Mark
function M.begin(conn)
  local mark = counters(conn)
  identify(conn, mark)
  conn:exec "begin isolation level repeatable read read only"
  for name, value in pairs(conn:row(source.sql "snapshot")) do mark[name] = value end
  mark.sequences = verify.sequences(conn)
  mark.catalog = conn:value(source.sql "catalog_digest")
  return mark
end

---Where the source stands now.
---@return pgorch.Mark
function M.mark(conn)
  local mark = M.begin(conn)
  conn:exec "commit"
  return mark
end

local function moved(before, now)
  local names = {}
  for key, value in pairs(now) do
    if before[key] ~= value then names[#names + 1] = key end
  end
  for key in pairs(before) do
    if now[key] == nil then names[#names + 1] = key end
  end
  table.sort(names)
  return names
end

-- A table may be named by its rows and by its file: once is enough.
local function joined(...)
  local names, seen = {}, {}
  for _, list in ipairs { ... } do
    for _, name in ipairs(list) do
      if not seen[name] then seen[name], names[#names + 1] = true, name end
    end
  end
  return names
end

-- A restart, or somebody's reset, may have set the counters back.
local function counts_on(before, now)
  return before.server_start == now.server_start and before.stats_reset == now.stats_reset
end

local function is_another_server(before, now)
  return (before.system and now.system and before.system ~= now.system)
    or (before.timeline and now.timeline and before.timeline ~= now.timeline)
    or tonumber(now.xmax) < tonumber(before.xmax)
end

-- Why the counters may not hold all that was written; nil: they do, and what they do not name has not moved.
local function uncounted(before, now)
  if is_another_server(before, now) then return "another server answers: it took over" end
  if not counts_on(before, now) then return "the server was restarted or its statistics were reset" end
  if not now.counting then return "the server counts no rows (track_counts is off)" end
  if now.strangers > 0 then return ("%d other sessions are connected"):format(now.strangers) end
end

-- What keeps a committed transaction that nothing names from being called one of another database; nil: nothing.
local function doubt(before, now)
  if now.fates.beyond then return "too many transactions to ask for each" end
  if now.fates.forgotten > 0 then return "the server has forgotten what became of a transaction" end
  local why = uncounted(before, now)
  if why then return why end
  if before.rows == now.rows and before.notes == now.notes then
    return ("%d transactions have committed, and no counter shows where"):format(now.fates.committed)
  end
end

---Compares a mark with how the source is now.
---@param before pgorch.Mark
---@param now table  a mark, with `fates` of the transactions since `before`
---@return {answer: "quiet"|"written"|"unclear", names: string[], why: string, open: string, uncounted: string|nil}
---  uncounted: why the counters may not hold all that was written; without it, what is not named has not moved
function M.judge(before, now)
  local function answer(word, names, why)
    return { answer = word, names = names, why = why, open = now.fates.open, uncounted = uncounted(before, now) }
  end
  local fates = now.fates
  if is_another_server(before, now) then return answer("unclear", {}, "another server answers: it took over") end
  local sequences = moved(before.sequences, now.sequences)
  local ended = fates.committed > 0 or fates.forgotten > 0 or fates.beyond
  local schema = ended and before.catalog ~= now.catalog and { "the schema" } or {}
  local names = ended and joined(counts_on(before, now) and moved(before.written, now.written) or {},
    moved(before.files, now.files), sequences, schema) or sequences
  if #names > 0 then return answer("written", names, "rows, sequences or the schema moved") end
  if fates.open ~= "" then return answer("unclear", {}, "a transaction is still open") end
  if not ended then return answer("quiet", {}, "no transaction has committed since the snapshot") end
  local why = doubt(before, now)
  if why then return answer("unclear", {}, why) end
  return answer("quiet", {}, "transactions elsewhere on the server; nothing in this database moved")
end

local TRIES = 8

---What became of the transactions since `before`. What ended while it was asked for is not called open: on a server
---with many short transactions one always does.
---@param conn pgorch.Connection
---@param before pgorch.Mark
---@return {xmax: string, beyond: boolean, committed: integer, forgotten: integer, open: string, unshown: integer}
function M.fates(conn, before)
  local fates
  for _ = 1, TRIES do
    fates = conn:row(source.sql "fates", "{" .. before.running .. "}", before.xmax)
    if fates.unshown == 0 then break end
  end
  return fates
end

-- The fates are asked for first: what commits later is not in them. Sessions are counted before the counters as well as
-- after: one that ends between the two may have written rows that are not in them yet.
local function look(conn, before)
  local fates = M.fates(conn, before)
  local strangers = conn:row(source.sql "elsewhere").strangers
  local now = M.mark(conn)
  now.fates, now.strangers = fates, math.max(strangers, now.strangers)
  return now
end

---Asks the source now. What is unclear is asked again until a session that idles must have been counted.
---@param from pgorch.Source
---@param before pgorch.Mark
---@param o? {settle?: number}  seconds, 12 without
function M.ask(from, before, o)
  local conn <close> = from:connect()
  local deadline = task.now() + (o and o.settle or SETTLE)
  while true do
    local judged = M.judge(before, look(conn, before))
    if judged.answer ~= "unclear" or task.now() >= deadline then return judged end
    task.sleep(math.min(LOOK, math.max(0, deadline - task.now())))
  end
end

return M
