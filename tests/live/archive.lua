-- Archives of pg_dump's custom format with an empty table of contents, made by hand: 84 bytes that a pg_restore which
-- knows the version (1.14 since PostgreSQL 12, 1.15 since 16, 1.16 since 17) and the compression restores, as nothing.

local archive = {}

local CUSTOM, INT_SIZE, OFFSET_SIZE = 1, 4, 8
local ALGORITHM = { none = 0, gzip = 1, lz4 = 2, zstd = 3 }     -- a byte since 1.15, a level before

-- A sign and four bytes, the least significant first.
local function int(number) return ("<BI4"):pack(0, number) end

local function text(value) return int(#value) .. value end

---@param minor integer    of the version, 1.MINOR
---@param compression? "none"|"gzip"|"lz4"|"zstd"
---@return string
function archive.empty(minor, compression)
  local parts = { "PGDMP", ("BBBBBB"):pack(1, minor, 0, INT_SIZE, OFFSET_SIZE, CUSTOM) }
  parts[3] = minor >= 15 and ("B"):pack(ALGORITHM[compression or "gzip"]) or int(6)
  for _, field in ipairs { 0, 0, 0, 1, 0, 126, 0 } do parts[#parts + 1] = int(field) end   -- 2026-01-01, as struct tm
  for _, name in ipairs { "live", "15.1", "15.1" } do parts[#parts + 1] = text(name) end   -- database, server, pg_dump
  parts[#parts + 1] = int(0)                                                               -- entries
  return table.concat(parts)
end

return archive
