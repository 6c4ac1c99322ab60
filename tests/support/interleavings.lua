-- Every order in which some programs can take their steps, with a kill between any two of them: a search over all that
-- can happen, each state once. A program is a function that calls at(what, fn) for each thing that it does: what others
-- can see happens in fn, at once, and nothing between two calls. Knows nothing of what the programs do.

local interleavings = {}

-- A program that was begun. `seen` is all that it was told since: with where it stands, that is its state.
local function begin(case, name, how)
  local process = { name = name, seen = { how } }
  local function at(what, fn) return coroutine.yield(what, fn) end
  process.thread = coroutine.create(function() case.program(name, how, at) end)
  return process
end

-- Until the next thing to do.
local function advance(process, ...)
  local ok, what, fn = coroutine.resume(process.thread, ...)
  if not ok then error(("%s: %s"):format(process.name, tostring(what)), 0) end
  process.what, process.fn = what, fn
  process.ended = coroutine.status(process.thread) == "dead"
end

local function start(new_case)
  local case = new_case()
  local world = { case = case, processes = {}, kills = case.kills }
  for i, name in ipairs(case.names) do
    world.processes[i] = begin(case, name, "run")
    advance(world.processes[i])
  end
  return world
end

local function step(world, i)
  local process = world.processes[i]
  local answer, seen = table.pack(process.fn()), process.seen
  seen[#seen + 1] = process.what .. "=" .. world.case.show(answer)
  process.seen = world.case.matters(process.what, seen)
  advance(process, table.unpack(answer, 1, answer.n))
end

local function kill(world, i)
  local process = world.processes[i]
  process.killed, process.thread, process.fn = true, nil, nil
  world.kills = world.kills - 1
  world.case.killed(process.name)
end

local function again(world, i, how)
  local name = world.processes[i].name
  world.case.began(name)
  world.processes[i] = begin(world.case, name, how)
  advance(world.processes[i])
end

-- What can happen next.
local function choices(world)
  local list = {}
  for i, process in ipairs(world.processes) do
    if process.killed then
      for _, how in ipairs(world.case.ways) do list[#list + 1] = { again, i, how } end
    elseif not process.ended then
      if world.case.may(process.name, process.what) then list[#list + 1] = { step, i } end
      if world.kills > 0 then list[#list + 1] = { kill, i } end
    end
  end
  return list
end

local function key(world)
  local parts = { world.case.state(), world.kills }
  for _, process in ipairs(world.processes) do
    parts[#parts + 1] = ("%s|%s|%s"):format(process.killed and "killed" or process.ended and "ended" or process.what,
      process.name, process.killed and "" or table.concat(process.seen, ","))
  end
  return table.concat(parts, "\n")
end

local NAMES = { [step] = "goes on", [kill] = "is killed", [again] = "begins again to" }

local function story(world, path)
  local lines = {}
  for i, choice in ipairs(path) do
    lines[i] = ("%s %s %s"):format(world.case.names[choice[2]], NAMES[choice[1]], choice[3] or choice.what or "")
  end
  return table.concat(lines, "\n")
end

local function problem_of(world, open)
  if #open > 0 then return world.case.wrong() end
  for _, process in ipairs(world.processes) do
    if not process.ended then return "nobody can go on" end
  end
  return world.case.wrong() or world.case.wrong_at_end()
end

local function apply(world, choice)
  if choice[1] == step then choice.what = world.processes[choice[2]].what end
  choice[1](world, choice[2], choice[3])
end

-- From one world on, always by the first choice; the others are for later.
local function follow(world, path, seen, later)
  while true do
    local open = choices(world)
    local problem = problem_of(world, open)
    if problem then return problem .. "\n" .. story(world, path) end
    local state = key(world)
    if seen[state] or #open == 0 then return end
    seen[state] = true
    seen.count = seen.count + 1
    for i = 2, #open do
      local other = table.move(path, 1, #path, 1, {})
      other[#other + 1] = open[i]
      later[#later + 1] = other
    end
    path[#path + 1] = open[1]
    apply(world, open[1])
  end
end

---@class InterleavingsCase
---@field names string[]
---@field program fun(name: string, how: string, at: fun(what: string, fn: function): ...)
---@field kills integer                   how many there may be, all in all
---@field ways string[]                   how one that was killed may begin again
---@field may fun(name: string, what: string): boolean   can it go on now?
---@field state fun(): string             all that is outside of the programs
---@field show fun(answer: table): string
---@field matters fun(what: string, seen: string[]): string[]  what of all that it was told still decides what it does
---@field killed fun(name: string)
---@field began fun(name: string)
---@field wrong fun(): string|nil         what must not be, at any time
---@field wrong_at_end fun(): string|nil

---@param new_case fun(): InterleavingsCase  a new one for each order that is tried
---@return integer states   how many there are
---@return string|nil wrong  the first that must not be, and how it came to that
function interleavings.search(new_case)
  local seen, later = { count = 0 }, { {} }
  while #later > 0 do
    local path = table.remove(later)
    local world = start(new_case)
    for _, choice in ipairs(path) do apply(world, choice) end
    local wrong = follow(world, path, seen, later)
    if wrong then return seen.count, wrong end
  end
  return seen.count
end

return interleavings
