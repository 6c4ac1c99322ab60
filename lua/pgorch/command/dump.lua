-- pgorch dump: the source database as one archive in custom format, in a file or in object storage.
-- What a run's dump step does, as a command. A dump that did not end well leaves nothing behind.

local arguments = require "pgorch.recipe.arguments"
local authority = require "pgorch.authority"
local compression = require "pgorch.dump.compression"
local crypto    = require "pgorch.crypto"
local dump      = require "pgorch.dump"
local env       = require "pgorch.env"
local fail      = require "pgorch.error"
local file      = require "pgorch.dump.file"
local fs        = require "pgorch.fs"
local log       = require "pgorch.log"
local params    = require "pgorch.recipe.params"
local pg_client = require "pgorch.pg_client"
local progress  = require "pgorch.runner.progress"
local s3        = require "pgorch.s3"
local source    = require "pgorch.source"
local task      = require "pgorch.task"
local term      = require "pgorch.term"
local values    = require "pgorch.recipe.values"

local command = { summary = "dump the source database into a file or object storage" }

command.usage = [[pgorch dump [-o FILE | --to s3://BUCKET/KEY] [FLAG...]

  -o, --output FILE       the archive (default: DATABASE.dump in this folder)
      --to s3://BUCKET/KEY  no file: straight into a bucket that exists
      --endpoint-url URL  of the object storage (default AWS_ENDPOINT_URL, else Amazon's)
      --ca FILE           certificate authority of the database: its name is verified too
      --compress HOW      auto (the default): as small as the way out leaves time for; fast; small;
                          stock: by pg_dump itself, on one core
      --readers N         read the rows over N connections in one snapshot, not by pg_dump: where this machine
                          has more than two cores, and the source is another one
      --sha256            read the stored archive again and print its SHA-256
      --force             overwrite what is there
      --json              JSON Lines on standard output
      --no-color, -q, -v  plain output, less of it, more of it

  SOURCE_DATABASE_URL     the database, postgres://USER:PASSWORD@HOST:PORT/DATABASE
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, AWS_CA_BUNDLE  for --to

The archive holds no owners, grants, publications, subscriptions, labels or tablespaces, as Heroku needs it.]]

command.flags = {
  { name = "output", short = "o", type = "string" }, { name = "to", type = "string" },
  { name = "endpoint-url", type = "string" }, { name = "ca", type = "string" },
  { name = "compress", type = "string" }, { name = "readers", type = "integer" },
  { name = "sha256", type = "boolean" },
  { name = "force", type = "boolean" }, { name = "json", type = "boolean" },
  { name = "no-color", type = "boolean" }, { name = "quiet", short = "q", type = "boolean" },
  { name = "verbose", short = "v", type = "boolean" },
}

local TICK_SECONDS = 0.5

local function readers_problem(flags)
  local ok, what = params.check_readers(flags.readers)
  if not ok then return ("--readers %d: %s"):format(flags.readers, what) end
  if flags.readers > 0 and flags.compress == "stock" then
    return "--readers with --compress stock: pg_dump compresses only what it has read itself"
  end
end

local function parse(argv)
  local state = arguments.parse(argv, arguments.flags({}, command.flags))
  local flags, problems = state.host, state.problems
  for _, word in ipairs(state.words) do problems[#problems + 1] = ("%s: not expected"):format(word) end
  flags.compress = flags.compress or "auto"
  if not compression.is_choice(flags.compress) then
    problems[#problems + 1] = ("--compress %s: it is %s"):format(flags.compress, compression.CHOICES)
  end
  flags.readers = flags.readers or 0
  problems[#problems + 1] = readers_problem(flags)
  if flags.to and flags.output then problems[#problems + 1] = "-o and --to: one of them" end
  if flags.output == "-" then problems[#problems + 1] = "-o -: an archive is not written to standard output" end
  if #problems > 0 then
    fail.raise("PGO-USAGE", table.concat(problems, "; "), { detail = command.usage })
  end
  return flags
end

-- --- where it goes: {name, store = fn(archive, head) -> {bytes, ...}, sha256 = fn() -> hex} ---

-- A file has its name only once it is whole: what a crash leaves behind is not taken for a dump.
local function into_file(flags, database)
  local path = flags.output or database .. ".dump"
  if fs.exists(path) and not flags.force then
    fail.raise("PGO-INVALID", path .. " is there already", { cure = "Name another file, or pass --force." })
  end
  local partial = ("%s.partial-%s"):format(path, crypto.hex(crypto.random(4)))
  local function store(archive, head)
    local whole = false
    local _ <close> = setmetatable({}, { __close = function()
      if not whole then task.shield(30, fs.remove, partial) end
    end })
    local bytes = file.write(partial, archive, head)
    fs.rename(partial, path)
    whole = true
    return { bytes = bytes }
  end
  return { name = path, store = store, sha256 = function() return fs.sha256(path) end }
end

-- Keys that may write and not ask about the bucket are fine: the upload itself tells what it needs.
local function check_privacy(bucket)
  local ok, private, why = pcall(bucket.is_private, bucket)
  if ok and not private then fail.raise("PGO-S3-PUBLIC", ("s3://%s: %s"):format(bucket.name, why)) end
  if ok then return end
  if task.cancelled(private) then error(private, 0) end
  log.warn(("whether s3://%s is private could not be told: %s"):format(bucket.name, tostring(private)))
end

local function into_bucket(flags)
  local name, key = flags.to:match "^s3://([^/]+)/(.+)$"
  if not name or key:match "/$" then
    fail.raise("PGO-USAGE", ("--to %s: write s3://BUCKET/KEY"):format(flags.to))
  end
  local bucket = s3.from_environment { endpoint = flags["endpoint-url"] }:bucket(name)
  if bucket:head() == "free" then
    fail.raise("PGO-S3", ("there is no bucket %s"):format(name), { cure = "Make it, private, or name another." })
  end
  local there
  task.group(function(group)
    group:spawn(check_privacy, bucket)
    there = not flags.force and bucket:head_object(key)
  end)
  if there then
    fail.raise("PGO-INVALID", flags.to .. " is there already", { cure = "Name another key, or pass --force." })
  end
  return { name = flags.to, store = function(archive, head) return bucket:upload(key, archive, { head = head }) end,
           sha256 = function() return bucket:sha256(key) end }
end

-- --- the source ---

local function open_source(flags)
  local url = env.secret "SOURCE_DATABASE_URL"
  return source.from_url(url, { ca_pem = flags.ca and authority.read("--ca", flags.ca) })
end

local function look_at(from)
  local conn <close> = from:connect()
  local facts = conn:row(source.sql "database")
  return { version = facts.version, bytes = facts.bytes, client = pg_client.choose(facts.major, nil) }
end

-- The storage and the source are asked side by side.
local function look_at_both(flags, from)
  local to, facts
  task.group(function(group)
    group:spawn(function() facts = look_at(from) end)
    to = flags.to and into_bucket(flags) or into_file(flags, from.dbname or "database")
  end)
  return to, facts
end

-- --- the work ---

local ID, TITLE = "dump", "Dump the database"

-- Says where it is until the archive is stored.
local function follow(display, current, size)
  while true do
    if current.archive then
      local at = dump.progress(current.state, current.archive:total(), size)
      display:emit("progress", { id = ID, bytes = at.bytes, total = at.total, text = at.text })
    end
    display:tick()
    task.sleep(TICK_SECONDS)
  end
end

local function work(display, o, to, size)
  local current, result = {}, nil
  task.group(function(group)
    group:spawn(follow, display, current, size)
    result = dump.run(o, function(archive, state)
      current.archive, current.state = archive, state
      return to.store(archive, state.archive)
    end)
    if o.sha256 then result.sha256 = to.sha256() end
    group:cancel "done"
  end)
  return result
end

-- As many digits as sha256sum and a calculator need.
local function report(to, result)
  term.out(("%s\n  size    %s (%d bytes)\n  time    %.1f s\n  rate    %s/s\n"):format(to.name,
    values.show_size(result.bytes), result.bytes, result.seconds, values.show_size(result.bytes / result.seconds)))
  if result.parts then term.out(("  parts   %d\n"):format(result.parts)) end
  if result.etag then term.out(("  etag    %s\n"):format(result.etag)) end
  if result.sha256 then term.out(("  sha256  %s\n"):format(result.sha256)) end
end

local function attempt(display, o, to, size)
  local started = task.now()
  display:emit("step_started", { id = ID, title = TITLE })
  local ok, result = xpcall(fs.with_temporary, fail.handler, "pgorch-dump-", function(dir)
    o.dir = dir
    return work(display, o, to, size)
  end)
  if not ok then
    display:emit("step_failed", { id = ID, title = TITLE, error = result })
    error(result, 0)
  end
  result.seconds = task.now() - started
  display:emit("step_done", { id = ID, title = TITLE, row = { id = ID, title = TITLE, summary = result } })
  return result
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local flags = parse(argv)
  local display = progress.new(flags)
  local from = open_source(flags)
  local to, facts = look_at_both(flags, from)
  local client = facts.client
  if not flags.quiet then
    display:emit("message", { text = ("%s, PostgreSQL %s, with pg_dump %s into %s"):format(from:name(), facts.version,
      client.version, to.name) })
  end
  local how, notes = dump.how(flags, client)
  for _, note in ipairs(notes) do display:emit("message", { text = note }) end
  local result = attempt(display, { source = from, client = client, compress = how.compress, readers = how.readers,
    sha256 = flags.sha256 }, to, values.show_size(facts.bytes))
  if result.offsets == false then display:emit("message", { text = dump.WITHOUT_PLACES }) end
  if not flags.json then report(to, result) end
  return 0
end

return command
