-- Makes room in the target before data is brought into it: waits for what else runs there, takes it for this run,
-- refuses what nobody confirmed, empties it. Brings nothing, follows nothing.

local copy       = require "pgorch.copy"
local extensions = require "pgorch.restore.extensions"
local fail       = require "pgorch.error"
local poll       = require "pgorch.poll"
local task       = require "pgorch.task"
local transfers  = require "pgorch.heroku.transfers"

local room = {}

local ANSWERS = 300              -- seconds that a target which restarts may take

---Seconds that a transfer may wait in Heroku's queue.
---@param ctx pgorch.Context
---@return number
function room.pending_limit(ctx) return ctx.params.restore_pending or 1800 end

local function still_runs(running)
  return ("transfer %d of this app is %s"):format(running.num, running.state)
end

---Somebody's backup by schedule is over in a while; what does not end is named.
---@param ctx pgorch.Context
---@param database pgorch.heroku.Database
function room.wait_for_others(ctx, database)
  local since, pause, said = task.now(), poll.pace "transfer", nil
  while true do
    local running = database:unfinished_transfer()
    if not running then return end
    if task.now() - since > room.pending_limit(ctx) then
      fail.raise("PGO-LOCKED", still_runs(running) .. ": two at once would mix", { retryable = true,
        cure = ("Wait for it, or stop it: heroku pg:backups:cancel --app %s; then resume."):format(ctx.params.app) })
    end
    if said ~= running.num then ctx:note(still_runs(running) .. ", and not ours: waited for its end") end
    said = running.num
    ctx:progress { text = "waiting: " .. still_runs(running) }
    task.sleep(pause())
  end
end

---Whether what the database holds may be lost.
---@param ctx pgorch.Context
---@return boolean
function room.may_overwrite(ctx) return ctx.target:is_ours() or ctx.params.confirm == ctx.params.app end

---It was empty when the preflight looked; this is the last moment at which that can be so. Asked before anything is
---remembered: what is put back afterwards is emptied.
---@param ctx pgorch.Context
function room.refuse_unconfirmed(ctx)
  if room.may_overwrite(ctx) then return end
  local conn <close> = ctx.target:connect()
  local text, names = copy.standing(conn)
  if not text then return end
  fail.raise("PGO-CONFIRM", ("%s is not empty, and would be overwritten: %s"):format(ctx.target:name(), text),
    { detail = names })
end

---Takes the database. One that has just lost its sessions may be restarting: it is waited for where `again` says so.
---@param ctx pgorch.Context
---@param again boolean|nil
function room.claim(ctx, again)
  local since, pause = task.now(), poll.pace "connect"
  while true do
    local ok, err = pcall(ctx.target.claim, ctx.target, ctx)
    if ok then return end
    local passes = again and not task.cancelled(err) and not fail.is(err, "PGO-LOCKED")
    if not passes or task.now() - since > ANSWERS then error(err, 0) end
    ctx:progress { text = "waiting for the database to answer" }
    task.sleep(pause())
  end
end

---What the last attempt has left goes: only in a database of ours, or in one that may be overwritten.
---@param ctx pgorch.Context
---@param database pgorch.heroku.Database
function room.empty(ctx, database)
  if room.may_overwrite(ctx) then database:reset() end
end

---Empties the database for a copy from here. A reset ends all sessions, ours too.
---@param ctx pgorch.Context
---@param database pgorch.heroku.Database
function room.empty_and_claim(ctx, database)
  ctx.target:unclaim(ctx)
  database:reset()
  room.claim(ctx, true)
end

---Makes the source's extensions again where they are not there: a reset takes them away, and so did the rollback of an
---earlier attempt.
---@param ctx pgorch.Context
function room.make_extensions(ctx)
  local found = ctx.result.extensions
  if not found then return end
  local conn <close> = ctx.target:connect()
  extensions.create(conn, found.wanted)
end

-- One that was cancelled already, by its owner or by a rollback that was killed, still writes until it has finished.
local function stop(database, uuid)
  local now = transfers.get(database.client, database.billing_app, uuid)
  if now.finished_at then return end
  if not now.canceled_at then database:cancel(uuid) end
  database:follow { uuid = uuid }
end
room.stop = stop

---Undoes a transfer, or a copy. A transfer that still runs would fill the database again after it was emptied. A
---database that is not ours is emptied only if something was really asked for.
---@param ctx pgorch.Context
---@param find fun(database: pgorch.heroku.Database): table|nil   {uuid} of the transfer
---@param began? boolean    something was brought without a transfer
function room.undo(ctx, find, began)
  local database = ctx.target:database()
  local found = find(database)
  if not (found or began) and not ctx.target:is_ours() then return end
  ctx.target:refuse_if_in_use()
  ctx.target:claim(ctx, { if_reachable = true })
  if found then stop(database, found.uuid) end
  database:reset()
  ctx:put_back "target reset"
end

---What to type for it. Nothing that empties a database which an app uses; where that cannot be asked, it is left to
---whoever types it.
---@param ctx pgorch.Context
---@param cancel boolean    a transfer may run
---@return string|nil
function room.by_hand(ctx, cancel)
  local app, is_free, err = ctx.params.app, pcall(ctx.target.refuse_if_in_use, ctx.target)
  if not is_free and task.cancelled(err) then error(err, 0) end
  if not is_free and fail.is(err, "PGO-LOCKED") then return nil end
  return ("%s%sheroku pg:reset %s --app %s"):format(is_free and ""
    or ("heroku config --app %s   # only if nothing there has the address of PGORCH_TARGET_URL:\n"):format(app),
    cancel and ("heroku pg:backups:cancel --app %s\n"):format(app) or "", ctx.target.attachment, app)
end

return room
