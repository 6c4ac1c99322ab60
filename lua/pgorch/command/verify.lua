-- pgorch verify: everything in which two databases differ, read-only on both. What a run's verify step does, as a
-- command, for any two PostgreSQL URLs; rows that differ are named by their keys.

local arguments     = require "pgorch.recipe.arguments"
local budget        = require "pgorch.verify.budget"
local clock         = require "pgorch.clock"
local differing     = require "pgorch.verify.differing"
local fail          = require "pgorch.error"
local fs            = require "pgorch.fs"
local identity      = require "pgorch.verify.identity"
local json          = require "pgorch.json"
local named_queries = require "pgorch.named_queries"
local progress      = require "pgorch.runner.progress"
local report        = require "pgorch.verify.report"
local row_hash      = require "pgorch.verify.row_hash"
local snapshot      = require "pgorch.verify.snapshot"
local summary       = require "pgorch.runner.summary"
local task          = require "pgorch.task"
local term          = require "pgorch.term"
local two_databases = require "pgorch.two_databases"
local verify        = require "pgorch.verify"

local command = { summary = "compare two databases, down to every row with --deep" }

command.usage = [[pgorch verify [--deep] [FLAG...]

      --deep              checksums of all rows and large objects too; what differs is named
      --queries DIR       *.sql in it: their results must be the same
      --jobs N            connections to each side (default: up to 4, as the server has them free)
      --source-env VAR    variable with the source's URL (default SOURCE_DATABASE_URL)
      --target-env VAR    variable with the target's URL (default TARGET_DATABASE_URL)
      --source-ca FILE, --target-ca FILE  certificate authorities: the names are verified too
      --json              JSON Lines on standard output
      --no-color, -q, -v  plain output, less of it, more of it

Both databases are only read, each in one snapshot. Exit status: 0 equal, 3 equal with warnings, 5 different.
Keys of rows that differ are printed, values of other columns are not.]]

command.flags = {
  { name = "deep", type = "boolean" }, { name = "queries", type = "string" }, { name = "jobs", type = "integer" },
  { name = "json", type = "boolean" }, { name = "no-color", type = "boolean" },
  { name = "quiet", short = "q", type = "boolean" }, { name = "verbose", short = "v", type = "boolean" },
  table.unpack(two_databases.FLAGS),
}

local ID, TITLE = "verify", "Compare both databases"
local TICK_SECONDS = 0.5
local EQUAL, WARNINGS, DIFFERENT = 0, 3, 5

local function parse(argv)
  local state = arguments.parse(argv, arguments.flags({}, command.flags))
  local flags, problems = state.host, state.problems
  for _, word in ipairs(state.words) do problems[#problems + 1] = ("%s: not expected"):format(word) end
  if flags.jobs and flags.jobs < 1 then problems[#problems + 1] = "--jobs: at least 1" end
  if flags.queries and not fs.exists(flags.queries) then
    problems[#problems + 1] = ("--queries %s: there is no such folder"):format(flags.queries)
  end
  if #problems > 0 then fail.raise("PGO-USAGE", table.concat(problems, "; "), { detail = command.usage }) end
  return flags
end

-- --- the work ---

local function follow(display, state)
  while true do
    local a, b = state.source, state.target
    if state.naming then
      display:emit("progress", { id = ID, bytes = a.total + b.total, total = a.total + b.total,
        text = "looking for what differs in " .. state.naming })
    elseif a and b then
      display:emit("progress", { id = ID, bytes = a.bytes + b.bytes, total = a.total + b.total,
        text = ("source: %s, target: %s"):format(a.text, b.text) })
    end
    display:tick()
    task.sleep(TICK_SECONDS)
  end
end

local function read(at, flags, hash, note)
  return verify.read(at, { content = flags.deep, hash = hash, jobs = flags.jobs or budget.jobs(at.conn),
                           progress = note })
end

-- Both sides at once, each in its own snapshot.
local function read_both(from, to, flags, hash, state)
  local sides = {}
  task.group(function(group)
    for name, at in pairs { source = from, target = to } do
      group:spawn(function()
        sides[name] = read(at, flags, hash, function(...) state[name] = report.progress("read", ...) end)
      end)
    end
  end)
  return sides.source, sides.target
end

local function compare(from, to, flags, state)
  local hash, why
  if flags.deep then hash, why = row_hash.of_both(from.conn, to.conn) end
  local a, b = read_both(from, to, flags, hash, state)
  local list, ignored = verify.compare(a, b)
  if flags.deep then
    differing.name(list, { conn = from.conn, side = a }, { conn = to.conn, side = b },
      { keys = true, progress = function(name) state.naming = name end })
  end
  local queries = flags.queries and named_queries.find(flags.queries .. "/*.sql") or {}
  for _, d in ipairs(named_queries.compare(queries, from.conn, to.conn, { rows = true })) do list[#list + 1] = d end
  verify.sort(list)
  return { source = a, target = b, differences = list, ignored = ignored, queries = #queries, hash = hash,
           summed = hash and row_hash.words(hash, why) }
end

local function introduce(display, flags, source_address, target_address)
  if flags.quiet then return end
  display:emit("message", { text = ("source %s, target %s"):format(source_address, target_address) })
end

local function work(display, flags)
  local source_side, target_side = two_databases.open(flags, "source"), two_databases.open(flags, "target")
  local from <close> = snapshot.open(function(o) return source_side:connect(o) end)
  local to <close> = snapshot.open(function(o) return target_side:connect(o) end)
  introduce(display, flags, identity.address(from.conn, source_side.port), identity.address(to.conn, target_side.port))
  two_databases.refuse_one(flags, from.conn, to.conn, ": it would be compared with itself")
  local state, found = {}, nil
  task.group(function(group)
    group:spawn(follow, display, state)
    found = compare(from, to, flags, state)
    group:cancel "done"
  end)
  return found
end

-- --- the report ---

local function status_of(list)
  if verify.failures(list) > 0 then return DIFFERENT end
  return #list > 0 and WARNINGS or EQUAL
end

local VERDICT = { [EQUAL] = "EQUAL", [WARNINGS] = "EQUAL, with warnings", [DIFFERENT] = "DIFFERENT" }

local function report_text(flags, found, status)
  local parts = {}
  if not flags.quiet then parts[1] = summary.table(report.tables(found.source.sums, found.target.sums)) .. "\n" end
  local differences = report.differences(found.differences)
  if differences then parts[#parts + 1] = summary.table(differences) .. "\n" end
  for _, line in ipairs(report.explanations(found.differences)) do parts[#parts + 1] = line end
  for _, line in ipairs(report.noise(found.source, found.ignored)) do parts[#parts + 1] = line end
  parts[#parts + 1] = found.summed or "rows and large objects were counted, not compared: --deep does"
  parts[#parts + 1] = ("%s  %s"):format(report.totals(found.target), VERDICT[status])
  return table.concat(parts, "\n") .. "\n"
end

local function event(kind, fields)
  fields.event, fields.at = kind, clock.iso()
  term.out(json.encode(fields) .. "\n")
end

local function report_json(found, status)
  for _, each in ipairs(report.each(found.source.sums, found.target.sums)) do
    event("compared", { table = each.key, source = each.mine, target = each.theirs, verdict = each.verdict })
  end
  for _, d in ipairs(found.differences) do
    event("difference", { kind = d.kind, name = d.name, source = d.source, target = d.target,
                          level = d.level or "fail", mend = d.mend })
  end
  for _, each in ipairs(found.ignored) do event("ignored", { kind = each.kind, name = each.name, why = each.why }) end
  local _, totals = report.totals(found.target)
  totals.queries, totals.hash = found.queries, found.hash
  event("ended", { status = status, verdict = VERDICT[status], totals = totals })
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local flags = parse(argv)
  local display = progress.new(flags)
  display:emit("step_started", { id = ID, title = TITLE })
  local ok, found = xpcall(work, fail.handler, display, flags)
  if not ok then
    display:emit("step_failed", { id = ID, title = TITLE, error = found })
    error(found, 0)
  end
  display:emit("step_done", { id = ID, title = TITLE, row = { id = ID, title = TITLE } })
  local status = status_of(found.differences)
  if flags.json then report_json(found, status) else term.out(report_text(flags, found, status)) end
  return status
end

return command
