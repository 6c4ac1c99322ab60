-- Gates: a person says yes before the run goes on. On a terminal by typing it, elsewhere by `pgorch approve RUN`,
-- beforehand by --yes-cut-over. With --no-input and nobody to ask, the gate is passed, and said so.

local fail  = require "pgorch.error"
local json  = require "pgorch.json"
local task  = require "pgorch.task"
local term  = require "pgorch.term"

local gate = {}

-- Between two looks at the record: local, cheap, and a person is waiting.
local LOOK_SECONDS = 1

-- Whether the step that nobody can put back by himself comes after this gate.
local function leads_past_return(session, item)
  local seen = false
  for _, each in ipairs(session.recipe.steps) do
    seen = seen or each == item
    local row = session.rows[each.id or ""]
    if seen and each.point_of_no_return and not (row and row.state == "done") then return true end
  end
  return false
end

local function tell(session, item)
  if not leads_past_return(session, item) then return end
  session.display:emit("message", { text = ("the point of no return comes after this: until here `pgorch rollback %s` "
    .. "puts everything back, then it may lose what the app writes"):format(session.run.id) })
end

local function ask(session, item)
  session.display:emit("gate_asks", { id = item.id, title = item.title })
  session.asking = true
  local answer = term.ask(("%s [yes/no] "):format(item.title))
  session.asking = false
  answer = answer and answer:lower():match("^%s*(.-)%s*$")
  if answer == "y" or answer == "yes" then return { passed = "yes, on the terminal", waited = true } end
  local said = answer and answer ~= "" and answer or "nothing"
  fail.raise("PGO-GATE", ("\"%s\" was answered with %s"):format(item.title, said))
end

-- The run as it is now; nil when the record cannot be read at the moment: an outage that work would not notice is no
-- reason to give up waiting. `before`: what the last look gave; an outage is told once.
local function look(session, before)
  local ok, run = pcall(session.store.run, session.store, session.run.id)
  if ok then
    session.store:refuse_taken_over(run)   -- looking is no write, which would be refused by itself
    return run
  end
  if not fail.is(run, "PGO-STORE") then error(run, 0) end
  if before then session.display:emit("message", { text = run.message .. "; it is asked again each second" }) end
end

local function wait(session, item)
  session:update { state = "waiting", gate = item.id, approved = json.null }
  session.display:emit("gate_waits", { id = item.id, title = item.title, run = session.run.id })
  local now = session.run
  repeat
    task.sleep(LOOK_SECONDS)
    now = look(session, now)
  until now and now.approved == item.id
  session:update { state = "running", gate = json.null }
  return { passed = "approved", waited = true }
end

---Returns how it was passed; raises PGO-GATE when the answer is no.
---@param session table
---@param item table
---@return {passed: string, waited: boolean|nil}
function gate.pass(session, item)
  local host = session.host
  if host["yes-cut-over"] then return { passed = "--yes-cut-over" } end
  if host["no-input"] then
    local text = ("gate \"%s\" is passed: --no-input, nobody is asked"):format(item.title)
    session.display:emit("message", { text = text })
    return { passed = "--no-input" }
  end
  tell(session, item)
  if term.is_tty(0) and term.is_tty(2) and not host.json then return ask(session, item) end
  return wait(session, item)
end

return gate
