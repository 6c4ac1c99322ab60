-- The values of the sequences, by the statements that pg_dump has written: many in one round trip.

local fail = require "pgorch.error"

local sequences = {}

local AT_ONCE = 200

---@param conn pgorch.Connection    of the target
---@param entries pgorch.archive.Entry[]
---@return string[]
function sequences.statements(entries)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.desc == "SEQUENCE SET" then list[#list + 1] = entry.defn end
  end
  return list
end

---@param conn pgorch.Connection    of the target
---@param statements string[]
function sequences.set(conn, statements)
  for first = 1, #statements, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #statements)
    local ok, err = pcall(conn.exec, conn, table.concat(statements, "", first, last))
    if not ok then
      if not fail.is(err, "PGO-PG-QUERY") then error(err, 0) end
      fail.raise("PGO-COPY", "a sequence could not be set: " .. err.message, { detail = err.detail, cause = err,
        sqlstate = err.sqlstate })
    end
  end
end

return sequences
