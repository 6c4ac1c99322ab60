-- Asks all the questions, one after the other, and writes the answers down. A question that raises has that as its
-- answer; an answer in which anything is left that belongs to the account is withheld.

local answer    = require "answer"
local client    = require "client"
local clock     = require "pgorch.clock"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local json      = require "pgorch.json"
local questions = require "questions"
local secret    = require "pgorch.secret"
local task      = require "pgorch.task"

local asking = {}

-- What every spelling of "this must not be here" is found by. The redactor knows all secrets of this process.
local FORBIDDEN = { "postgres://%w", "https?://%w", "Bearer", "X%-Amz%-", "HRKU%-", "[%w._-]@[%w-]+%." }

-- What is private in a text, or nil. A bucket may be called like a key of an answer, and is no secret.
local function private_in(text, names)
  if secret.redact(text) ~= text then return "a secret" end
  for value, name in pairs(names) do
    if name ~= "BUCKET" and text:find(value, 1, true) then return "the " .. name end
  end
  for _, pattern in ipairs(FORBIDDEN) do
    if text:find(pattern) then return pattern end
  end
end

local function raised(id, said)
  return { answer = { raised = id, said = said }, raised = true }
end

local function ask(live, question)
  local ok, value = pcall(question.ask, live)
  if not ok then
    if task.cancelled(value) then error(value, 0) end
    value = fail.wrap(value)
    return raised(value.id, answer.mask(value.message, live.names))
  end
  local private = private_in(json.encode { value }, live.names)
  return private and raised("withheld", private .. " is in the answer") or { answer = value }
end

local function document(live, found)
  local not_asked = {}
  for id, why in pairs(questions.not_asked) do not_asked[id] = why end
  return { asked = found, not_asked = not_asked, pgorch = host.version, ["when"] = clock.iso(),
    whom = live.heroku.hosts.loopback and "a stand-in" or "api.heroku.com" }
end

local function ask_all(ctx, live)
  local found, failed = {}, {}
  for i, question in ipairs(questions.list) do
    ctx:progress { text = ("%d of %d: %s"):format(i, #questions.list, question.id) }
    if not (question.real_only and live.heroku.hosts.loopback) then
      local result = ask(live, question)
      if result.raised then failed[#failed + 1] = question.id end
      found[question.id] = { about = question.about, answer = result.answer, timed = question.timed,
        real_only = question.real_only }
    end
  end
  return found, failed
end

---The step's work: asks, and writes the file.
---@param ctx pgorch.Context
---@return table result
function asking.run(ctx)
  local live = client.new(ctx)
  local found, failed = ask_all(ctx, live)
  fs.write(ctx.params.answers, json.encode(document(live, found), { pretty = true }) .. "\n")
  for _, id in ipairs(failed) do ctx:warn(id .. " has no answer: the file says why") end
  ctx:note(("%d questions asked, the answers are in %s"):format(#questions.list, ctx.params.answers))
  return { failed = failed }
end

return asking
