-- The hash of one row, which the checksums are sums of, and which of the two a server is asked for. Sums of one hash
-- are never compared with sums of the other.

local fail     = require "pgorch.error"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local M = {}

---@alias pgorch.RowHash "SHA-256"|"hashtextextended"

-- SHA-256 of UTF-8, its first 60 bits: the same on every version, processor and database encoding. What was summed by
-- a pgorch that recorded no name is this one.
M.SHA256 = "SHA-256"
-- 64 bits, for less than half of the CPU: two thirds of SHA-256's time are not for the text. An internal function of
-- bytes as the server stores them: only where they are UTF-8, and its values are those that are known.
M.INTERNAL = "hashtextextended"

local BITS = { [M.SHA256] = 60, [M.INTERNAL] = 64 }
-- ROW(...) tells NULL from an empty text.
local SQL = {
  [M.SHA256] = "('x' || left(encode(sha256(convert_to(row(%s)::text, 'UTF8')), 'hex'), 15))::bit(60)::bigint",
  [M.INTERNAL] = [[hashtextextended(row(%s)::text collate "C", 0)]],
}

---The hash of a row as an SQL expression, a bigint.
---@param hash pgorch.RowHash
---@param columns string   an SQL list
---@return string
function M.sql(hash, columns)
  local sql = SQL[hash]
  if not sql then fail.raise("PGO-VERIFY", ("rows were summed with %s, which is not known here"):format(hash)) end
  return (sql:format(columns))
end

---The hash that this database's rows are summed with, and why it is not the cheap one.
---@param conn pgorch.Connection   in a snapshot
---@return pgorch.RowHash
---@return string|nil why
function M.choose(conn)
  local encoding = conn:value "select getdatabaseencoding()"
  if encoding ~= "UTF8" then return M.SHA256, "the encoding is " .. encoding end
  local known, why = snapshot.attempt(conn, conn.value, conn, source.sql "known_hashes")
  if known then return M.INTERNAL end
  return M.SHA256, why or "hashtextextended has values of its own on this server"
end

---The one that both can be asked for.
---@param a pgorch.Connection   to the source, in a snapshot
---@param b pgorch.Connection   to the target, in one too
---@return pgorch.RowHash
---@return string|nil why
function M.of_both(a, b)
  for _, side in ipairs { { "source", a }, { "target", b } } do
    local hash, why = M.choose(side[2])
    if why then return hash, ("on the %s, %s"):format(side[1], why) end
  end
  return M.INTERNAL
end

---"rows summed with SHA-256 (60 bits of each row): the encoding is LATIN1"
---@param hash pgorch.RowHash
---@param why? string
---@return string
function M.words(hash, why)
  return ("rows summed with %s (%d bits of each row)%s"):format(hash, BITS[hash], why and ": " .. why or "")
end

---What a side's sums are of.
---@param side {hash: pgorch.RowHash|nil}
---@return pgorch.RowHash
function M.of(side) return side.hash or M.SHA256 end

return M
