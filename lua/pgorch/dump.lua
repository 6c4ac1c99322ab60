-- pg_dump as a stream: runs it, compresses its archive on all cores, hands it to whoever stores it, and follows what
-- pg_dump says meanwhile. The archive's good end is given only after pg_dump's exit status 0: a dump that was cut must
-- not look whole. Knows no storage; keeps no file but the log that is asked for.

local archive   = require "pgorch.archive"
local blocks    = require "pgorch.dump.blocks"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local process   = require "pgorch.process"
local stream    = require "pgorch.stream"
local task      = require "pgorch.task"
local compression = require "pgorch.dump.compression"
local pg_client = require "pgorch.pg_client"
local progress  = require "pgorch.dump.progress"
local readers   = require "pgorch.dump.readers"
local values    = require "pgorch.recipe.values"
local watch     = require "pgorch.dump.watch"

local dump = {}

-- To be said where a storage's answer has offsets = false.
dump.WITHOUT_PLACES = "the table of contents is too large to wait in memory: it is stored without the places of the "
  .. "tables' data, which pg_restore -j then has to search"

local TAIL = 20       -- messages that are kept to be shown when it fails

---@class pgorch.DumpState
---@field pid integer            pg_dump's
---@field archive pgorch.archive.Press|nil   what compresses; nil: pg_dump does
---@field table string|nil       the table that pg_dump is at
---@field progress pgorch.dump.Progress|nil   how much of the source was read; nil when it could not be asked
---@field waits_for string|nil   who keeps it waiting: "a lock that session 4711 holds (...)"
---@field blocker string|nil     who did last
---@field messages integer       how many there were
---@field [integer] string       its last messages

---@class pgorch.DumpOptions
---@field source pgorch.Source
---@field client pgorch.PgClient
---@field dir string             where the provider's CA lies meanwhile
---@field compress? string|pgorch.archive.RecompressOptions   "auto", "fast", "small", "stock", or an engine by name
---@field snapshot? string       an exported snapshot's id
---@field readers? integer       connections that read the rows (dump/readers.lua); 0: pg_dump does
---@field log? string            a file that all messages are added to
---@field progress? fun(state: pgorch.DumpState, bytes: integer)   called every few seconds, with the archive's size
---@field lock_wait? number      seconds to wait for each table's lock, 60
---@field still? number          seconds after which a dump that does not move is given up, 600

-- pg_dump --verbose says each table as it comes to it.
local function note(state, line)
  state[#state + 1], state.messages = line, state.messages + 1
  if state.progress then state.progress:message(line) end
  if #state > TAIL then table.remove(state, 1) end
  state.table = line:match('dumping contents of table "(.+)"$') or state.table
end

local function follow_messages(messages, state, log)
  local rest = ""
  for chunk in function() return messages:read() end do
    if log then fs.append(log, chunk) end
    rest = rest .. chunk
    for line in rest:gmatch("(.-)\n") do note(state, line) end
    rest = rest:match("([^\n]*)$")
  end
  if rest ~= "" then note(state, rest) end
end

-- What libpq says when the network or the server has gone: the same dump may succeed later.
local LOST = { "server closed the connection unexpectedly", "could not receive data from server",
  "could not send data to server", "SSL connection has been closed unexpectedly", "SSL SYSCALL error",
  "Connection refused", "Connection reset by peer", "timeout expired", "terminating connection due to" }

local function is_lost(said)
  for _, words in ipairs(LOST) do
    if said:find(words, 1, true) then return true end
  end
  return false
end

-- pg_dump locks all tables first, and says only which one it did not get.
local function lock_refused(said, state)
  local locked = said:match "Query was: (LOCK TABLE [^\n]+)"
  if not locked or not said:find("statement timeout", 1, true) then return nil end
  return fail.new("PGO-DUMP-LOCK", "pg_dump waited in vain for " .. (state.blocker or "a lock"), { detail = said })
end

---The error of a pg_dump that has not ended well.
---@param ended pgorch.process.Result
---@param state pgorch.DumpState|{[integer]: string}   its last messages
---@return pgorch.Error
function dump.failed(ended, state)
  local how = ended.signal and "signal " .. tostring(ended.signal) or "status " .. tostring(ended.code)
  local said = table.concat(state, "\n")
  return lock_refused(said, state) or fail.new("PGO-DUMP", "pg_dump ended with " .. how,
    { detail = said, status = ended.code, retryable = is_lost(said) })
end

local function carry(from, into, press)
  if press then return press:run(from, into, { keep_end = true }) end
  return from:pipe(into, { keep_open = true })
end

-- An archive that ends too early was cut by pg_dump's end, and its own words say more; unless we had left before.
local function cause_of(err, proc, state, said)
  if not fail.is(err, "PGO-ARCHIVE") then return err end
  local ended = proc:wait()
  said:join()
  local left = ended.signal == "PIPE" or table.concat(state, "\n"):find("Broken pipe", 1, true)
  return (ended.code == 0 or left) and err or dump.failed(ended, state)
end

-- A consumer that gives up closes the stream before it has cleaned up behind itself: its error says why, the closed
-- stream does not. Meanwhile the source is not kept waiting.
local function pump(proc, into, state, consumer, said)
  local ok, err = pcall(carry, proc.stdout, into, state.archive)
  if ok then return end
  err = cause_of(err, proc, state, said)
  proc:kill()
  if fail.is(err, "PGO-CLOSED") then consumer:join() end
  into:fail(err)
  error(err, 0)
end

local function finish(proc, into, state, said)
  local ended = proc:wait()
  said:join()
  if ended.code == 0 then return into:finish() end
  local err = dump.failed(ended, state)
  into:fail(err)
  error(err, 0)
end

local LOCK_WAIT = 60

-- What pg_dump is started with. Its password and its server are in the environment alone.
local function command_of(o, press, snapshot)
  local argv = pg_client.dump_argv(o.client, { snapshot = snapshot, lock_wait = o.lock_wait or LOCK_WAIT,
    compress = press and 0 })
  argv[#argv + 1] = "--verbose"
  argv.env, argv.env_clear = pg_client.environment(o.source:env(o.dir)), true
  argv.stdout, argv.stderr = "stream", "stream"
  argv.check = false     -- the status is judged here, with pg_dump's own words
  return argv
end

-- --- rows by connections of ours ---

local function told(state)
  return { total = function(bytes) state.progress = progress.counted(bytes) end,
           read = function(bytes) state.progress:read(bytes) end,
           at = function(name) state.table = name end }
end

local function read_head(proc, state, said)
  local ok, contents, head = pcall(archive.read_head, proc.stdout, blocks.keep)
  if ok then return contents, head end
  error(cause_of(contents, proc, state, said), 0)
end

local LOGGED = "The table of contents is complete; %d connections read the rows.\n"

-- pg_dump holds its locks until ours are there, and is ended then: of the rows it reads none.
local function write_archive(raw, at, o, parts)
  local contents, head = read_head(parts.proc, parts.state, parts.said)
  readers.hold(at, o.source, contents)
  parts.proc:kill()
  parts.said:join()
  if o.log then fs.append(o.log, LOGGED:format(o.readers)) end
  raw:write(head)
  head:free()
  readers.write { at = at, place = o.source, contents = contents, count = o.readers, to = raw,
                  told = told(parts.state) }
end

-- An archive that is cut, or whose reader has gone, ends so because of what has failed before.
local function pump_readers(group, at, o, parts)
  local raw, into, why = stream.new(), parts.into, nil
  group:spawn(function()
    local ok, err = pcall(write_archive, raw, at, o, parts)
    if ok then return raw:finish() end
    if task.cancelled(err) then error(err, 0) end
    why = err
    raw:fail(err)
  end)
  local ok, err = pcall(carry, raw, into, parts.state.archive)
  if ok then return into:finish() end
  err = why and not fail.is(why, "PGO-CLOSED") and why or err
  if fail.is(err, "PGO-CLOSED") then parts.consumer:join() end
  into:fail(err)
  error(err, 0)
end

-- --- all of it ---

---How to dump with this pg_dump, of what was asked for.
---@param asked {compress?: string, readers?: integer}
---@param client pgorch.PgClient
---@return {compress: string, readers: integer} how
---@return string[] notes   for the user, where it is another way
function dump.how(asked, client)
  local how, notes = { readers = asked.readers or 0 }, {}
  how.compress, notes[1] = compression.of(asked.compress or "auto", client)
  if how.compress == "stock" and how.readers > 0 then
    how.readers, notes[#notes + 1] = 0, "pg_dump compresses, so it also reads: one connection, and not --readers"
  end
  return how, notes
end

local function open_readers(o, press)
  if (o.readers or 0) == 0 then return nil end
  if not press then
    fail.raise("PGO-INVALID", "rows that are read over several connections are not compressed by pg_dump",
      { cure = "Choose another --compress than stock, or leave --readers out." })
  end
  return readers.open(o.source, o.snapshot)
end

---Dumps in custom format. `consume(archive, state)` runs as a task beside it, reads the stream to its end and returns
---what this returns. If the dump fails, the stream ends with PGO-DUMP or PGO-DUMP-LOCK; if the consumer fails, pg_dump
---is ended.
---@param o pgorch.DumpOptions
---@param consume fun(archive: pgorch.Stream, state: pgorch.DumpState): any
---@return any
function dump.run(o, consume)
  local press = compression.press(o.compress)
  local into, state, result = stream.new(), { messages = 0, archive = press }, nil
  local at <close> = open_readers(o, press)
  local eye <close> = watch.open(o.source, state, { still = o.still })
  task.group(function(g)
    local proc <close> = process.spawn(command_of(o, press, at and at.id or o.snapshot))
    state.pid = proc.pid
    local consumer = g:spawn(consume, into, state)
    local said = g:spawn(follow_messages, proc.stderr, state, o.log)
    g:spawn(eye.run, eye, state, into, o.progress)
    if at then
      pump_readers(g, at, o, { proc = proc, into = into, state = state, consumer = consumer, said = said })
    else
      pump(proc, into, state, consumer, said)
      finish(proc, into, state, said)
    end
    result = consumer:join()
    g:cancel "done"
  end)
  return result
end

---Where a dump is, for Context:progress and the display: what was read of the source, if that is known.
---@param state pgorch.DumpState
---@param bytes integer   of the archive so far
---@param size string     the database's size, for a person
---@return {bytes: integer, total: integer|nil, text: string}
function dump.progress(state, bytes, size)
  local at = state.waits_for and "waits for " .. state.waits_for or state.table or ""
  local known = state.progress
  if not known or known.total == 0 then
    return { bytes = bytes, text = ("of a database of %s  %s"):format(size, at) }
  end
  return { bytes = known:bytes(), total = known.total, text = ("of %s read, %s in the dump  %s"):format(
    values.show_size(known.total), values.show_size(bytes), at) }
end

return dump
