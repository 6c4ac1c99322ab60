-- pgorch copy: one database into another, empty one, straight over the wire. What a run does with --via direct, as a
-- command. The source is only read; the target is never emptied by it.

local arguments     = require "pgorch.recipe.arguments"
local clock         = require "pgorch.clock"
local connections   = require "pgorch.copy.connections"
local copy          = require "pgorch.copy"
local fail          = require "pgorch.error"
local fs            = require "pgorch.fs"
local identity      = require "pgorch.verify.identity"
local json          = require "pgorch.json"
local pg_client     = require "pgorch.pg_client"
local progress      = require "pgorch.runner.progress"
local summary       = require "pgorch.runner.summary"
local task          = require "pgorch.task"
local term          = require "pgorch.term"
local two_databases = require "pgorch.two_databases"
local values        = require "pgorch.recipe.values"

local command = { summary = "copy the source database into an empty one, straight over the wire" }

command.usage = [[pgorch copy [FLAG...]

      --jobs N            connections that copy, to each side (default: up to 4, as both servers have them free)
      --index-jobs N      connections that build indexes and keys meanwhile (default: up to 4)
      --no-analyze        no ANALYZE of what was copied
      --source-env VAR    variable with the source's URL (default SOURCE_DATABASE_URL)
      --target-env VAR    variable with the target's URL (default TARGET_DATABASE_URL)
      --source-ca FILE, --target-ca FILE  certificate authorities: the names are verified too
      --json              JSON Lines on standard output
      --no-color, -q, -v  plain output, less of it, more of it

The source is read in one snapshot; nobody has to stop writing, but what is written meanwhile is not copied. The target
has to be empty. Owners, grants, publications and subscriptions are not copied.]]

command.flags = {
  { name = "jobs", type = "integer" }, { name = "index-jobs", type = "integer" },
  { name = "no-analyze", type = "boolean" },
  { name = "json", type = "boolean" }, { name = "no-color", type = "boolean" },
  { name = "quiet", short = "q", type = "boolean" }, { name = "verbose", short = "v", type = "boolean" },
  table.unpack(two_databases.FLAGS),
}

local ID, TITLE = "copy", "Copy the database"
local TICK_SECONDS = 0.5

local function parse(argv)
  local state = arguments.parse(argv, arguments.flags({}, command.flags))
  local flags, problems = state.host, state.problems
  for _, word in ipairs(state.words) do problems[#problems + 1] = ("%s: not expected"):format(word) end
  for _, name in ipairs { "jobs", "index-jobs" } do
    if flags[name] and flags[name] < 1 then problems[#problems + 1] = ("--%s: at least 1"):format(name) end
  end
  if #problems > 0 then fail.raise("PGO-USAGE", table.concat(problems, "; "), { detail = command.usage }) end
  return flags
end

-- --- both sides ---

-- The target as copy.run wants it: a place like the source, that is written to.
local function target_of(place, name)
  return {
    connect = function(o) return place:connect { settings = o.settings, writable = true } end,
    env = function(dir)
      local vars = place:env(dir)
      vars.PGOPTIONS = vars.PGOPTIONS .. " -c default_transaction_read_only=off"
      return vars
    end,
    name = function() return name end,
  }
end

local function introduce(display, flags, o, from, to)
  if flags.quiet then return end
  display:emit("message", { text = ("source %s, PostgreSQL %d\ntarget %s, PostgreSQL %d\n%d connections copy, %d build "
    .. "indexes; pg_dump %s"):format(identity.address(from, o.source.port), from.server_version // 10000,
    o.target.name(), to.server_version // 10000, o.jobs, o.index_jobs, o.client.version) })
end

local function prepare(display, flags)
  local from_place, to_place = two_databases.open(flags, "source"), two_databases.open(flags, "target")
  local from <close> = from_place:connect()
  local to <close> = to_place:connect { writable = true }
  two_databases.refuse_one(flags, from, to)
  local jobs, index_jobs = connections.jobs(from, to)
  local o = { source = from_place, target = target_of(to_place, identity.address(to, to_place.port)),
              analyze = not flags["no-analyze"], jobs = flags.jobs or jobs,
              index_jobs = flags["index-jobs"] or index_jobs,
              client = pg_client.choose(from.server_version // 10000, to.server_version // 10000) }
  introduce(display, flags, o, from, to)
  return o
end

-- --- the work ---

local function tick(display)
  while true do
    display:tick()
    task.sleep(TICK_SECONDS)
  end
end

local function work(display, o)
  return fs.with_temporary("pgorch-copy-", function(dir)
    o.dir = dir
    o.progress = function(at)
      display:emit("progress", { id = ID, bytes = at.bytes, total = at.total, text = at.text })
    end
    local result
    task.group(function(group)
      group:spawn(tick, display)
      result = copy.run(o)
      group:cancel "done"
    end)
    return result
  end)
end

local LOOK_SECONDS = 10

-- What a copy that has failed or was stopped leaves behind, for as long as the target answers.
local function tell_standing(display, o)
  local ok, text = pcall(task.shield, LOOK_SECONDS, function()
    local conn <close> = o.target.connect {}
    return copy.standing(conn)
  end)
  if ok and text then
    display:emit("message", { text = ("%s is half filled: %s. Make it anew, or empty it, before you copy again."
      ):format(o.target.name(), text) })
  end
end

-- The catalogue's cures are for a run, which can be resumed.
local OF_A_RUN = {
  { "; a run goes on with `pgorch resume RUN`", "" }, { "`pgorch resume RUN`", "copy again" },
  { ": `pgorch cleanup RUN .-with %-%-plan", ", then copy again" }, { "then resume%f[%W]", "then copy again" },
  { "Then resume%f[%W]", "Then copy again" }, { "^Resume%f[%W]", "Copy again" },
}

local function without_run(text)
  for _, pair in ipairs(OF_A_RUN) do text = text:gsub(pair[1], pair[2]) end
  return text
end

local function told(err)
  if not fail.is(err) then return err end
  err.cure = without_run(fail.cure(err))
  err.detail = type(err.detail) == "string" and without_run(err.detail) or err.detail
  return err
end

local function attempt(display, o)
  display:emit("step_started", { id = ID, title = TITLE })
  local ok, result = xpcall(work, fail.handler, display, o)
  if not ok then
    display:emit("step_failed", { id = ID, title = TITLE, error = result })
    if not fail.is(result, "PGO-CONFIRM") then tell_standing(display, o) end
    error(told(result), 0)
  end
  display:emit("step_done", { id = ID, title = TITLE, row = { id = ID, title = TITLE } })
  return result
end

-- --- the report ---

local function seconds(value) return ("%.1f s"):format(value) end

local function phases(result)
  local rate = values.show_size(result.bytes / math.max(result.phases.data, 0.001)) .. "/s"
  local rows = {
    { "schema", seconds(result.phases.schema), "" },
    { "rows and large objects", seconds(result.phases.data), ("%s, %s"):format(values.show_size(result.bytes), rate) },
    { "indexes, keys and others", seconds(result.phases.rest), "after the last row" },
    { "all", seconds(result.seconds), "" },
  }
  return { title = "Phases", columns = { "phase", "time", "" }, rows = rows }
end

local function report(flags, result)
  local parts = {}
  if not flags.quiet then parts[1] = summary.table(phases(result)) .. "\n" end
  for _, each in ipairs(result.complaints) do parts[#parts + 1] = ("note: %s\n  %s"):format(each.text, each.why) end
  parts[#parts + 1] = ("%d tables with %d rows, %d large objects, %d sequences, %d indexes, keys and others"):format(
    result.tables, result.rows, result.large_objects, result.sequences, result.indexes)
  if not flags.quiet then parts[#parts + 1] = "compare both: pgorch verify --deep" end
  term.out(table.concat(parts, "\n") .. "\n")
end

local function report_json(result)
  result.event, result.at = "ended", clock.iso()
  term.out(json.encode(result) .. "\n")
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local flags = parse(argv)
  local display = progress.new(flags)
  local result = attempt(display, prepare(display, flags))
  if flags.json then report_json(result) else report(flags, result) end
  return 0
end

return command
