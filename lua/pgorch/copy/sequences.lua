-- The values of the sequences, by the statements that pg_dump has written: many in one round trip.

local fail = require "pgorch.error"

local sequences = {}

local AT_ONCE = 200

---@param conn pgorch.Connection    of the target
---@param entries pgorch.archive.Entry[]   SEQUENCE SET
function sequences.set(conn, entries)
  for first = 1, #entries, AT_ONCE do
    local statements = {}
    for i = first, math.min(first + AT_ONCE - 1, #entries) do statements[#statements + 1] = entries[i].defn end
    local ok, err = pcall(conn.exec, conn, table.concat(statements))
    if not ok then
      if not fail.is(err, "PGO-PG-QUERY") then error(err, 0) end
      fail.raise("PGO-COPY", "a sequence could not be set: " .. err.message, { detail = err.detail, cause = err,
        sqlstate = err.sqlstate })
    end
  end
end

return sequences
