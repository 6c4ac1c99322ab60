-- The schema, by PostgreSQL's own programs: pg_dump's table of contents (its head alone: of the data nothing is read),
-- and everything that comes before the data by pg_restore. What pg_restore says is judged by the rules of a restore.
-- Keeps the head in a file of 0600, which is an archive without data. Copies no rows.

local archive     = require "pgorch.archive"
local dump        = require "pgorch.dump"
local fail        = require "pgorch.error"
local fs          = require "pgorch.fs"
local locks       = require "pgorch.copy.locks"
local masked      = require "pgorch.restore.masked"
local pg_client   = require "pgorch.pg_client"
local process     = require "pgorch.process"
local restore_log = require "pgorch.restore_log"
local stream      = require "pgorch.stream"
local task        = require "pgorch.task"
local verdict     = require "pgorch.restore.verdict"

local schema = {}

local LOCK_WAIT = 60       -- seconds for each table's lock

-- UTF8, whatever the source's encoding: its statements are run on connections that speak it.
local function dump_command(o)
  local argv = pg_client.dump_argv(o.client, { snapshot = o.snapshot, lock_wait = LOCK_WAIT })
  argv[#argv + 1], argv[#argv + 2] = "--compress=0", "--encoding=UTF8"
  argv.env, argv.env_clear = pg_client.environment(o.source:env(o.dir)), true
  argv.stdout, argv.check = "stream", false
  return argv
end

local function lines_of(text)
  local lines = { messages = 0 }
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

-- Of what comes before the data pg_restore reads the statements, in the file: here its names and dependencies do. With
-- one field more the table would take twice the memory.
local function kept(entry)
  local short = { id = entry.id, desc = entry.desc, section = entry.section, oid = entry.oid, tag = entry.tag,
                  namespace = entry.namespace, dependencies = entry.dependencies }
  if (entry.copy or "") ~= "" then short.copy = entry.copy
  elseif entry.section ~= "pre-data" or entry.desc == "STDSTRINGS" then short.defn = entry.defn
  end
  return short
end

-- A head that ends early is pg_dump's failure, and it has said why.
local function read_head(proc)
  local ok, contents, head = pcall(archive.read_head, proc.stdout, kept)
  if ok then return contents, head end
  if task.cancelled(contents) then error(contents, 0) end
  proc:kill()
  local ended = proc:wait()
  if ended.stderr ~= "" then error(dump.failed(ended, lines_of(ended.stderr)), 0) end
  error(contents, 0)
end

local function keep(path, head)
  local through = stream.new()
  task.group(function(group)
    group:spawn(function()
      through:write(head)
      through:finish()
    end)
    fs.sink(path, through, { mode = 0600 })
  end)
end

-- Of the data nobody reads anything: bytes that stayed in the pipe would be waited for, and the copy with them.
local function stop(proc)
  proc:kill()
  proc.stdout:close()
end

---Reads the table of contents, in a snapshot, and leaves it in DIR/head.dump. What pg_dump has locked is held before it
---goes (copy/locks.lua).
---@param o {client: pgorch.PgClient, source: pgorch.Source, dir: string, snapshot: string, conn: pgorch.Connection}
---  conn: the session that stands in the snapshot; it holds the tables from now on
---@return pgorch.archive.Contents
function schema.read(o)
  local proc <close> = process.spawn(dump_command(o))
  local contents, head = read_head(proc)
  keep(o.dir .. "/head.dump", head)
  head:free()
  locks.hold(o.conn, o.source, contents.entries)
  stop(proc)
  return contents
end

-- --- sections ---

---The section of every entry: a comment belongs to that of the entry before it.
---@param entries pgorch.archive.Entry[]
---@return table<pgorch.archive.Entry, "pre-data"|"data"|"post-data">
function schema.sections(entries)
  local sections, current = {}, "pre-data"
  for _, entry in ipairs(entries) do
    if entry.section ~= "none" then current = entry.section end
    sections[entry] = current
  end
  return sections
end

-- Every database has it, and where extensions are there, they are not ours to make again.
local function is_there(entry, o)
  local extension = entry.desc == "EXTENSION" or entry.desc == "COMMENT" and (entry.tag or ""):find "^EXTENSION "
  return extension and o.extensions_there or entry.desc == "SCHEMA" and entry.tag == "public"
end

local function list_of(entries, o)
  local sections, lines = schema.sections(entries), {}
  for _, entry in ipairs(entries) do
    if sections[entry] == "pre-data" and not is_there(entry, o) then lines[#lines + 1] = entry.id .. ";" end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- --- pg_restore ---

-- The database's name is in the environment: on the command line "a=b" would be taken for something else.
local TO_THE_TARGET = "--dbname=keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=9"

local function restore_command(o)
  local program = o.client.pg_dump:gsub("pg_dump([^/]*)$", "pg_restore%1")
  local env = pg_client.environment(o.target.env(o.dir))
  env.PGOPTIONS = (env.PGOPTIONS or "") .. " -c synchronous_commit=off"    -- the end of the copy makes all durable
  return { program, "--no-owner", "--no-acl", "--use-list=" .. o.dir .. "/pre-data.list", TO_THE_TARGET,
           "--no-password", o.dir .. "/head.dump", env = env, env_clear = true, check = false, limit = 16 << 20 }
end

local function lossy(judged)
  return fail.new("PGO-COPY", ("the schema could not be made in the target: pg_restore has %d complaint%s"):format(
    #judged.lossy, #judged.lossy == 1 and "" or "s"), { detail = verdict.explain(judged.lossy),
    retryable = judged.transient })
end

-- With nothing to complain of, pg_restore has succeeded; with a status and no words it has not.
local function judge(ended)
  local judged = restore_log.classify(ended.stderr)
  if #judged.lossy > 0 then error(lossy(judged), 0) end
  if ended.signal or ended.code > 1 or ended.code ~= 0 and #judged.harmless == 0 then
    fail.raise("PGO-COPY", ("pg_restore ended with %s"):format(ended.signal and "signal " .. ended.signal
      or "status " .. ended.code), { detail = ended.tail and masked.text(ended.tail) })
  end
  return judged
end

---Makes all that comes before the data. Raises PGO-COPY when something was lost.
---@param contents pgorch.archive.Contents
---@param o {client: pgorch.PgClient, target: table, dir: string, log?: string, extensions_there?: boolean}
---@return pgorch.restore.Verdict[] complaints   harmless ones
function schema.restore(contents, o)
  local list = list_of(contents.entries, o)
  if list == "\n" then return {} end
  fs.write(o.dir .. "/pre-data.list", list, { sync = false })
  local ended = process.run(restore_command(o))
  if o.log then fs.append(o.log, masked.text(ended.stderr)) end
  return judge(ended).harmless
end

return schema
