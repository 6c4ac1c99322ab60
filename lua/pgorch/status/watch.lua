-- `pgorch status --watch`: looks at the record every second and tells what has changed, until no process works any
-- more. On a terminal the steps at work stay below as a live block; elsewhere each change is a line; with --json each
-- new event of the log is one. Progress in bytes is not in the record: of a running step its time is shown.

local clock    = require "pgorch.clock"
local detail   = require "pgorch.status.detail"
local json     = require "pgorch.json"
local lines    = require "pgorch.runner.lines"
local list     = require "pgorch.status.list"
local meaning  = require "pgorch.runner.meaning"
local moment   = require "pgorch.report.moment"
local native   = require "pgorch.native.host"
local recorded = require "pgorch.report.recorded"
local report   = require "pgorch.report"
local task     = require "pgorch.task"
local term     = require "pgorch.term"

local watch = {}

local LOOK_SECONDS = 1

-- A run whose process is gone: it is as if it had been stopped.
local STOPPED = 8

---@class pgorch.status.Watch
---@field live boolean     a terminal: the block is drawn again in place
---@field drawn integer    lines of the block
local Watch = {}
Watch.__index = Watch

local function new(host)
  return setmetatable({ live = term.is_tty(1) and not host["no-color"], drawn = 0, said = {} }, Watch)
end

function Watch:erase()
  if self.drawn > 0 then term.out(("\27[%dA\27[J"):format(self.drawn)) end
  self.drawn = 0
end

function Watch:say(text)
  self:erase()
  term.out(text .. "\n")
end

-- A block that does not fit the width would wrap, and not be erased as a whole.
function Watch:draw(block)
  if not self.live then return end
  self:erase()
  local width, out = term.width(), {}
  for line in block:gmatch "[^\n]+" do out[#out + 1] = lines.clip(line, width - 1) end
  if #out == 0 then return end
  term.out(table.concat(out, "\n") .. "\n")
  self.drawn = #out
end

local function running(seen)
  local out = {}
  for _, row in ipairs(seen.list) do
    if row.state == "running" or row.state == "undoing" then out[#out + 1] = detail.step(seen, row) end
  end
  return table.concat(out, "\n")
end

-- A step is told again when it is another attempt, or has come further. That it runs is in the live block.
local function tell_steps(self, seen)
  for _, row in ipairs(seen.list) do
    local now = ("%s %d %d"):format(row.state, row.attempt, row.started_at)
    if self.said[row.id] ~= now then
      self.said[row.id] = now
      local in_block = self.live and (row.state == "running" or row.state == "undoing")
      if not in_block then self:say(detail.step(seen, row)) end
    end
  end
end

local function tell_state(self, seen)
  if self.state == seen.state then return end
  self.state = seen.state
  if seen.state == "waiting" then self:say(detail.commands(seen)) end
end

local function status_of(seen) return seen.run.exit_status or (seen.state == "interrupted" and STOPPED) or 0 end

local function follow(self, store, id)
  local seen = recorded.read(store, store:run(id))
  self:say(detail.heading(seen))
  while true do
    tell_steps(self, seen)
    tell_state(self, seen)
    if not recorded.is_working(seen.state) then break end
    self:draw(running(seen))
    task.sleep(LOOK_SECONDS)
    seen = recorded.read(store, store:run(id))
  end
  local out = {}
  detail.below(seen, report.of(seen), out)
  self:say(list.outcome(seen.run, seen.state) .. "\n" .. table.concat(out, "\n"))
  return status_of(seen)
end

local function event_line(kind, fields)
  fields.event = kind
  term.out(json.encode(fields) .. "\n")
end

local function version_line()
  event_line("version", { pgorch = native.version, format = report.FORMAT, at = clock.iso() })
end

---What machines read of these runs, the version first.
---@param all table[]  of list.fields
function watch.lines(all)
  version_line()
  for _, it in ipairs(all) do event_line("status", it) end
end

-- The state as it is, then every new event of the log, then the end.
local function follow_events(store, id)
  local run, last = store:run(id), 0
  version_line()
  event_line("status", list.fields(run, store:outlines()[run.id]))
  while true do
    run = store:run(id)
    local state = recorded.state(run)
    for _, each in ipairs(store:events(run.id)) do
      if each.seq > last then
        event_line(each.kind, { seq = each.seq, at = moment.iso(each.at), run = run.id, data = each.data })
        last = each.seq
      end
    end
    if not recorded.is_working(state) then
      local status = status_of { run = run, state = state }
      event_line("ended", { run = run.id, state = state, status = status, meaning = meaning.OF[status] })
      return status
    end
    task.sleep(LOOK_SECONDS)
  end
end

---One run, until it ends. Returns its exit status.
---@param store pgorch.Store
---@param id string
---@param host table  flags
---@return integer
function watch.run(store, id, host)
  if host.json then return follow_events(store, id) end
  return follow(new(host), store, id)
end

local function all_fields(store)
  local all, outlines, working = {}, store:outlines(), false
  for i, run in ipairs(store:runs()) do
    all[i] = list.fields(run, outlines[run.id])
    working = working or recorded.is_working(all[i].state)
  end
  return all, working
end
watch.all_fields = all_fields

local function changes(self, all)
  local changed = {}
  for _, it in ipairs(all) do
    local now = it.outcome .. " " .. it.attempt
    if self.said[it.id] ~= now then changed[#changed + 1] = it end
    self.said[it.id] = now
  end
  return changed
end

---All runs, until none is at work.
---@param store pgorch.Store
---@param host table  flags
---@return integer
function watch.list(store, host)
  local self = new(host)
  if host.json then version_line() end
  while true do
    local all, working = all_fields(store)
    local changed = changes(self, all)
    if host.json then
      for _, it in ipairs(changed) do event_line("status", it) end
    elseif self.live then
      self:draw(list.text(all, store.path))
    elseif #changed > 0 then
      self:say((list.text(changed, store.path):gsub("%s+$", "")))
    end
    if not working then return 0 end
    task.sleep(LOOK_SECONDS)
  end
end

return watch
