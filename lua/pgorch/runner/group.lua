-- A run that is a row of a batch's group. At two points it waits for the others: before its app is closed, and before
-- the point of no return. What happens there is decided once for all of them, in the record: all go on, or all are put
-- back because one of them is. Whoever is killed while it waits has come all the same.

local fail = require "pgorch.error"
local poll = require "pgorch.poll"
local task = require "pgorch.task"

local group = {}

---@class pgorch.Member
---@field batch string
---@field group string
---@field row string

local POINTS = { "freeze", "cut_over" }
local BEFORE = { freeze = "before its app is closed", cut_over = "before the cut-over" }

-- Rows in these states do not come: nothing of theirs stands, or somebody has to look at it first.
local GONE = { failed = true, refused = true, blocked = true, attention = true }

-- What the flags say, or said when the run began: `rollback` has none.
local function flag(session, name)
  local kept = session.run.params.host
  return session.host[name] or kept and kept[name]
end

---What the run is to its group; nil when it has none, or the batch has another run for the row by now.
---@param session pgorch.Session
---@return pgorch.Member|nil
function group.member(session)
  local batch, id = flag(session, "in-batch"), flag(session, "batch-row")
  local row = batch and id and session.store:batch_row(batch, id)
  if not row or not row.grp or row.run ~= session.run.id then return nil end
  return { batch = batch, group = row.grp, row = id }
end

local function is_moved(row) return row.state == "done" or row.state == "attention" and row.exit_status == 9 end

-- Those that are still waited for, in words; and the first of those that will not come.
local function others(session, own, point)
  local there, missing, gone = session.store:arrived(own.batch, own.group, point), {}, nil
  for _, row in ipairs(session.store:group_rows(own.batch, own.group)) do
    if row.id ~= own.row and not is_moved(row) then
      if GONE[row.state] then gone = gone or row end
      if not there[row.id] then missing[#missing + 1] = ("%s (%s)"):format(row.id, row.state) end
    end
  end
  return table.concat(missing, ", "), gone
end

-- Who stands before the cut-over is past the freeze, or has none.
local function arrive(session, own, point)
  if point == "cut_over" then session.store:arrive(own.batch, own.group, "freeze", own.row) end
  return session.store:arrive(own.batch, own.group, point, own.row)
end

-- Sets what may be undecided to `abort`. Returns what is decided about the cut-over.
local function abort(session, own, reason)
  local decision
  for _, point in ipairs(POINTS) do
    decision = session.store:abort_group(own.batch, own.group, point, reason)
  end
  return decision
end

local function tell(session, own, item, point, waits_for)
  session.display:emit("group_waits", { id = item.id, group = own.group,
    text = ("group %s: waits for %s %s"):format(own.group, waits_for, BEFORE[point]) })
end

-- One look: what is decided, and why.
local function look(session, own, item, point)
  local decision, reason = arrive(session, own, point)
  if decision then return decision, reason end
  local waits_for, gone = others(session, own, point)
  if gone then
    abort(session, own, ("row %s of its group is %s"):format(gone.id, gone.state))
  elseif waits_for ~= own.told and waits_for ~= "" then
    own.told = waits_for
    tell(session, own, item, point, waits_for)
  end
  return session.store:decision(own.batch, own.group, point)
end

-- An outage of the record that work would not notice is no reason to give up waiting.
local function patient_look(session, ...)
  local ok, decision, reason = pcall(look, session, ...)
  if ok then return decision, reason end
  if not fail.is(decision, "PGO-STORE") then error(decision, 0) end
  if not session.member.away then
    session.display:emit("message", { text = decision.message .. "; it is asked again each second" })
  end
  session.member.away = true
end

local function wait(session, own, item, point)
  local decision, reason = patient_look(session, own, item, point)
  local waited = decision == nil
  while not decision do
    task.sleep(poll.seconds "group")
    decision, reason = patient_look(session, own, item, point)
  end
  if decision == "abort" then fail.raise("PGO-GROUP", reason) end
  return waited
end

local function opens(item)
  if item.opens_window then return true end
  for _, list in ipairs(item.lists or {}) do
    for _, inner in ipairs(list) do
      if inner.opens_window then return true end
    end
  end
  return false
end

---Before a step that closes the app, or cuts over: waits until all others of the group are there, too. Raises PGO-GROUP
---when one of them is put back.
---@param session pgorch.Session
---@param item table      of the recipe's list
---@param done boolean    it has run before
---@return boolean waited
function group.meet(session, item, done)
  local own, point = session.member, item.point_of_no_return and "cut_over" or opens(item) and "freeze"
  if not own or not point or done then return false end
  return wait(session, own, item, point)
end

---Before anything is put back, the others are told to do the same. Raises when that cannot be recorded.
---@param session pgorch.Session
---@param err? table  why
function group.give_up(session, err)
  local own = session.member
  if not own or session:cut_over() then return end
  local reason = err and fail.is(err, "PGO-GROUP") and err.message
    or ("row %s of its group is put back%s"):format(own.row, err and ": " .. err.message or "")
  local decision = session:durably(abort, session, own, reason)
  if decision ~= "go" then return end
  session.display:emit("message", { text = ("the others of group %s cut over without this one: pgorch batch status %s")
    :format(own.group, own.batch) })
end

---A run that stops with its state kept is waited for again. Never raises.
---@param session pgorch.Session
function group.withdraw(session)
  local own = session.member
  if own then pcall(session.durably, session, session.store.withdraw, session.store, own.batch, own.group, own.row) end
end

-- "go" ends it, too: nobody is put back for another one then.
local function undecided(session, own)
  local ok, decision, reason = pcall(session.store.decision, session.store, own.batch, own.group, "cut_over")
  if not ok then return true end
  if decision == "abort" then session.group_reason = reason end
  return not decision
end

---Ends the work when another row of the group is put back.
---@param session pgorch.Session
---@param tasks table
function group.watch(session, tasks)
  local own = session.member
  if not own or session.ending or session:cut_over() then return end
  while undecided(session, own) do task.sleep(poll.seconds "group") end
  if session.group_reason then tasks:cancel "the group" end
end

return group
