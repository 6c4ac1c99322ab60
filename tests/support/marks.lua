-- Runs of fixtures/recipes/marks.lua as child processes, in a folder of their own: what the runner's tests share.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local marks = { RECIPE = host.cwd() .. "/tests/fixtures/recipes/marks.lua" }

---@class Marks
---@field folder string
---@field log string   the file that the steps write into
---@field state string|nil  another record of runs
---@field prefix string[]|nil  words before the program: where it runs
local Marks = {}
Marks.__index = Marks

---@return Marks
function marks.new()
  local folder = fs.mkdtemp "pgorch-marks-"
  return setmetatable({ folder = folder, log = folder .. "/log" }, Marks)
end

function Marks:close() fs.remove_tree(self.folder) end
Marks.__close = Marks.close

function Marks:argv(...)
  local words = { host.executable(), ... }
  if self.prefix then words = table.move(words, 1, #words, #self.prefix + 1, { table.unpack(self.prefix) }) end
  words.env = { PGORCH_STATE = self.state or "sqlite:" .. self.folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1" }
  words.check, words.stdin, words.timeout = false, "", 60
  return words
end

---@return table ended  code, stdout, stderr
function Marks:pgorch(...) return process.run(self:argv(...)) end

local function run_words(self, ...) return "run", marks.RECIPE, "--log", self.log, "--run-id", "r1", ... end

---`pgorch run` to its end.
function Marks:run(...) return self:pgorch(run_words(self, ...)) end

---A process that works: its standard error is a stream. `words` is a whole command, or what follows `run`.
function Marks:spawn(words)
  local argv = words[1] and words[1]:match "^%-%-" == nil and self:argv(table.unpack(words))
    or self:argv(run_words(self, table.unpack(words)))
  argv.stderr, argv.stdout = "stream", "stream"
  return process.spawn(argv)
end

---What such a process wrote, and how it ended.
---@return {code: integer, signal: string|nil, stderr: string, stdout: string}
function marks.ended(child)
  local said, told
  task.group(function(group)
    group:spawn(function() said = child.stderr:read_all(1 << 20) end)
    told = child.stdout:read_all(1 << 20)
  end)
  local ended = child:wait()
  return { code = ended.code, signal = ended.signal, stderr = said, stdout = told }
end

---@return string[]
function Marks:lines()
  local list = {}
  for line in (fs.exists(self.log) and fs.read(self.log) or ""):gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

function Marks:count(text)
  local n = 0
  for _, line in ipairs(self:lines()) do
    if line == text then n = n + 1 end
  end
  return n
end

function Marks:wait_for(mark)
  while self:count(mark) == 0 do task.sleep(0.03) end
end

---@return table  `pgorch status --json`
function Marks:status(id) return json.decode(self:pgorch("status", id or "r1", "--json").stdout) end

---@return table[]  the runs of `pgorch status --json`
function Marks:runs()
  local list = {}
  for line in self:pgorch("status", "--json").stdout:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  return table.move(list, 2, #list + 1, 1)
end

function Marks:wait_for_state(state)
  while not self.state and not fs.exists(self.folder .. "/state.db") or self:pgorch("status", "r1", "--json").code ~= 0
    or self:status().state ~= state do task.sleep(0.05) end
end

---fn(record) on the record of runs.
function Marks:record(fn)
  local record <close> = store.open("sqlite:" .. self.folder .. "/state.db")
  return fn(record)
end

return marks
