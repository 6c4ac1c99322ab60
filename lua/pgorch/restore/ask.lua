-- Asks Heroku for a restore, once: waits for what else runs on the app, looks for one that was asked for before, and
-- remembers before it asks. Two restores at once would mix. Follows nothing, judges nothing.

local fail       = require "pgorch.error"
local poll       = require "pgorch.poll"
local signed_url = require "pgorch.signed_url"
local source     = require "pgorch.source"
local task       = require "pgorch.task"

local ask = {}

local ANSWERS = 300              -- seconds that a target which restarts may take

---Seconds that a transfer may wait in Heroku's queue.
---@param ctx pgorch.Context
---@return number
function ask.pending_limit(ctx) return ctx.params.restore_pending or 1800 end

local function usable(transfer)
  return transfer and transfer.state ~= "canceled" and transfer.state ~= "failed" and transfer or nil
end

local function still_runs(running)
  return ("transfer %d of this app is %s"):format(running.num, running.state)
end

-- Somebody's backup by schedule is over in a while; what does not end is named.
local function wait_for_others(ctx, database)
  local since, said = task.now(), nil
  while true do
    local running = database:unfinished_transfer()
    if not running then return end
    if task.now() - since > ask.pending_limit(ctx) then
      fail.raise("PGO-LOCKED", still_runs(running) .. ": two at once would mix", { retryable = true,
        cure = ("Wait for it, or stop it: heroku pg:backups:cancel --app %s; then resume."):format(ctx.params.app) })
    end
    if said ~= running.num then ctx:note(still_runs(running) .. ", and not ours: waited for its end") end
    said = running.num
    ctx:progress { text = "waiting: " .. still_runs(running) }
    task.sleep(poll.seconds "transfer")
  end
end

-- What is in the database came from a restore of ours only if Heroku really was asked for one: an interrupted attempt
-- remembers before it asks, and what it asked for is found, failed or cancelled, too.
local function was_asked(ctx, database)
  local recall = ctx.recall
  return recall ~= nil and (recall.uuid ~= nil or database:find_restore(recall.key) ~= nil)
end

-- It was empty when the preflight looked; this is the last moment at which that can be so.
local function refuse_unconfirmed(ctx)
  if ctx.target:is_ours() or ctx.params.confirm == ctx.params.app then return end
  local conn <close> = ctx.target:connect()
  local tables = conn:value(source.sql "user_tables")
  if tables == 0 then return end
  fail.raise("PGO-CONFIRM", ("%s has %d tables, which the restore would overwrite"):format(ctx.target:name(), tables))
end

-- A database that has just lost its sessions may be restarting.
local function claim(ctx, again)
  local since = task.now()
  while true do
    local ok, err = pcall(ctx.target.claim, ctx.target, ctx)
    if ok then return end
    local passes = again and not task.cancelled(err) and not fail.is(err, "PGO-LOCKED")
    if not passes or task.now() - since > ANSWERS then error(err, 0) end
    ctx:progress { text = "waiting for the database to answer" }
    task.sleep(poll.seconds "connect")
  end
end

-- What the last attempt has left goes: only in a database of ours, or in one that may be overwritten.
local function empty(ctx, database)
  if ctx.target:is_ours() or ctx.params.confirm == ctx.params.app then database:reset() end
end

-- A lost answer may mean a restore that runs: it is looked for before anything is asked again.
local function post(ctx, database, key)
  local ok, answer = pcall(database.restore, database, signed_url.get(ctx),
    { extensions = ctx.result.extensions and ctx.result.extensions.names })
  if ok then return answer end
  if task.cancelled(answer) then error(answer, 0) end
  local found = usable(database:find_restore(key))
  if found then return found end
  error(answer, 0)
end

---The restore of the dump: the one that an interrupted run has asked for, or a new one.
---@param ctx pgorch.Context
---@param database pgorch.heroku.Database
---@param o {key: string, again: boolean}   again: an attempt of this process has failed
---@return pgorch.heroku.Transfer
function ask.restore(ctx, database, o)
  if ctx.recall and not o.again then
    local found = usable(database:find_restore(o.key))
    if found then return found end
  end
  wait_for_others(ctx, database)
  ctx.target:refuse_if_in_use()
  claim(ctx, o.again)
  if not (o.again or was_asked(ctx, database)) then refuse_unconfirmed(ctx) end
  ctx:remember { key = o.key }
  ctx.target:unclaim(ctx)
  if o.again then
    empty(ctx, database)
    ctx:keep("signed_url", nil)           -- one URL for each attempt
  end
  local asked = post(ctx, database, o.key)
  ctx:remember { key = o.key, uuid = asked.uuid, num = asked.num }
  return asked
end

return ask
