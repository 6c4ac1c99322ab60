-- describe / it / expect: a test file is run by `pgorch test FILE` and prints TAP. Each `it` runs in a scope of its own
-- with a time limit. What is left open in the program, a task or a handle, is a failure: of the test where it has a
-- world of its own, and else of the file, whose tests may share what the first one starts and the last one ends.

local expect    = require "pgorch.test.expect"
local fail      = require "pgorch.error"
local left_open = require "pgorch.test.left_open"
local place     = require "pgorch.runner.place"
local task      = require "pgorch.task"
local term      = require "pgorch.native.term"

local test = {}

local LIMIT = 120                       -- seconds for one `it`

local Skip = {}

---Ends the running test as skipped, and says why.
function test.skip(why)
  error(setmetatable({ why = why }, Skip), 0)
end

-- An author reads his own frames; those of the library below them say nothing.
local function own_frames(detail)
  local head, trace = detail:match "^(.-)\n?stack traceback:\n(.*)$"
  if not trace then return detail end
  local kept = {}
  for line in trace:gmatch "[^\n]+" do
    if not line:find "^%s*pgorch/" and not line:find "^%s*%[C%]" and not line:find "^%s*%(?%.%.%." then
      kept[#kept + 1] = line
    end
  end
  return head .. (head ~= "" and #kept > 0 and "\n" or "") .. table.concat(kept, "\n")
end

-- What the test expects is told by its place and no id.
local function explain(err)
  if type(err) ~= "table" then return tostring(err) end
  local parts = { fail.is(err, "PGO-TEST") and err.message or tostring(err) }
  if err.at then parts[1] = ("%s: %s"):format(err.at, parts[1]) end
  if err.detail then parts[#parts + 1] = own_frames(tostring(err.detail)) end
  parts[#parts + 1] = err.world
  return table.concat(parts, "\n")
end

local function tap(number, name, ok, err)
  if ok then
    term.out(("ok %d - %s\n"):format(number, name))
  elseif getmetatable(err) == Skip then
    term.out(("ok %d - %s # SKIP %s\n"):format(number, name, err.why))
  else
    term.out(("not ok %d - %s\n%s\n"):format(number, name, (explain(err):gsub("[^\n]+", "#   %0"))))
  end
end

-- Collecting -----------------------------------------------------------------------------------------------------

---@class pgorch.test.Level  what a file or a `describe` says for the tests in it
---@field before function|nil
---@field after function|nil
---@field around (fun(body: fun(): any): any)[]   each runs a test inside of something
---@field limit number|nil
---@field closes boolean|nil  each test has to close what it opens

local function put_words(globals, collected)
  local path, levels = {}, { { around = {} } }
  collected.level = function() return levels[#levels] end
  function globals.describe(name, body)
    path[#path + 1] = name
    levels[#levels + 1] = { around = {}, limit = levels[#levels].limit, closes = levels[#levels].closes }
    body()
    path[#path], levels[#levels] = nil, nil
  end
  function globals.before(fn) levels[#levels].before = fn end
  function globals.after(fn) levels[#levels].after = fn end
  function globals.it(name, body, options)
    local title = table.concat(path, " ") .. (#path > 0 and " " or "") .. name
    table.insert(collected.cases, { title = title, body = body, levels = { table.unpack(levels) },
      closes = levels[#levels].closes, limit = options and options.limit or levels[#levels].limit or LIMIT })
  end
  globals.expect, globals.skip = expect, test.skip
end

-- What the file declares. `words(globals, level)` adds words of its own.
local function collect(source, name, environment, words)
  local globals = setmetatable({}, { __index = function(_, key)
    local value = environment[key]
    if value == nil then value = _G[key] end
    return value
  end })
  local collected = { cases = {} }
  put_words(globals, collected)
  if words then words(globals, collected.level) end
  local chunk, problem = load(source, "@" .. name, "t", globals)
  if not chunk then fail.raise("PGO-LUA", problem) end
  chunk()
  return collected.cases
end

-- Running --------------------------------------------------------------------------------------------------------

local function run_hooks(levels, name)
  for _, each in ipairs(levels) do
    if each[name] then each[name]() end
  end
end

local function keep_skip(err)
  if getmetatable(err) == Skip then return err end
  if fail.is(err) then err.at = err.at or place.here() end
  return fail.handler(err)
end

-- A skip is carried out of the scopes as a value: errors that leave a scope are made error tables.
local function body_of(case)
  local function body()
    run_hooks(case.levels, "before")
    local passed, err = xpcall(case.body, keep_skip)
    run_hooks(case.levels, "after")
    if not passed and getmetatable(err) ~= Skip then error(err, 0) end
    return not passed and err or nil
  end
  for i = #case.levels, 1, -1 do
    for j = #case.levels[i].around, 1, -1 do
      local around, inner = case.levels[i].around[j], body
      body = function() return around(inner) end
    end
  end
  return body
end

local function left_since(open)
  local left = left_open.since(open)
  return left and fail.new("PGO-TEST", "this is left open: " .. left)
end

-- A task that runs on when its scope is left is found there already.
local function run_case(case)
  local open = left_open.now()
  local ok, outcome = xpcall(task.timeout, fail.handler, case.limit, body_of(case))
  local left = (case.closes and ok or fail.is(outcome, "PGO-BUG")) and left_since(open)
  if left then return false, left end
  if ok and outcome then return false, outcome end
  return ok, outcome
end

-- A file that cannot even be read is one failed case: those that are named after it are run all the same.
local function cases_of(source, name, environment, o)
  local ok, cases = xpcall(collect, fail.handler, source, name, environment, o.words)
  if ok then return cases end
  if task.cancelled(cases) then error(cases, 0) end
  return { { title = name, levels = {}, limit = LIMIT, body = function() error(cases, 0) end } }
end

---@class pgorch.test.Counts
---@field passed integer
---@field failed integer
---@field skipped integer

---Runs the tests of a source text, and adds to the counts.
---@param source string
---@param name string
---@param environment table  globals that the file sees beside the usual ones
---@param counts pgorch.test.Counts
---@param o? {only?: string, words?: fun(globals: table, level: fun(): pgorch.test.Level)}  only: tests whose title
---  has the text; words: what else a test file may say
function test.run(source, name, environment, counts, o)
  o = o or {}
  local function tell(title, ok, err)
    local outcome = ok and "passed" or getmetatable(err) == Skip and "skipped" or "failed"
    counts[outcome] = counts[outcome] + 1
    tap(counts.passed + counts.failed + counts.skipped, title, ok, err)
    if task.cancelled(err) then error(err, 0) end
  end
  local open = left_open.now()
  for _, case in ipairs(cases_of(source, name, environment, o)) do
    if not o.only or case.title:find(o.only, 1, true) then tell(case.title, run_case(case)) end
  end
  local left = left_since(open)
  if left then tell(name, false, left) end
end

return test
