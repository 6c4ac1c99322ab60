-- The write detector: has anything been written to the source since the dump's snapshot was taken?
-- Answers quiet, written (naming what) or unclear; unclear is resolved by the caller, who counts and sums again.
-- Reads only. Transactions that write take xids, which the whole server shares; sequences move without one.

local source = require "pgorch.source"
local task   = require "pgorch.task"
local verify = require "pgorch.verify"

local M = {}

---@class pgorch.Mark
---@field xmax string           the next xid when the mark was made
---@field server_start string
---@field stats_reset string|nil
---@field written table<string, integer>   rows ever written, by table
---@field files table<string, integer>     the file a table lives in
---@field sequences table<string, string>
---@field catalog string        digest of the schema's own rows

-- Until 14 a process of its own counts rows, and a session reads its file, which may be 0.5 s old: what was written
-- just now is not in it yet. Since 15 a session that has ended has counted.
local COUNTED_SINCE, FILE_AGE = 150000, 1

---Where the source stands now. For a dump: called just before the snapshot is taken. What is written between the two is
---in the dump and counted as written, which is told for nothing; the other way round it would be lost.
---@return pgorch.Mark
function M.mark(conn)
  if conn.server_version < COUNTED_SINCE then task.sleep(FILE_AGE) end
  local mark = conn:row(source.sql "snapshot")
  mark.written, mark.files = {}, {}
  for _, row in ipairs(conn:query(source.sql "tuple_stats")) do
    mark.written[verify.key(row)], mark.files[verify.key(row)] = row.written, row.file
  end
  mark.sequences = verify.sequences(conn)
  mark.catalog = conn:value(source.sql "catalog_digest")
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

---Compares two marks. `strangers` are sessions of others that are connected now: what they wrote may not be counted.
---@param before pgorch.Mark
---@param now pgorch.Mark
---@param strangers integer
---@return {answer: "quiet"|"written"|"unclear", names: string[], why: string}
function M.judge(before, now, strangers)
  local sequences = moved(before.sequences, now.sequences)
  if before.xmax == now.xmax and #sequences == 0 then
    return { answer = "quiet", names = {}, why = "no transaction has written on the whole server" }
  end
  if before.server_start ~= now.server_start or before.stats_reset ~= now.stats_reset then
    return { answer = "unclear", names = sequences, why = "the server was restarted or its statistics were reset" }
  end
  local schema = before.catalog ~= now.catalog and { "the schema" } or {}
  local names = joined(moved(before.written, now.written), moved(before.files, now.files), sequences, schema)
  if #names > 0 then return { answer = "written", names = names, why = "rows, sequences or the schema moved" } end
  if strangers > 0 then
    return { answer = "unclear", names = {}, why = ("%d other sessions are connected"):format(strangers) }
  end
  return { answer = "quiet", names = {}, why = "transactions elsewhere on the server; nothing in this database moved" }
end

---Asks the source now. Sessions are counted before the mark as well as after: one that ends between the two may have
---written rows that are not in the mark's counters yet.
---@param from pgorch.Source
---@param before pgorch.Mark
function M.ask(from, before)
  local conn <close> = from:connect()
  local strangers = #conn:query(source.sql "sessions")
  local now = M.mark(conn)
  return M.judge(before, now, math.max(strangers, #conn:query(source.sql "sessions")))
end

return M
