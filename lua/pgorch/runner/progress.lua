-- What is seen while a run works: a live line for each running step on a terminal, plain lines elsewhere, JSON Lines
-- for machines. Messages go to standard error, results to standard output. Only writes; decides nothing.

local clock   = require "pgorch.clock"
local env     = require "pgorch.env"
local json    = require "pgorch.json"
local log     = require "pgorch.log"
local lines   = require "pgorch.runner.lines"
local native  = require "pgorch.native.host"
local pace    = require "pgorch.runner.pace"
local summary = require "pgorch.runner.summary"
local task    = require "pgorch.task"
local term    = require "pgorch.term"

local progress = {}

local PLAIN_SECONDS = 10

---@class pgorch.Display
---@field mode "live"|"plain"|"json"
---@field running table[]   steps that run now, in order of their start
---@field session pgorch.Session|nil   of the run, once it has begun
---@field listener {heard: fun(self: table, kind: string, event: table)}|nil   hears everything too
local Display = {}
Display.__index = Display

-- The live block: as many lines as there are running steps, redrawn in place.
local function erase(self)
  if self.drawn > 0 then term.err(("\27[%dA\27[J"):format(self.drawn)) end
  self.drawn = 0
end

local function draw(self)
  if self.mode ~= "live" or #self.running == 0 then return end
  local width, block = math.min(term.width(), 120), {}
  for i, step in ipairs(self.running) do
    block[i] = lines.clip(lines.running(step, task.now()), width - 1) .. "\n"
  end
  term.err(table.concat(block))
  self.drawn = #block
end

-- A line that stays.
local function say(self, text)
  erase(self)
  term.err(text .. "\n")
  draw(self)
end

local function find(self, id)
  for at, step in ipairs(self.running) do
    if step.id == id then return step, at end
  end
end

local function stop(self, id)
  local step, at = find(self, id)
  if at then table.remove(self.running, at) end
  return step or { began = task.now() }
end

-- What a step has to tell stands below its own line, once that is there.
local function indented(text) return (text:gsub("[^\n]+", "      %0")) end

local function tell_later(self, id, text)
  local step = find(self, id) or find(self, "undo " .. id)
  if self.quiet then return end
  if not step then return say(self, indented(text)) end
  step.later = step.later or {}
  table.insert(step.later, text)
end

local function tell(self, step)
  for _, text in ipairs(step.later or {}) do say(self, indented(text)) end
end

local on = {}

local function tell_window(self, row)
  say(self, "  " .. self:paint("bold", lines.window_open(row.started_at, self.session.host.deadline)))
end

-- What is told of the run's deadline and of its window from now on.
local function take_up(self, session)
  self.session = session
  if session.host.deadline then say(self, lines.deadline(session.host.deadline)) end
end

function on.run_started(self, e)
  say(self, lines.heading(e.session, "started", self))
  take_up(self, e.session)
end

local function step_that(session, does)
  for id, step in pairs(session.steps) do
    if step[does] then return session.rows[id] end
  end
end

local function is_done(row) return row ~= nil and row.state == "done" end

function on.resumed(self, e)
  say(self, lines.resumed(e, self))
  take_up(self, e.session)
  local opens = step_that(e.session, "opens_window")
  if is_done(opens) and not is_done(step_that(e.session, "closes_window")) then tell_window(self, opens) end
end

function on.rollback_started(self, e)
  say(self, ("putting back run %s (%s)"):format(e.session.run.id, e.session.recipe.name))
end

function on.section(self, e)
  self.section = e.title
end

local function head(self)
  if self.section and not self.quiet then say(self, self:paint("bold", self.section)) end
  self.section = nil
end

function on.step_started(self, e)
  head(self)
  self.running[#self.running + 1] = { id = e.id, title = e.title, began = task.now(), said = task.now() }
end

function on.progress(self, e)
  local step = find(self, e.id)
  if step then lines.note_progress(step, e, task.now()) end
end

function on.step_done(self, e)
  local step = stop(self, e.id)
  if not self.quiet then say(self, lines.done(e, task.now() - step.began, self)) end
  tell(self, step)
  local opens = self.session and self.session.steps[e.id]
  if opens and opens.opens_window then tell_window(self, e.row) end
end

function on.step_skipped(self, e)
  if self.verbose then say(self, ("  %s %s (not needed)"):format(self:paint("dim", "-"), e.id)) end
end

function on.step_failed(self, e)
  local step = stop(self, e.id)
  say(self, lines.failed(e, task.now() - step.began, self))
  tell(self, step)
end

function on.note(self, e) tell_later(self, e.id, e.text) end

function on.warn(self, e)
  say(self, ("  %s %s: %s"):format(self:paint("yellow", "!"), e.id, e.text))
end

function on.table(self, e)
  if not e.table.summary then tell_later(self, e.id, summary.table(e.table)) end
end

function on.put_back(self, e) tell_later(self, e.id, e.text) end

function on.undo_started(self, e)
  self.running[#self.running + 1] = { id = "undo " .. e.id, title = "undo: " .. e.title, began = task.now(),
                                      said = task.now() }
end

function on.undo_done(self, e)
  local step = stop(self, "undo " .. e.id)
  if not self.quiet then say(self, lines.undone(e, task.now() - step.began, self)) end
  tell(self, step)
end

function on.undo_failed(self, e)
  local step = stop(self, "undo " .. e.id)
  say(self, lines.undo_failed(e, self))
  tell(self, step)
end

function on.gate_waits(self, e)
  say(self, ("waiting for approval: \"%s\"   pgorch approve %s"):format(e.title, e.run))
end

function on.group_waits(self, e) say(self, e.text) end

function on.gate_asks(self) erase(self) end

function on.gate_passed(self, e)
  say(self, ("  %s %s (%s)"):format(self:paint("green", self.tick_mark), e.title, e.how))
end

function on.cut_over(self)
  say(self, "  " .. self:paint("bold", "the point of no return is passed"))
end

function on.message(self, e) say(self, e.text) end

-- Ctrl-C is no error to be explained: what stands is said at the end.
function on.failed(self, e)
  erase(self)
  if e.error.kind ~= "cancelled" then say(self, lines.explain(e.error, self)) end
  if (e.pending or 0) > 0 then say(self, "putting back what was done:") end
end

function on.ended(self, e)
  erase(self)
  self.running = {}
  local text = summary.text(e, self)
  if self.mode ~= "json" then term.out(text) end
end

---Something has happened. Never raises, never waits.
---@param kind string
---@param event table
function Display:emit(kind, event)
  if self.listener then self.listener:heard(kind, event) end
  if self.mode == "json" then
    local fields
    if kind == "progress" then fields = self.pace:take(event, task.now()) else fields = summary.json(kind, event) end
    if fields then
      fields.event, fields.at = kind, clock.iso()
      term.out(json.encode(fields) .. "\n")
    end
  elseif on[kind] then
    on[kind](self, event)
  end
end

-- Plain output says every few seconds where a long step is.
local function say_progress(self)
  local now = task.now()
  for _, step in ipairs(self.running) do
    if now - step.said >= PLAIN_SECONDS then
      step.said = now
      say(self, lines.running(step, now))
    end
  end
end

---Called twice a second while something runs.
function Display:tick()
  if self.mode == "live" then
    erase(self)
    draw(self)
  elseif self.mode == "plain" and not self.quiet then
    say_progress(self)
  end
end

local CODES = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33" }

---@param how "bold"|"dim"|"red"|"green"|"yellow"
---@param text string
---@return string
function progress.paint(how, text) return ("\27[%sm%s\27[0m"):format(CODES[how], text) end

---@param how string   as of progress.paint
---@param text string
---@return string
function Display:paint(how, text)
  return self.colour and progress.paint(how, text) or text
end

---Whether the flags and the terminal want colours, and lines that are drawn again in place.
---@param host table
---@param file 1|2   standard output, or standard error
---@return boolean
function progress.wants_colour(host, file)
  return not host["no-color"] and not env.get("NO_COLOR") and env.get("TERM") ~= "dumb" and term.is_tty(file)
end

---Whether the terminal shows more letters than ASCII has.
---@return boolean
function progress.is_utf8()
  local locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
  return locale:lower():find("utf%-?8") ~= nil
end

---A display as the flags and the terminal want it. Takes over the log's messages.
---@param host table  flags: json, no-color, q, v
---@return pgorch.Display
function progress.new(host)
  local colour = progress.wants_colour(host, 2)
  local self = setmetatable({
    mode = host.json and "json" or colour and not host.quiet and "live" or "plain", colour = colour, quiet = host.quiet,
    verbose = host.verbose, running = {}, drawn = 0, pace = pace.new(), tick_mark = progress.is_utf8() and "✓" or "ok",
    cross_mark = progress.is_utf8() and "✗" or "FAIL",
  }, Display)
  if host.verbose then log.level = "debug" end
  if self.mode == "json" then
    self:emit("version", { pgorch = native.version, format = 1 })
  else
    log.sink = function(level, message) say(self, (level == "info" and "" or level .. ": ") .. message) end
  end
  return self
end

return progress
