-- A prompt at which Lua is typed, and may wait. Ctrl-C cancels what runs, or empties the line; Ctrl-D leaves. Modules
-- of the library are there by their names. Without a terminal it reads a script, line by line, without prompts.

local fail    = require "pgorch.error"
local history = require "pgorch.repl.history"
local inspect = require "pgorch.repl.inspect"
local native  = require "pgorch.native.task"
local resource = require "pgorch.resource"
local task    = require "pgorch.task"
local terminal = require "pgorch.native.term"

local repl = {}

local PROMPT, MORE = "> ", ">> "

-- How long what is left running gets to end, when the prompt is left.
local LEAVE_SECONDS = 20

---@class pgorch.Repl
---@field globals table
---@field editor table|nil     on a terminal
---@field history string|nil   the file
---@field left table[]         scopes in which something still runs, such as a server
---@field failed boolean       something of the script has failed
local Repl = {}
Repl.__index = Repl

local function globals()
  return setmetatable({}, { __index = function(_, name)
    if _G[name] ~= nil then return _G[name] end
    local module = type(name) == "string" and resource.find(("pgorch/%s.lua"):format(name))
    if module then return require("pgorch." .. name) end
  end })
end

-- --- what may be interrupted ---

-- Scopes that are empty by now are closed.
local function sweep(self)
  local left = {}
  for _, scope in ipairs(self.left) do
    if not scope:close() then left[#left + 1] = scope end
  end
  self.left = left
end

-- A server that was begun goes on: its scope is kept open behind the task that leaves it.
local function leave(self, scope)
  if not pcall(scope.leave, scope) then self.left[#self.left + 1] = scope end
end

---Runs fn until it ends, or until Ctrl-C: then it is cancelled, and cleans up. A second one leaves pgorch at once.
---@return "done"|"failed"|"interrupted"
---@return table results   packed; of "failed" its first is the error
local function interruptible(self, fn, ...)
  local event, scope, over = task.event(), native.scope_enter(false), false
  self.group:spawn(function()
    event:wait()
    if not over then scope:cancel "interrupted" end
  end)
  native.on_interrupt(event)
  local results = table.pack(xpcall(fn, fail.handler, ...))
  native.on_interrupt(nil)
  over = true
  local was_interrupted = event:is_set()
  event:set()                                                  -- the one who waits for it ends
  leave(self, scope)
  native.check()
  if results[1] then return "done", table.pack(table.unpack(results, 2, results.n)) end
  if was_interrupted and task.cancelled(results[2]) then return "interrupted", {} end
  return "failed", { results[2] }
end

-- --- one piece of code ---

-- A chunk; or nil and true when more has to be typed, nil and what is wrong.
local function compile(text, env)
  text = text:gsub("^%s*=", "return ")
  local given, not_given = load("return " .. text, "=repl", "t", env)
  if given then return given end
  local chunk, problem = load(text, "=repl", "t", env)
  if chunk then return chunk end
  return nil, (not_given:find "near <eof>$" or problem:find "near <eof>$") ~= nil or problem
end

local function read_line(self, prompt)
  if self.editor then return self.editor:line(prompt) end
  return terminal.line()
end

-- All lines of one piece: nil at the end of the input. "interrupted" empties it.
local function read(self)
  local lines = {}
  while true do
    local how, got = interruptible(self, read_line, self, #lines == 0 and PROMPT or MORE)
    if how ~= "done" then return how, got[1] end
    if got[1] == nil then return "end", lines end
    lines[#lines + 1] = got[1]
    local chunk, problem = compile(table.concat(lines, "\n"), self.globals)
    if problem ~= true then return "done", lines, chunk, problem end
  end
end

-- The frames of what was typed; those of the prompt say nothing, and one frame alone says what the message does.
local function own_frames(detail)
  local own = detail:match "^(.-)\n[^\n]*\n%s*pgorch/repl%.lua" or detail
  return select(2, own:gsub("\n", "")) > 2 and own or nil
end

local function complain(self, err)
  self.failed = true
  err = fail.wrap(err)
  terminal.err(tostring(err) .. "\n")
  local detail = err.detail and tostring(err.detail)
  if detail and err.id == "PGO-LUA" then detail = own_frames(detail) end
  if detail then terminal.err((detail:gsub("[^\n]+", "    %0")) .. "\n") end
  local cure = fail.cure(err)
  if cure ~= "" and err.id ~= "PGO-LUA" then terminal.err(("    cure: %s\n"):format(cure)) end
end

local function show(results)
  for i = 1, results.n do terminal.out(inspect.text(results[i]) .. "\n") end
end

local function evaluate(self, chunk)
  local how, results = interruptible(self, chunk)
  if how == "interrupted" then return terminal.err(self.editor and "\ninterrupted\n" or "interrupted\n") end
  if how == "failed" then return complain(self, results[1]) end
  local shown = table.pack(interruptible(self, show, results))
  if shown[1] == "failed" then complain(self, shown[2][1]) end
end

local function remember(self, lines)
  if not self.editor then return end
  for _, line in ipairs(history.keep(self.history, lines)) do self.editor:remember(line) end
end

-- --- the session ---

local function open_editor(self)
  if not terminal.is_tty(0) or not terminal.is_tty(1) then return end
  self.editor = terminal.editor()
  self.history = history.path()
  for _, line in ipairs(history.read(self.history)) do self.editor:remember(line) end
  terminal.out "Lua that may wait; modules by their names: pg, http, fs, task ... Ctrl-C cancels, Ctrl-D leaves.\n"
end

local function loop(self)
  while true do
    local how, lines, chunk, problem = read(self)
    sweep(self)
    if how == "end" then
      if #lines > 0 then complain(self, fail.new("PGO-LUA", "the input ends before what was begun does")) end
      return
    end
    if how == "interrupted" then
      terminal.out "\n"
    elseif how == "failed" then
      error(lines, 0)
    else
      remember(self, lines)
      if chunk then evaluate(self, chunk) else complain(self, fail.new("PGO-LUA", problem)) end
    end
  end
end

-- What still runs is cancelled, and waited for.
local function close(self)
  for _, scope in ipairs(self.left) do scope:cancel "the prompt was left" end
  pcall(task.shield, LEAVE_SECONDS, function()
    while #self.left > 0 do
      sweep(self)
      task.sleep(0.01)
    end
  end)
  if self.editor then self.editor:close() end
end

---Reads and runs until the end of the input.
---@return integer status   1 when a script has failed somewhere
function repl.run()
  local self = setmetatable({ globals = globals(), left = {} }, Repl)
  open_editor(self)
  task.group(function(group)
    self.group = group
    local ok, err = xpcall(loop, fail.handler, self)
    close(self)
    if not ok then error(err, 0) end
    group:cancel "left"
  end)
  if self.editor then
    terminal.out "\n"
    history.shorten(self.history)
    return 0
  end
  return self.failed and 1 or 0
end

return repl
