-- The connections of a copy: how many there may be on both sides, and how each of the target's is set up. The source's
-- are those of a snapshot (verify/snapshot.lua), which only read.

local budget   = require "pgorch.verify.budget"
local data     = require "pgorch.copy.data"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local connections = {}

local SPARE = 3              -- of the target's: for what watches it, and the other steps of a run
local MOST = 4

---How many copy, and how many build indexes beside them, within what both sides still let in.
---@param source_conn pgorch.Connection
---@param target_conn pgorch.Connection
---@param limit? integer      connections that the target's plan allows
---@return integer jobs       each takes a connection of both sides
---@return integer index_jobs
function connections.jobs(source_conn, target_conn, limit)
  local room = target_conn:value(source.sql "connections")
  if limit then room = math.min(room, limit) end
  room = math.max(2, room - SPARE)
  local jobs = math.min(budget.jobs(source_conn), room // 2)
  return jobs, math.min(MOST, room - jobs)
end

-- What an index is sorted in. The server's setting is for the daily work of a small server (64 MB). A copy is alone
-- on it, and shared buffers tell how much memory it was given: half as much, divided among all that build, never less
-- than the server says and never more than 1 GB.
local SORT_MEMORY = [[select greatest(
  pg_size_bytes(current_setting('maintenance_work_mem')),
  least(1 << 30, pg_size_bytes(current_setting('shared_buffers')) / (2 * $1::integer))) / 1024]]

-- As pg_restore sets them.
local FIXED = { check_function_bodies = "off", client_min_messages = "warning" }

-- The source's own strings may have been written with backslashes.
local function string_setting(entries)
  for _, entry in ipairs(entries) do
    if entry.desc == "STDSTRINGS" then return entry.defn:find("'off'", 1, true) and "off" or "on" end
  end
  return "on"
end

---The settings of every connection that writes into the target.
---@param target {connect: fun(o: table): pgorch.Connection}
---@param entries pgorch.archive.Entry[]
---@param index_jobs integer
---@return table<string, any> settings
---@return integer version   of the target
function connections.settings(target, entries, index_jobs)
  local conn <close> = target.connect {}
  local settings = {}
  for name, value in pairs(data.TARGET_SETTINGS) do settings[name] = value end
  for name, value in pairs(FIXED) do settings[name] = value end
  settings.maintenance_work_mem = conn:value(SORT_MEMORY, index_jobs) .. "kB"
  settings.standard_conforming_strings = string_setting(entries)
  return settings, conn.server_version
end

---A snapshot of the source, exported, from which more connections can be opened as copy_piece wants them.
---@param place pgorch.Source
---@param id? string
---@return pgorch.Snapshot snapshot <close>
function connections.open_snapshot(place, id)
  return snapshot.open(function(o)
    local settings = {}
    for name, value in pairs(o.settings) do settings[name] = value end
    for name, value in pairs(data.SOURCE_SETTINGS) do settings[name] = value end
    return place:connect { settings = settings }
  end, id)
end

---All that was committed is on the target's disk when this has returned.
---@param conn pgorch.Connection
function connections.make_durable(conn)
  conn:exec "set synchronous_commit = on"
  -- A transaction that has put nothing into the log commits without waiting for the disk, whatever its settings are:
  -- this one puts a word there, which nobody reads, and nothing anywhere else.
  conn:exec "select pg_logical_emit_message(true, 'pgorch', '')"
end

return connections
