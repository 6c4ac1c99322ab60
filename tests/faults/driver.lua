-- Puts moves through faults: each case is a new move that meets one fault, stops or goes on, is resumed or put back
-- once the fault is gone, and is judged from outside. Cases share worlds, in lanes side by side; a world in which
-- something went wrong is not used again. Prints a row for each case.

local actions    = require "actions"
local cases      = require "cases"
local fail       = require "pgorch.error"
local injections = require "injections"
local judge      = require "judge"
local product    = require "product"
local proxied    = require "proxied"
local resource   = require "pgorch.native.resource"
local task       = require "pgorch.task"
local term       = require "pgorch.term"
local trial      = require "trial"

local driver = {}

local IN_ONE_WORLD = 8                 -- moves, then a new one: Heroku's budget of requests is an account's

-- More than a part: what does not compress, beside the sample.
local NOISE = [[
create table public.noise as
  select i, decode(string_agg(md5(random()::text), ''), 'hex') as bytes
  from generate_series(1, 5000) i, generate_series(1, 256) j group by i;
]]

local function sql_of(data)
  return data == "large" and resource.read "pgorch/sandbox/sample.sql" .. NOISE or nil
end

-- An undisturbed move: what it asks for, and how much it sends where. It is judged as all others are.
local function undisturbed(world)
  local self = trial.new(world)
  judge.begin(self)
  local before = {}
  for name, proxy in pairs(world.proxies) do before[name] = proxy:counts() end
  local ended = self:run()
  if ended.code ~= 0 then fail.raise("PGO-SANDBOX", "an undisturbed move fails", { detail = ended.said }) end
  local traffic = {}
  for name, proxy in pairs(world.proxies) do
    local counts = proxy:counts()
    traffic[name] = counts.up + counts.down - before[name].up - before[name].down
  end
  local complaints = judge.complaints(self, "moved")
  if #complaints > 0 then fail.raise("PGO-SANDBOX", table.concat(complaints, "; ")) end
  return { places = product.places(self:requests()), traffic = traffic, seconds = ended.seconds }
end

---What an undisturbed move of each recipe looks like.
---@param names string[]
---@param o table
---@return table<string, {places: table, traffic: table, seconds: number}>
function driver.profiles(names, o)
  local found = {}
  task.map(names, { limit = o.lanes }, function(name)
    found[name] = proxied.run(name, {}, undisturbed)
  end)
  return found
end

-- One case -------------------------------------------------------------------------------------------------------

local function is_in(list, code)
  for _, each in ipairs(list) do
    if each == code then return true end
  end
  return false
end

-- What a user is told when a move stops: an error with its id, and what to type next. Never a bug of pgorch's.
function driver.judge_words(ended, self, case, say)
  for _, bad in ipairs { "PGO-BUG", "PGO-LUA", "stack traceback" } do
    if ended.said:find(bad, 1, true) then say("it says %s", bad) end
  end
  if is_in(cases.DONE, ended.code) then return end
  if not ended.said:find "PGO%-%u" then say "no error id is told" end
  if case.id and not ended.said:find(case.id, 1, true) then say("%s is not told", case.id) end
  -- Of a preflight, each finding has its own.
  local cure = ended.code == 4 and "cure: %S" or "\nerror: [^\n]+\n.-%f[%w]cure: %S"
  if ended.code == 11 then cure = "by hand: %S" end       -- what could not be put back is told as what to do
  if not ended.is_json and not ended.said:find(cure) then say "no cure is told" end
  local told = ended.said
  if ended.is_json then told = self:status().said end   -- events are for programs: a person asks for the status
  local is_kept = is_in({ 6, 8, 9 }, ended.code)
  if is_kept and not told:find("resume " .. self.id, 1, true) then say "it does not say how to go on" end
  local is_left = ended.code == 11
  if is_left and not told:find("rollback " .. self.id, 1, true) then say "it does not say how to put it back" end
end

local function judged(self, how, say)
  local allowed = { more_restores = self.put_back + (self.may_repeat or 0), more_addons = self.remade,
    crashed = self.crashed, ahead = self.ahead }
  for _, complaint in ipairs(judge.complaints(self, how, allowed)) do say("%s", complaint) end
  return how
end

-- What follows once the fault is gone: until the move is done, or put back.
local function go_on(self, case, ended, say)
  if is_in(cases.DONE, ended.code) then return judged(self, "moved", say) end
  if is_in({ 1, 4, 5 }, ended.code) then
    judged(self, "as before", say)
    self.put_back = self.put_back + 1
  end
  if case.cure then actions[case.cure](self) end
  local back = case.then_ == "rollback" and ended.code == 6
  local after = back and self:rollback() or self:resume()
  driver.judge_words(after, self, {}, say)
  if case.later and is_in(case.later, after.code) then
    judged(self, "as before", say)
    self.put_back = self.put_back + 1
    after = self:resume()
  end
  if not is_in(cases.DONE, after.code) then
    say("exit status %d of the %s", after.code, back and "rollback" or "resumed run")
  end
  return (back and "rolled back: " or "resumed: ") .. judged(self, back and "as before" or "moved", say)
end

-- Until nothing is left to put back, once the fault is gone.
local function put_back(self, ended, say)
  local after = ended
  if ended.code == 11 then
    after = self:rollback()
    driver.judge_words(after, self, {}, say)
    if after.code ~= 0 then say("exit status %d of the rollback", after.code) end
  end
  return (after == ended and "" or "rolled back: ") .. judged(self, "as before", say)
end

-- A move that waits in its window, with a dump in the storage.
local function stop_in_window(self)
  local ended = self:run { "--until", "dump_to_store" }
  if ended.code == 0 or ended.code == 8 then return end
  fail.raise("PGO-SANDBOX", "a move to a step fails", { detail = ended.said })
end

-- What meets the fault, and how. Each gives the injection and what runs pgorch.
local meets = {}

function meets.run(case, self)
  return injections[case.inject](case, self), function(injection) return self:run(case.more, injection) end
end

function meets.undo(case, self)
  return injections.from_step("accept", case, self),
    function(injection) return self:run({ "--accept", "sleep 1; exit 3" }, injection) end
end

function meets.rollback(case, self)
  stop_in_window(self)
  return injections[case.inject](case, self), function(injection) return self:rollback(injection) end
end

function meets.resume(case, self)
  stop_in_window(self)
  return injections[case.inject](case, self), function(injection) return self:resume(injection) end
end

-- Returns a row of the table.
local function attempt(case, world, profile)
  local self <const> = trial.new(world)
  self.traffic, self.may_repeat = profile.traffic, case.may_repeat
  judge.begin(self)
  local complaints = {}
  local function say(what, ...) complaints[#complaints + 1] = what:format(...) end
  local injection, start = meets[case.during or "run"](case, self)
  local _ <close> = setmetatable({}, { __close = injection.close or function() end })
  if injection.skip then return { skip = injection.skip, complaints = complaints } end
  local ended = start(injection)
  local seen, why = injection.met()
  injection.lift()
  if not seen then say("the fault was not met: %s", why) end
  if not is_in(case.ends, ended.code) then say("exit status %d", ended.code) end
  driver.judge_words(ended, self, case, say)
  for _, complaint in ipairs(judge.kept(self, { opened = self.opened, crashed = self.crashed, ahead = self.ahead })) do
    say("%s", complaint)
  end
  local puts_back = case.during == "undo" or case.during == "rollback"
  local after = puts_back and put_back(self, ended, say) or go_on(self, case, ended, say)
  return { seen = seen or "-", code = ended.code, id = ended.code ~= 0 and ended.said:match "PGO%-[%u%d-]+" or nil,
    after = after, complaints = complaints, output = self.output }
end

---Runs one case, whatever comes of it.
---@return table row {name, seen, code, id, after, complaints, output, skip}
function driver.run_case(case, world, profile)
  local began = task.now()
  local ok, row = pcall(attempt, case, world, profile)
  if not ok then
    if task.cancelled(row) then error(row, 0) end
    row = { complaints = { tostring(row) } }
  end
  row.name, row.recipe, row.seconds, row.inject = case.name, case.recipe or "vultr", task.now() - began, case.inject
  return row
end

-- All of them ----------------------------------------------------------------------------------------------------

local MEANING = { [0] = "done", [1] = "put back", [3] = "done", [4] = "refused", [5] = "put back", [6] = "kept",
  [7] = "locked", [8] = "kept", [9] = "moved, kept", [11] = "NOT all put back" }

local function print_row(row, says)
  local outcome = row.skip and "SKIPPED: " .. row.skip
    or ("%s (%s%s)"):format(MEANING[row.code] or "?", row.code or "-", row.id and " " .. row.id or "")
  term.out(("# %s | %s | %s | %s | %s | %.1f s\n"):format(row.recipe, row.name, row.seen or "-", outcome,
    row.after or "-", row.seconds))
  for _, complaint in ipairs(row.complaints) do
    term.out(("#   WRONG: %s\n"):format((complaint:gsub("\n", "\n#     "))))
  end
  if says then term.out(((row.output or ""):gsub("[^\n]+", "#     %0"))) end
end

-- Cases that can share a world: of one recipe, with the same data.
local function shares(list)
  local open, found = {}, {}
  for i, case in ipairs(list) do
    case.then_ = case.then_ or i % 3 == 0 and "rollback" or "resume"
    local key = (case.recipe or "vultr") .. (case.data or "")
    local share = open[key]
    if not share or #share.cases == IN_ONE_WORLD then
      share = { recipe = case.recipe or "vultr", data = case.data, cases = {} }
      open[key], found[#found + 1] = share, share
    end
    share.cases[#share.cases + 1] = case
  end
  return found
end

-- Until a case goes wrong: what it has left behind is no fault of the next one.
local function run_share(share, profile, rows, on_row)
  local at = 0
  while at < #share.cases do
    proxied.run(share.recipe, { sql = sql_of(share.data) }, function(world)
      repeat
        at = at + 1
        local row = driver.run_case(share.cases[at], world, profile)
        rows[#rows + 1] = row
        on_row(row)
      until at == #share.cases or #row.complaints > 0
    end)
  end
end

---Runs all the cases, and prints a row for each.
---@param list table[]
---@param profiles table
---@param o {lanes: integer, say?: boolean}
---@return table[] rows
function driver.run(list, profiles, o)
  local rows = {}
  task.map(shares(list), { limit = o.lanes }, function(share)
    run_share(share, profiles[share.recipe], rows, function(row) print_row(row, o.say) end)
  end)
  return rows
end

return driver
