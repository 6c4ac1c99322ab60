-- Complaints that a fault adds to a restore: blocks as pg_restore writes them, in front of its last line, which counts
-- them. A lossy one is true: the index that the log misses is really gone.

local stamp = require "pgorch.sandbox.heroku.stamp"

local complaints = {}

local HARMLESS = {
  { "pg_restore: from TOC entry 6; 3079 13678 COMMENT EXTENSION plpgsql ",
    "pg_restore: error: could not execute query: ERROR:  must be owner of extension plpgsql",
    "Command was: COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';" },
  { "pg_restore: from TOC entry 4211; 0 0 COMMENT EXTENSION pg_stat_statements ",
    "pg_restore: error: could not execute query: ERROR:  must be owner of extension pg_stat_statements",
    "Command was: COMMENT ON EXTENSION pg_stat_statements IS "
      .. "'track planning and execution statistics of all SQL statements executed';" },
}

-- An index that no constraint needs, the largest one first: what a full disk would have kept from being built.
local LOSE_ONE = [[
SELECT c.oid::bigint AS oid, c.relname AS name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name,
  pg_get_indexdef(c.oid) AS definition, pg_get_userbyid(c.relowner) AS owner
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND n.nspname !~ '^pg_' AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
ORDER BY c.relpages DESC, c.relname LIMIT 1]]

local function lose_an_index(server, transfer)
  return server.target:admin(transfer.addon.database.dbname, function(conn)
    local index = conn:row(LOSE_ONE)
    if not index then error("the archive has no index that could be lost", 0) end
    conn:exec("DROP INDEX " .. index.full_name)
    return { { ("pg_restore: from TOC entry 4071; 1259 %d INDEX %s %s"):format(index.oid, index.name, index.owner),
      ("pg_restore: error: could not execute query: ERROR:  could not extend file \"base/16392/%d\": "
        .. "No space left on device"):format(index.oid), "HINT:  Check free disk space.",
      ("Command was: %s;"):format(index.definition) } }
  end)
end

local function say(transfer, message)
  table.insert(transfer.logs, { created_at = stamp(), message = message })
end

--- What pg_restore has counted itself, taken off the end of the log.
local function take_count(transfer)
  local last = transfer.logs[#transfer.logs]
  local count = last and tonumber(last.message:match "errors ignored on restore: (%d+)")
  if count then table.remove(transfer.logs) end
  return count or 0
end

--- Adds complaints to the log of a restore that came to its end.
---@param server table
---@param transfer table
---@param kind "harmless"|"lossy"
function complaints.add(server, transfer, kind)
  local blocks = kind == "lossy" and lose_an_index(server, transfer) or HARMLESS
  local count = take_count(transfer)
  if count == 0 then say(transfer, "pg_restore: while PROCESSING TOC:") end
  for _, block in ipairs(blocks) do
    for _, line in ipairs(block) do say(transfer, line) end
  end
  say(transfer, ("pg_restore: warning: errors ignored on restore: %d"):format(count + #blocks))
end

return complaints
