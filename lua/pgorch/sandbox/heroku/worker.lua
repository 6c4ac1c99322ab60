-- What Heroku's side does in a transfer: fetches the archive by parallel ranged GETs (or dumps a database), empties the
-- target and runs the real pg_restore as the database's owner. One task per transfer, in the world's group.
-- Judges by pg_restore's own last words, as Heroku does; never looks at what pgorch thinks of it.

local clock      = require "pgorch.clock"
local complaints = require "pgorch.sandbox.heroku.complaints"
local faults     = require "pgorch.sandbox.faults"
local fetch      = require "pgorch.sandbox.heroku.fetch"
local fs         = require "pgorch.fs"
local log        = require "pgorch.log"
local pg         = require "pgorch.pg"
local process    = require "pgorch.process"
local stamp      = require "pgorch.sandbox.heroku.stamp"
local task       = require "pgorch.task"

local worker = {}

local function say(transfer, message)
  table.insert(transfer.logs, { created_at = stamp(), message = message })
end

-- Running the client programs ------------------------------------------------------------------------------------

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
  local rest = ""
  for chunk in function() return proc.stderr:read() end do
    rest = rest .. chunk
    rest = rest:gsub("([^\n]*)\n", function(line) say(transfer, line) return "" end)
  end
  if rest ~= "" then say(transfer, rest) end
  return proc:wait()
end

local function dump(server, transfer)
  if transfer.from_url == transfer.addon.database.url then
    transfer.source_bytes = server.target:facts(transfer.addon.database).bytes
  end
  local result = run_logged(transfer, { server.target.server.client .. "/pg_dump", "-Fc", "--no-acl", "--no-owner",
    "--quote-all-identifiers", "--verbose", "--exclude-schema=heroku_ext", "-f", transfer.file,
    env = client_env(server, transfer.from_url) })
  if result.code ~= 0 then error(("pg_dump ended with %s"):format(result.signal or result.code), 0) end
  transfer.processed_bytes = fs.stat(transfer.file).size
end

-- Restoring ------------------------------------------------------------------------------------------------------

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

--- The database of an add-on with that address; nil when it is one outside, where Heroku has no privileges.
local function own_database(server, url)
  for _, addon in ipairs(server.state.addons) do
    if addon.database and addon.database.url == url then return addon.database end
  end
end

--- Makes room, and gives what pg_restore has to be told: it is not known whether Heroku empties the target first or
--- lets pg_restore drop what is in the archive, so both can be had.
local function prepare(server, transfer)
  local database = own_database(server, transfer.to_url)
  local is_reset = database and server.restore_mode == "reset"
  if is_reset then server.target:reset(database) end
  if database then
    server.target:create_extensions(database, transfer.extensions)
    server.target:create_extensions(database, privileged_extensions(server, transfer))
  end
  return is_reset and {} or { "--clean", "--if-exists" }
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

local function restore(server, transfer, fault)
  local dsn = pg.dsn(transfer.to_url)
  local arguments = { server.target.server.client .. "/pg_restore", "--verbose", "--no-acl", "--no-owner", "-d",
    dsn.dbname, table.unpack(prepare(server, transfer)) }
  arguments[#arguments + 1], arguments.env = transfer.file, client_env(server, transfer.to_url)
  local result = run_logged(transfer, arguments)
  if result.signal then error(("pg_restore was ended by SIG%s"):format(result.signal), 0) end
  if fault.warnings then complaints.add(server, transfer, fault.warnings) end
  say(transfer, "waiting for restore to complete")
  if not reached_its_end(transfer, result) then error(("pg_restore ended with %d"):format(result.code), 0) end
  transfer.warnings = count_warnings(transfer)
  say(transfer, "restore done")
end

-- The transfer ---------------------------------------------------------------------------------------------------

--- A backup of Heroku's own, by the address that its transfer shows: no download from outside can read it.
local function own_backup(server, url)
  for _, app in ipairs(server.state.apps) do
    for _, each in ipairs(app.transfers) do
      if each.to_type == "gof3r" and each.to_url == url and each.succeeded then return each.file end
    end
  end
end

local function download(server, transfer)
  local backup = own_backup(server, transfer.from_url)
  if backup then
    transfer.processed_bytes = fs.sink(transfer.file, fs.source(backup), { create = true }).bytes
    return
  end
  fetch.url(transfer.from_url, transfer.file, { parallel = server.parallel, ca_pem = (server.world.s3 or {}).ca_pem,
    said = function(message) say(transfer, message) end,
    got = function(bytes) transfer.processed_bytes = transfer.processed_bytes + bytes end })
end

local function work(server, transfer)
  local fault = faults.at(server.world, "worker.start")
  if fault and fault.delay then task.sleep(fault.delay) end
  transfer.started_at, transfer.beat = stamp(), clock.time()
  fault = faults.at(server.world, "worker.restore") or {}
  transfer.is_silent = fault.silent
  if fault.delay then task.sleep(fault.delay) end
  if transfer.from_type == "htcat" then download(server, transfer) else dump(server, transfer) end
  if fault.canceled then
    transfer.canceled_at = stamp()
    error("the transfer was canceled", 0)
  end
  if fault.answer then error(fault.message or "the worker was lost", 0) end
  if transfer.to_type == "pg_restore" then restore(server, transfer, fault) end
end

--- Takes a transfer off the list, and its file with it.
function worker.forget(transfer)
  transfer.deleted_at = stamp()
  if fs.exists(transfer.file) then fs.remove(transfer.file) end
end

local function is_same_kind(a, b)
  return a.from_type == b.from_type and a.to_type == b.to_type
end

--- Of each kind an app keeps only the newest ones.
local function prune(transfer)
  local kept = 0
  for _, each in ipairs(transfer.app.transfers) do
    if is_same_kind(each, transfer) and each.finished_at and not each.deleted_at then
      kept = kept + 1
      if kept > transfer.num_keep then worker.forget(each) end
    end
  end
end

local function finish(transfer, ok, why)
  transfer.succeeded = ok
  if not ok then
    local reason = type(why) == "table" and why.message or tostring(why)
    say(transfer, transfer.canceled_at and "transfer canceled" or reason)
  end
  if transfer.to_type ~= "gof3r" and fs.exists(transfer.file) then fs.remove(transfer.file) end
  transfer.finished_at = stamp()
  prune(transfer)
end

--- Starts the work of a transfer. `transfer.stop()` ends it early.
---@param server table the stand-in
---@param transfer table
function worker.start(server, transfer)
  transfer.file = ("%s/%s.dump"):format(server.dir, transfer.uuid)
  local inner
  transfer.stop = function()
    transfer.is_stopped = true
    if inner then inner:cancel "the transfer was cancelled" end
  end
  server.world.group:spawn(function()
    local ok, why = pcall(task.group, function(group)
      inner = group
      if transfer.is_stopped then error("cancelled before it began", 0) end
      work(server, transfer)
    end)
    inner = nil
    if ok and transfer.is_stopped then ok, why = false, "cancelled" end
    if not ok then
      log.debug("a transfer of the Heroku stand-in failed", { num = transfer.num, why = tostring(why) })
    end
    task.shield(30, finish, transfer, ok, why)
  end)
end

return worker
