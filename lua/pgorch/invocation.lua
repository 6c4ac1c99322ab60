-- From the words after `pgorch run`, `resume` and `rollback` to what the runner needs: the recipe, its parameters, the
-- flags of the host, the record. Everything that is wrong with a command line is said at once.

local arguments = require "pgorch.recipe.arguments"
local clock     = require "pgorch.clock"
local deadline  = require "pgorch.runner.deadline"
local env       = require "pgorch.env"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local loader    = require "pgorch.recipe.load"
local native    = require "pgorch.native.host"
local progress  = require "pgorch.runner.progress"
local secrets   = require "pgorch.recipe.secrets"
local shape     = require "pgorch.recipe.shape"
local store     = require "pgorch.store"
local values    = require "pgorch.recipe.values"

local invocation = {}

---Flags of the host, not of a recipe.
invocation.FLAGS = {
  { name = "run-id", type = "string", value = "ID",
    help = "the id of the new run; one that exists is gone on with, if it is the same" },
  { name = "only", type = "list", value = "STEP,...", help = "run these steps alone" },
  { name = "until", type = "string", value = "STEP", help = "end after this step" },
  { name = "deadline", type = "string", value = "TIME",
    help = "04:00, ISO 8601, +2h or none: put back in time, 2 min before it or more, if it is not moved by then" },
  { name = "yes-cut-over", type = "boolean", help = "pass the gates without asking" },
  { name = "no-input", type = "boolean", help = "never ask; gates are passed" },
  { name = "on-failure", type = "string", value = "keep|rollback", help = "whatever the failure is" },
  { name = "accept-changes", type = "boolean", help = "go on although recipe or parameters changed" },
  { name = "lose-writes", type = "boolean", help = "roll back after the cut-over all the same" },
  { name = "notify-env", type = "string", value = "VAR", help = "variable with a URL that is told: begin, gate, end" },
  { name = "notify-file", type = "string", value = "PATH", help = "file with such a URL" },
  { name = "in-batch", type = "string", value = "NAME", help = "the run is a row of this batch of the record" },
  { name = "batch-row", type = "string", value = "ROW", help = "which one: it waits for the others of its group" },
  { name = "state-env", type = "string", value = "VAR", help = "variable that names the record of runs" },
  { name = "state-file", type = "string", value = "PATH", help = "file that names the record of runs" },
  { name = "json", type = "boolean", help = "JSON Lines on standard output" },
  { name = "no-color", type = "boolean", help = "no colour and no live display" },
  { name = "quiet", short = "q", type = "boolean", help = "only errors and the summary" },
  { name = "verbose", short = "v", type = "boolean", help = "more messages" },
  { name = "help", short = "h", type = "boolean", help = "this text" },
}

-- For a run that exists: another machine has its recipe elsewhere.
local RECIPE_FLAG = { name = "recipe", type = "string", value = "FILE",
                      help = "the recipe's file, where this machine has it elsewhere than the run began" }
invocation.FLAGS_OF_RUN = table.move(invocation.FLAGS, 1, #invocation.FLAGS, 1, {})
table.insert(invocation.FLAGS_OF_RUN, 1, RECIPE_FLAG)

-- A flag of the host gives way to a parameter of the recipe with that name.
local function flags_for(recipe, flags)
  local host = {}
  for _, each in ipairs(flags or invocation.FLAGS) do
    if not recipe or not recipe.params[(each.name:gsub("-", "_"))] then host[#host + 1] = each end
  end
  return arguments.flags(recipe and recipe.params or {}, host)
end

-- The next one, local time. It is the day that is counted on: some have 23 hours, some 25.
local function next_time(hour, minute)
  if hour > 23 or minute > 59 then return nil end
  local day = os.date("*t")
  day.hour, day.min, day.sec, day.isdst = hour, minute, 0, nil
  local at = os.time(day)
  if at > os.time() then return at end
  local today = os.date("*t")
  return os.time { year = today.year, month = today.month, day = today.day + 1, hour = hour, min = minute, sec = 0 }
end

---"04:00" (the next one, local time), ISO 8601, "+2h" -> epoch seconds; "none" -> false.
---@param text string
---@return number|false|nil
function invocation.deadline(text)
  if text == "none" then return false end
  local hour, minute = text:match("^(%d%d?):(%d%d)$")
  if hour then return next_time(tonumber(hour), tonumber(minute)) end
  local after = text:match("^%+(.+)$")
  if after then
    local seconds = values.duration(after)
    return seconds and clock.time() + seconds
  end
  local ok, at = pcall(clock.parse_iso, text)
  return ok and at or nil
end

local function known_step(recipe, id)
  local ids = shape.ids(recipe.steps)
  for _, each in ipairs(ids) do
    if each == id then return true end
  end
  return false, values.closest(id, ids)
end

local function check_steps(recipe, ids, flag, problems)
  for _, id in ipairs(ids) do
    local known, meant = known_step(recipe, id)
    if not known then
      problems[#problems + 1] = ("%s: there is no step %s%s"):format(flag, id,
        meant and (", did you mean %s?"):format(meant) or ", but " .. table.concat(shape.ids(recipe.steps), ", "))
    end
  end
end

local function check_host(recipe, host, problems)
  local wish = host["on-failure"]
  if wish and wish ~= "keep" and wish ~= "rollback" then
    problems[#problems + 1] = ("--on-failure %s: keep or rollback"):format(wish)
  end
  if host["run-id"] and not host["run-id"]:match("^[%l%d][%l%d_%-]*$") then
    problems[#problems + 1] = ("--run-id %s: small letters, digits, - and _ only"):format(host["run-id"])
  end
  if host.deadline then
    local at = invocation.deadline(host.deadline)
    local problem = at == nil and "write 04:00, ISO 8601, +2h or none" or at and deadline.problem(at)
    if problem then problems[#problems + 1] = ("--deadline %s: %s"):format(host.deadline, problem) end
    host.deadline = at
  end
  check_steps(recipe, host.only or {}, "--only", problems)
  check_steps(recipe, { host["until"] }, "--until", problems)
end

---Raises everything that is wrong as one error.
---@param problems string[]
---@param id string
---@param cure? string
function invocation.raise(problems, id, cure)
  if #problems == 0 then return end
  if #problems == 1 then fail.raise(id, problems[1], { cure = cure }) end
  fail.raise(id, ("%d things are wrong with the command line"):format(#problems),
    { detail = table.concat(problems, "\n"), cure = cure })
end

local function no_place(flag, why)
  fail.raise("PGO-STORE", ("--%s: %s"):format(flag, why),
    { kind = "usage", cure = "Let it name the record: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE. "
      .. "Without it `pgorch status` looks in the usual place." })
end

---Where the record is, as the flags say.
---@param host table
---@return string|nil url  nil: the usual place
function invocation.store_url(host)
  if host["state-env"] then
    local url = env.get(host["state-env"])
    if not url then no_place("state-env", host["state-env"] .. " is not set") end
    return url
  elseif host["state-file"] then
    local ok, text = pcall(fs.read, host["state-file"], 4096)
    if not ok then no_place("state-file", text.message or tostring(text)) end
    return (text:gsub("%s+$", ""))
  end
end

---@param host table
---@return pgorch.Store
function invocation.open_store(host) return store.open(invocation.store_url(host)) end

---The record, for a command that needs a run of it: one that is not there is not made, its name may be mistyped.
---@param host table
---@return pgorch.Store
function invocation.find_store(host)
  local url = invocation.store_url(host)
  local found = store.find(url)
  if found then return found end
  fail.raise("PGO-RUN-UNKNOWN", ("there is no record of runs at %s"):format(store.name(url)),
    { cure = "`pgorch status` looks there too. PGORCH_STATE, --state-env or --state-file names another place." })
end

local function absolute(path)
  if path:match("^/") then return path end
  return native.cwd() .. "/" .. path
end

-- The first word that is no flag's value: a recipe stands first, or ends with .lua, or is a built-in one.
local function take_recipe(argv)
  if argv[1] and not argv[1]:match("^%-") then return table.remove(argv, 1) end
  local names = {}
  for _, name in ipairs(loader.built_in()) do names[name] = true end
  for i, word in ipairs(argv) do
    if word:match("%.lua$") or names[word] then return table.remove(argv, i) end
  end
end

-- Parameters out of what was typed, over what an earlier attempt had.
local function fill(o, state, before)
  local recipe = o.recipe
  for name, value in pairs(before and before.values or {}) do
    if state.given[name] == nil and recipe.params[name] then state.given[name] = value end
  end
  for name, place in pairs(before and before.secrets or {}) do
    if state.secrets[name] == nil and recipe.params[name] then state.secrets[name] = place end
  end
  o.values, o.places = arguments.resolve(recipe.params, state)
  if recipe.check_params and #state.problems == 0 then
    for _, problem in ipairs(recipe.check_params(o.values, o.places) or {}) do
      state.problems[#state.problems + 1] = problem
    end
  end
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

local function finish(o, state)
  if #state.words > 0 then
    table.insert(state.problems, 1, "too many words: " .. table.concat(state.words, " "))
  end
  check_host(o.recipe, state.host, state.problems)
  invocation.raise(state.problems, "PGO-PARAM")
  o.host, o.params = state.host, copy(o.values)
  for name, value in pairs(secrets.read(o.places)) do o.params[name] = value end
  o.display = progress.new(state.host)
  return o
end

---For a new run. Returns nil and the recipe when --help was asked for.
---@param argv string[]
---@param flags? table[]  of a command that is no run
---@return table|nil options  of runner.start, without the store
---@return pgorch.Recipe|nil recipe
function invocation.new(argv, flags)
  local name = take_recipe(argv)
  if not name then
    if argv[1] == "--help" or argv[1] == "-h" then return nil end
    fail.raise("PGO-USAGE", "no recipe is named", { detail = "built in: " .. table.concat(loader.built_in(), ", ") })
  end
  local recipe = loader.load(name)
  local state = arguments.parse(argv, flags_for(recipe, flags))
  if state.host.help then return nil, recipe end
  local o = { recipe = recipe, given = copy(state.given), recipe_path = recipe.folder and absolute(name) or name }
  fill(o, state)
  return finish(o, state)
end

---For a plan that was kept: its recipe and parameters, with what the command line changes.
---@param argv string[]
---@param kept pgorch.plan.Kept
---@param flags table[]
---@return table options  of runner.start, without the store
function invocation.planned(argv, kept, flags)
  local recipe = loader.load(kept.recipe.path)
  local state = arguments.parse(argv, flags_for(recipe, flags))
  local o = { recipe = recipe, recipe_path = kept.recipe.path, given = copy(state.given) }
  fill(o, state, kept)
  return finish(o, state)
end

-- The id, and the flags that say where the record is: needed before the recipe is known.
local function find_run(argv)
  local id = argv[1] and not argv[1]:match("^%-") and table.remove(argv, 1)
  if not id then fail.raise("PGO-USAGE", "no run is named: `pgorch status` lists the runs") end
  local host = arguments.parse(argv, flags_for(nil, invocation.FLAGS_OF_RUN)).host
  return invocation.find_store(host), id, host.recipe
end

-- Flags of the host that a command has no use for would be a misunderstanding, and are not passed over.
local function refuse_useless(state, flags)
  local useful = {}
  for _, each in ipairs(flags) do useful[each.name] = true end
  local names = {}
  for name in pairs(state.host) do
    if not useful[name] then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    state.problems[#state.problems + 1] = ("--%s: this command has no use for it"):format(name)
  end
end

-- A recipe's file may have been moved or removed since.
local function load_again(run, given)
  local path = given or run.recipe_path
  if path:find("/", 1, true) and not fs.exists(path) then
    fail.raise("PGO-RECIPE", ("the recipe of run %s is gone: there is no file %s"):format(run.id, path), {
      cure = ("Put it back there, or name it with --recipe FILE: its steps know how to go on and how to put back. "
        .. "Until then `pgorch status %s` shows what was done."):format(run.id) })
  end
  return loader.load(path)
end

---For a run that exists: its recipe and parameters, with what the command line changes.
---@param argv string[]
---@param flags table[]   those that the command has a use for
---@return table options  of runner.resume and runner.rollback, with the store
---@return pgorch.Run run
function invocation.existing(argv, flags)
  local st, id, path = find_run(argv)
  local ok, o, run = pcall(function()
    local run = st:run(id)
    if run.kind == "rehearsal" then
      fail.raise("PGO-REHEARSAL", ("%s was a rehearsal: it has moved nothing"):format(run.id))
    end
    local recipe = load_again(run, path)
    local state = arguments.parse(argv, flags_for(recipe, invocation.FLAGS_OF_RUN))
    refuse_useless(state, flags)
    local o = { recipe = recipe, recipe_path = run.recipe_path, store = st, given = copy(state.given) }
    fill(o, state, run.params)
    return finish(o, state), run
  end)
  if not ok then
    st:close()
    error(o, 0)
  end
  return o, run
end

---Flags of a command's own, then those of the host that are named, unless it has its own of that name.
---@param own table[]
---@param names string[]
---@return table[]
function invocation.with(own, names)
  local wanted, list = {}, { table.unpack(own) }
  for _, name in ipairs(names) do wanted[name] = true end
  for _, each in ipairs(own) do wanted[each.name] = nil end
  for _, each in ipairs(invocation.FLAGS_OF_RUN) do
    if wanted[each.name] then list[#list + 1] = each end
  end
  return list
end

-- What every command has a use for that works on a run.
local USUAL = { "state-env", "state-file", "no-color", "quiet", "verbose", "help" }

---The flags that a command has a use for, to be explained: its own, then those of the host that are named.
---@param own table[]
---@param names string[]
---@return table[]
function invocation.flags_for_help(own, names)
  return invocation.with(own, table.move(USUAL, 1, #USUAL, #names + 1, { table.unpack(names) }))
end

---What every small command says of the record, below its own flags.
invocation.RECORD_USAGE = "\n  --state-env VAR, --state-file PATH   name the record of runs; otherwise PGORCH_STATE"

---The flags of such a command: its own, and those that name the record.
---@param own table[]
---@return table[]
function invocation.with_record(own) return invocation.with(own, { "state-env", "state-file", "help" }) end

---The one word and the flags of a small command, such as `status RUN --json`.
---@param argv string[]
---@param flags table[]
---@param usage string
---@return string|nil word
---@return table host
function invocation.simple(argv, flags, usage)
  local state = arguments.parse(argv, arguments.flags({}, invocation.with_record(flags)))
  if #state.words > 1 then state.problems[#state.problems + 1] = usage end
  invocation.raise(state.problems, "PGO-USAGE", "usage: " .. usage)
  return state.words[1], state.host
end

return invocation
