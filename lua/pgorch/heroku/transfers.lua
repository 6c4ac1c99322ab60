-- A transfer is Heroku's record of one restore (or backup, or copy): how to read its state, find it again, follow it.
-- A restore is recognised by the object's path in its from_url, a copy by the name that it was asked for under, never
-- by time; URLs are cut down to that path at once.
-- Never says that a restore is good: succeeded with warnings is for restore_log.lua and verify.lua to judge.

local clock  = require "pgorch.clock"
local fail   = require "pgorch.error"
local pg     = require "pgorch.pg"
local task   = require "pgorch.task"
local poll   = require "pgorch.poll"
local values = require "pgorch.recipe.values"

local transfers = {}

---@class pgorch.heroku.Transfer
---@field uuid string
---@field num integer
---@field from_name string|nil      what whoever asked called the source: a copy's is ours
---@field from_type string|nil      "pg_dump": a copy of a database; "htcat": a restore from a URL
---@field from_path string|nil      path of the URL restored from, without host and signature
---@field to_dbname string|nil      the database that it writes into, where it writes into one
---@field state "pending"|"running"|"succeeded"|"warned"|"canceled"|"failed"
---@field processed integer         bytes; may lag behind the end by two seconds
---@field warnings integer
---@field logs {level: string, message: string}[]|nil

---The state, in the order in which the fields have to be looked at.
---@param t table
---@return string
function transfers.state(t)
  if t.finished_at and t.succeeded == true then return (t.warnings or 0) > 0 and "warned" or "succeeded" end
  if t.canceled_at then return "canceled" end
  if t.finished_at then return "failed" end
  return t.started_at and "running" or "pending"
end

---"https://host/bucket/key?X-Amz-..." -> "/bucket/key".
---@param url string|nil
---@return string|nil
function transfers.url_path(url)
  if type(url) ~= "string" then return nil end
  return (url:gsub("^%a+://[^/]*", ""):gsub("[?#].*$", ""))
end

local function dbname_of(url)
  local ok, dsn = pcall(pg.dsn, url)
  return ok and dsn.dbname or nil
end

---What the API sent, without its URLs.
---@return pgorch.heroku.Transfer
function transfers.read(raw)
  local t = { uuid = raw.uuid, num = raw.num, from_name = raw.from_name, from_type = raw.from_type,
              to_type = raw.to_type,
              from_path = transfers.url_path(raw.from_url), to_dbname = dbname_of(raw.to_url),
              warnings = raw.warnings or 0, processed = raw.processed_bytes or 0, created_at = raw.created_at,
              started_at = raw.started_at, updated_at = raw.updated_at,
              finished_at = raw.finished_at, canceled_at = raw.canceled_at,
              succeeded = raw.succeeded, logs = raw.logs }
  t.state = transfers.state(t)
  return t
end

---All transfers of the app that owns (pays for) the add-on.
---@param client pgorch.heroku.Client
---@param app string name or id
---@return pgorch.heroku.Transfer[]
function transfers.list(client, app)
  local all = {}
  for _, raw in ipairs(client:list("/client/v11/apps/" .. app .. "/transfers", { data = true })) do
    all[#all + 1] = transfers.read(raw)
  end
  return all
end

---@return pgorch.heroku.Transfer
function transfers.get(client, app, id, verbose)
  return transfers.read(client:request("GET",
    ("/client/v11/apps/%s/transfers/%s%s"):format(app, id, verbose and "?verbose=true" or ""), nil, { data = true }))
end

---Restores of the object whose path ends with `key`.
---@param key string
---@return fun(t: pgorch.heroku.Transfer): boolean
function transfers.of_object(key)
  return function(t) return t.from_path ~= nil and t.from_path:sub(-#key) == key end
end

---Copies that were asked for under that name.
---@param name string
---@return fun(t: pgorch.heroku.Transfer): boolean
function transfers.of_name(name)
  return function(t) return t.from_type == "pg_dump" and t.from_name == name end
end

local function find(client, app, is_it)
  local found
  for _, t in ipairs(transfers.list(client, app)) do
    if t.to_type == "pg_restore" and is_it(t) and (not found or t.num > found.num) then found = t end
  end
  return found
end

---The transfer into a database that is meant, the newest if there are several. "Not there" is believed only after two
---look-ups some seconds apart.
---@param client pgorch.heroku.Client
---@param app string
---@param is_it fun(t: pgorch.heroku.Transfer): boolean
---@return pgorch.heroku.Transfer|nil
function transfers.find_surely(client, app, is_it)
  local found = find(client, app, is_it)
  if found then return found end
  task.sleep(poll.seconds "lookup")
  return find(client, app, is_it)
end

-- One that was cancelled still writes until it has finished. One that was cancelled before it started may never finish:
-- after a minute nobody waits for it any more.
local NEVER_STARTED = 60

local function never_starts(t)
  return t.canceled_at and not t.started_at
end

local function has_ended(t)
  return t.finished_at or never_starts(t) and clock.time() - clock.parse_iso(t.canceled_at) > NEVER_STARTED
end

---A transfer of this app that has not ended, if there is one.
---@param elsewhere? fun(t: pgorch.heroku.Transfer): boolean  one that is not looked for
---@return pgorch.heroku.Transfer|nil
function transfers.unfinished(client, app, elsewhere)
  for _, t in ipairs(transfers.list(client, app)) do
    if not has_ended(t) and not (elsewhere and elsewhere(t)) then return t end
  end
end

function transfers.cancel(client, app, uuid)
  client:request("POST", ("/client/v11/apps/%s/transfers/%s/actions/cancel"):format(app, uuid), nil, { data = true })
end

local function stuck(t, since, limit)
  if task.now() - since < limit then return end
  fail.raise("PGO-RESTORE-STUCK", ("transfer %03d is %s and has not moved for %s"):format(t.num, t.state,
    values.show_duration(task.now() - since)), { retryable = true, state = t.state })
end

-- Asks once; trouble that can pass is counted, not raised, until there has been nothing but trouble for long.
local function look(client, app, uuid, trouble)
  local ok, answer = pcall(transfers.get, client, app, uuid)
  if ok then
    trouble.count, trouble.since = 0, nil
    return answer
  end
  if task.cancelled(answer) then error(answer, 0) end
  if answer.status and not answer.retryable and answer.status ~= 404 then error(answer, 0) end
  trouble.count, trouble.since = trouble.count + 1, trouble.since or task.now()
  if trouble.count > 20 and task.now() - trouble.since > 20 * poll.seconds "transfer" then
    fail.raise("PGO-RESTORE-STUCK", "Heroku has not said for a while how the restore goes; it goes on there", {
      retryable = true, cause = answer })
  end
end

-- That minute, for one that is followed: by when it was first seen, as this machine's clock may be far from Heroku's.
local CANCELED_LOOKS = 20

local function gave_up(t, canceled)
  canceled.looks = never_starts(t) and canceled.looks + 1 or 0
  if canceled.looks == 1 then canceled.since = task.now() end
  return canceled.looks > CANCELED_LOOKS and task.now() - canceled.since > CANCELED_LOOKS * poll.seconds "transfer"
end

-- What Heroku's worker and pg_restore write last. Lines may come after finished_at, as its last figures do: a log that
-- has these is whole.
local function is_whole(t)
  for _, line in ipairs(t.logs or {}) do
    local text = tostring(line.message)
    if text == "restore done" or text:find "^pg_restore: warning: errors ignored on restore: %d+$" then return true end
  end
  return false
end

-- At once, and again a moment later if it may have more to say by then.
local function with_log(client, o)
  local function ask()
    return task.retry({ tries = 5, base = 1, on = function(e) return e.retryable or e.status == 404 end },
      transfers.get, client, o.app, o.uuid, true)
  end
  local t = ask()
  if is_whole(t) then return t end
  task.sleep(poll.seconds "settle")
  return ask()
end

---Follows a transfer to its end and returns it with its verbose log.
---@param o {app: string, uuid: string, progress?: fun(t: table), pending_limit?: number, still_limit?: number}
---@return pgorch.heroku.Transfer
function transfers.follow(client, o)
  local trouble, canceled, moved, last = { count = 0 }, { looks = 0 }, task.now(), nil
  local pause = poll.pace "transfer"
  while true do
    local t = look(client, o.app, o.uuid, trouble)
    if t then
      if t.finished_at or gave_up(t, canceled) then break end
      local now = table.concat({ t.state, tostring(t.updated_at), tostring(t.processed) }, "|")
      if now ~= last then last, moved = now, task.now() end
      if o.progress then o.progress(t) end
      stuck(t, moved, t.state == "pending" and (o.pending_limit or 1800) or (o.still_limit or 3600))
    end
    task.sleep(pause())
  end
  local t = with_log(client, o)
  if o.progress then o.progress(t) end
  return t
end

---How long it ran, in seconds, by Heroku's own clock.
---@param t pgorch.heroku.Transfer
---@return number|nil
function transfers.duration(t)
  if not (t.started_at and t.finished_at) then return nil end
  return clock.parse_iso(t.finished_at) - clock.parse_iso(t.started_at)
end

return transfers
