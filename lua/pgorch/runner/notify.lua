-- Tells a URL of yours what happens to a run: begin, gate, cut-over, failure and end, each posted as JSON whose `text`
-- is one sentence (what chat services show). The URL is a secret; it is kept with the run by its place alone. Never
-- delays a run but for its last words, and never fails one: what could not be posted is one warning.

local clock   = require "pgorch.clock"
local fail    = require "pgorch.error"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local meaning = require "pgorch.runner.meaning"
local native  = require "pgorch.native.http"
local poll    = require "pgorch.poll"
local secret  = require "pgorch.secret"
local secrets = require "pgorch.recipe.secrets"
local task    = require "pgorch.task"

local notify = {}

-- One post, how often it is tried, and the longest that the end of a run waits for the last ones.
local POST_SECONDS, TRIES, LAST_SECONDS = 10, 3, 15

---@class pgorch.Notifier
---@field url userdata        a secret
---@field queue table[]       what is not posted yet
---@field session table|nil   known from the first event on
local Notifier = {}
Notifier.__index = Notifier

-- --- what is told ---

local function app_of(session) return session.params.app or session.recipe.name end

local function row_with(session, field)
  for id, step in pairs(session.steps) do
    if step[field] and session.rows[id] then return session.rows[id] end
  end
end

local function iso(microseconds) return microseconds and clock.iso(microseconds // 1000000) end

local function window_of(session)
  local opens, closes = row_with(session, "opens_window"), row_with(session, "closes_window")
  if not opens then return nil end
  return { opened_at = iso(opens.started_at), closed_at = closes and closes.state == "done" and iso(closes.ended_at)
    or nil, open = not (closes and closes.state == "done") and opens.state ~= "undone" }
end

local function title_of(session, id)
  local step = id and session:step_of(id)
  return step and step.title or id
end

local SENTENCES = {
  start = function(_, session, kind)
    return ("%s: run %s (%s) %s"):format(app_of(session), session.run.id, session.recipe.name,
      kind == "resumed" and "goes on" or "has begun")
  end,
  rollback = function(_, session) return ("%s: run %s is being put back"):format(app_of(session), session.run.id) end,
  gate = function(e, session)
    return ("%s: run %s waits at \"%s\". To go on: pgorch approve %s"):format(app_of(session), session.run.id, e.title,
      session.run.id)
  end,
  cut_over = function(_, session)
    return ("%s now uses its new database (run %s); the point of no return is passed"):format(app_of(session),
      session.run.id)
  end,
  failure = function(e, session)
    return ("%s: run %s failed%s: %s %s"):format(app_of(session), session.run.id, e.error.step
      and (" at \"%s\""):format(title_of(session, e.error.step)) or "", e.error.id, e.error.message)
  end,
  finish = function(e, session)
    local part = e.part and (e.window_open and "stopped as asked, the window is OPEN" or "ended as asked")
    local what = e.put_back and e.status == 0 and "put back" or part or meaning.OF[e.status]
    return ("%s: run %s is over: %s (exit %d)"):format(app_of(session), session.run.id, what or "?", e.status)
  end,
}

-- Events of the display, and what they are called here.
local KINDS = { run_started = "start", resumed = "start", rollback_started = "rollback", gate_waits = "gate",
                gate_asks = "gate", cut_over = "cut_over", failed = "failure", ended = "finish" }

local function error_of(err)
  return err and { id = err.id, message = err.message, step = err.step, cure = fail.cure(err) } or nil
end

local function message_of(kind, name, e, session)
  local run = session.run
  return {
    pgorch = require("pgorch.native.host").version, event = name, at = clock.iso(), run = run.id,
    recipe = session.recipe.name, app = session.params.app, attempt = run.attempt, state = run.state,
    kind = run.kind ~= "run" and run.kind or nil, resumed = kind == "resumed" or nil, status = e.status,
    meaning = e.status and meaning.OF[e.status], error = error_of(e.error), window = window_of(session),
    gate = name == "gate" and { id = e.id, title = e.title, approve = "pgorch approve " .. run.id } or nil,
    text = SENTENCES[name](e, session, kind),
  }
end

-- Nothing secret leaves in it, and no mask either: what sends refuses that.
local function body_of(message)
  return (secret.redact(json.encode(message)):gsub("%[secret %x+#%d+%]", "[secret]"))
end

-- A Ctrl-C is no failure: its end is told.
local function is_told(kind, e) return KINDS[kind] and not (kind == "failed" and e.error.kind == "cancelled") end

-- Once for a run, however many could not be told.
local function warn(self, name, err)
  if self.warned then return end
  self.warned = true
  self.display:emit("message", { text = ("warning: %s could not be posted to %s (--notify): %s"):format(name,
    native.origin(self.url), err.message) })
end

---Hears every event of the display. Only queues.
function Notifier:heard(kind, e)
  self.session = e.session or self.session
  if not is_told(kind, e) or not self.session then return end
  local name = KINDS[kind]
  local ok, body = pcall(function() return body_of(message_of(kind, name, e, self.session)) end)
  if not ok then return warn(self, name, fail.wrap(body)) end
  self.queue[#self.queue + 1] = { name = name, body = body }
  self.change:set()
end

-- --- how it is sent ---

local function post(self, message)
  http.request { method = "POST", url = self.url, body = message.body, check = true, timeout = POST_SECONDS,
    connect_timeout = POST_SECONDS, idempotent = true, headers = { ["Content-Type"] = "application/json" },
    retry = { tries = TRIES, base = 1, cap = 5, retry_after_cap = 5 } }
end

-- In order. One whose post was cut short stays in the queue: it may have been heard, and is posted again.
local function drain(self)
  while self.queue[1] do
    local message = self.queue[1]
    local ok, err = pcall(post, self, message)
    if not ok then
      err = fail.wrap(err)
      if task.cancelled(err) then error(err, 0) end
      warn(self, message.name, err)
    end
    if self.queue[1] == message then table.remove(self.queue, 1) end
  end
end

local function work(self)
  while true do
    self.change:wait()
    self.change = task.event()
    self.turn:with(drain, self)
  end
end

local function last_words(self)
  local ok, err = pcall(task.shield, LAST_SECONDS, self.turn.with, self.turn, drain, self)
  if not ok and self.queue[1] then warn(self, self.queue[1].name, fail.wrap(err)) end
end

-- --- where ---

local function read(place) return secrets.read({ notify = place }).notify end

local function check(url)
  local ok, origin = pcall(native.origin, url)
  if not ok then fail.raise("PGO-PARAM", "--notify: what it names holds no URL") end
  local host = origin:match "^http://(.*)$"
  if host and not poll.is_loopback(host) then
    fail.raise("PGO-PARAM", ("--notify: %s would show to everybody on the way what is posted: use https")
      :format(origin))
  end
  return url
end

-- The one place that these flags name. The other flag is emptied, so that a resumed run does not take it up again.
local function place_in(flags)
  local var, path = flags["notify-env"], flags["notify-file"]
  if var and path then fail.raise("PGO-USAGE", "--notify-env and --notify-file: choose one") end
  if var then
    flags["notify-file"] = false
    return { env = var }
  elseif path then
    flags["notify-env"] = false
    return { file = path }
  end
end

-- As given now, else as the run was begun: then a place that is gone by now keeps nobody from going on.
local function url_for(o, run)
  local place = place_in(o.host)
  if place then return check(read(place)) end
  local kept = run and place_in(run.params.host or {})
  if not kept then return nil end
  local ok, url = pcall(function() return check(read(kept)) end)
  if ok then return url end
  o.display:emit("message", { text = "warning: nobody is notified: " .. fail.wrap(url).message })
end

---Runs fn() while its run's events are told to the URL that the flags name, or that the run was begun with.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run|nil   one that exists already
---@param fn fun(): integer
---@return integer status
function notify.around(o, run, fn)
  local url = url_for(o, run)
  if not url then return fn() end
  local self = setmetatable({ url = url, display = o.display, queue = {}, change = task.event(),
                              turn = task.semaphore(1) }, Notifier)
  o.display.listener = self
  local results
  local _, outside = pcall(task.group, function(group)
    group:spawn(work, self)
    results = table.pack(xpcall(fn, fail.handler))
    last_words(self)
    group:cancel "the run is over"
  end)
  o.display.listener = nil
  if not results then error(outside, 0) end
  if not results[1] then error(results[2], 0) end
  return results[2]
end

return notify
