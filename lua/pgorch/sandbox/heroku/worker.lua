-- What Heroku's side does in a transfer: fetches the archive by parallel ranged GETs (or dumps a database), resets the
-- target and runs the real pg_restore as the database's owner. One task per transfer, in the world's group.
-- Judges by pg_restore's own last words, as Heroku does; never looks at what pgorch thinks of it.

local clock   = require "pgorch.clock"
local faults  = require "pgorch.sandbox.faults"
local fetch   = require "pgorch.sandbox.heroku.fetch"
local fs      = require "pgorch.fs"
local log     = require "pgorch.log"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local worker = {}

--- A transfer's timestamp.
---@param time? number
---@return string "2026-11-20 18:00:59 +0000"
function worker.stamp(time)
  return (clock.iso(time):gsub("T", " "):gsub("Z$", " +0000"))
end

local function say(transfer, message)
  table.insert(transfer.logs, { created_at = worker.stamp(), message = message })
  transfer.updated_at = worker.stamp()
end

--- Environment in which a client program reaches a database: nothing on the command line, nothing of the user's.
local function client_env(server, url)
  local env = pg.env(pg.dsn(url), server.dir)
  env.PATH, env.LANG, env.LC_ALL, env.PGSSLMODE = "/usr/local/bin:/usr/bin:/bin", "C", "C", env.PGSSLMODE or "require"
  return env
end

--- Runs a client program; every line that it writes to stderr goes into the transfer's log as it comes.
local function run_logged(transfer, arguments)
  arguments.stdout, arguments.stderr, arguments.check = "null", "stream", false
  arguments.env_clear, arguments.cwd = true, "/"
  local proc <close> = process.spawn(arguments)
  transfer.proc = proc
  local rest = ""
  for chunk in function() return proc.stderr:read() end do
    rest = rest .. chunk
    rest = rest:gsub("([^\n]*)\n", function(line) say(transfer, line) return "" end)
  end
  if rest ~= "" then say(transfer, rest) end
  local result = proc:wait()
  transfer.proc = nil
  return result
end

local function dump(server, transfer)
  local result = run_logged(transfer, { server.target.server.client .. "/pg_dump", "-Fc", "--no-acl", "--no-owner",
    "--quote-all-identifiers", "--verbose", "-f", transfer.file, env = client_env(server, transfer.from_url) })
  if result.code ~= 0 then error(("pg_dump ended with %s"):format(result.signal or result.code), 0) end
  transfer.processed_bytes = fs.stat(transfer.file).size
end

--- Extensions of the archive that only a superuser can create: Heroku creates what it allows on the user's behalf.
local function privileged_extensions(server, transfer)
  local listed = process.run { server.target.server.client .. "/pg_restore", "-l", transfer.file, check = false,
    limit = 64 << 20 }
  local names = {}
  for name in listed.stdout:gmatch "\n%d+; %d+ %d+ EXTENSION %S+ (%S+)" do
    if server.target:allows(name) and not server.target:is_trusted(name) then names[#names + 1] = name end
  end
  return names
end

--- Errors that pg_restore went past, without those about plpgsql, which are harmless everywhere.
local function count_warnings(transfer)
  local ignored, harmless = 0, 0
  for _, line in ipairs(transfer.logs) do
    ignored = tonumber(line.message:match "errors ignored on restore: (%d+)") or ignored
    if line.message:match "could not execute query" and line.message:find("plpgsql", 1, true)
      and (line.message:find("must be owner of", 1, true) or line.message:find("already exists", 1, true)) then
      harmless = harmless + 1
    end
  end
  return math.max(ignored - harmless, 0)
end

local function reached_its_end(transfer, result)
  if result.code == 0 then return true end
  for _, line in ipairs(transfer.logs) do
    if line.message:find("errors ignored on restore:", 1, true) then return true end
  end
  return false
end

local function restore(server, transfer)
  local database = transfer.addon.database
  server.target:reset(database)
  server.target:create_extensions(database, transfer.extensions)
  server.target:create_extensions(database, privileged_extensions(server, transfer))
  local result = run_logged(transfer, { server.target.server.client .. "/pg_restore", "--verbose", "--no-acl",
    "--no-owner",
    "-d", database.dbname, transfer.file, env = client_env(server, database.url) })
  if result.signal then error(("pg_restore was ended by SIG%s"):format(result.signal), 0) end
  say(transfer, "waiting for restore to complete")
  if not reached_its_end(transfer, result) then error(("pg_restore ended with %d"):format(result.code), 0) end
  transfer.warnings = count_warnings(transfer)
  say(transfer, "restore done")
end

local function work(server, transfer)
  local fault = faults.at(server.world, "worker.start")
  if fault and fault.delay then task.sleep(fault.delay) end
  transfer.started_at = worker.stamp()
  fault = faults.at(server.world, "worker.restore")
  if fault and fault.delay then task.sleep(fault.delay) end
  if transfer.from_type == "htcat" then
    fetch.url(transfer.from_url, transfer.file, { parallel = server.parallel,
      said = function(message) say(transfer, message) end,
      got = function(bytes) transfer.processed_bytes = transfer.processed_bytes + bytes end })
  else
    dump(server, transfer)
  end
  if fault and fault.answer then error(fault.message or "the worker was lost", 0) end
  if transfer.to_type == "pg_restore" then restore(server, transfer) end
end

local function finish(transfer, ok, why)
  if ok then
    transfer.succeeded = true
  else
    transfer.succeeded = false
    say(transfer, transfer.canceled_at and "transfer canceled" or tostring(why))
  end
  if transfer.to_type ~= "gof3r" and fs.exists(transfer.file) then fs.remove(transfer.file) end
  transfer.finished_at, transfer.updated_at = worker.stamp(), worker.stamp()
end

--- Starts the work of a transfer. `transfer.stop()` ends it early.
---@param server table the stand-in
---@param transfer table
function worker.start(server, transfer)
  transfer.file = ("%s/%s.dump"):format(server.dir, transfer.uuid)
  local inner
  transfer.stop = function()
    transfer.stopped = true
    if inner then inner:cancel "the transfer was cancelled" end
  end
  server.world.group:spawn(function()
    local ok, why = pcall(task.group, function(group)
      inner = group
      if transfer.stopped then error("cancelled before it began", 0) end
      work(server, transfer)
    end)
    inner = nil
    if ok and transfer.stopped then ok, why = false, "cancelled" end
    if not ok then
      log.debug("a transfer of the Heroku stand-in failed", { num = transfer.num, why = tostring(why) })
    end
    task.shield(30, finish, transfer, ok, why)
  end)
end

return worker
