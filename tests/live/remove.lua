-- pgorch eval of this file: removes what a run made, known by name alone (PGORCH_LIVE_APP, _BUCKET, _RUN), whatever
-- became of the run, and looks whether it is gone. Says what is still there and how to remove it, and raises then.

local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local heroku = require "pgorch.heroku"
local poll   = require "pgorch.poll"
local s3     = require "pgorch.s3"
local task   = require "pgorch.task"
local term   = require "pgorch.term"

local LONGEST, TRIES = 900, 10         -- a database that is being provisioned may have to be waited for

local name, run = env.get "PGORCH_LIVE_APP" or "", env.get "PGORCH_LIVE_RUN" or ""
-- Names that only tests/live/run makes: no mistake in a variable removes another app.
if not name:match "^pgorch%-live%-%x+$" or not run:match "^live%x+$" then
  fail.raise("PGO-PARAM", ("%q was not made by tests/live/run"):format(name))
end

local function say(format, ...) term.err(format:format(...) .. "\n") end

-- One that is asked for just now may not be seen yet: "not there" is believed twice.
local function surely(look)
  local found = look()
  if found then return found end
  task.sleep(poll.seconds "lookup")
  return look()
end

local function remove_app()
  local client = heroku.client()
  local app, path = client:app(name), "/apps/" .. name
  if not surely(function() return app:info() end) then return say("removed: no app %s was there", name) end
  local addons = app:addons()
  client:request("DELETE", path, nil, { missing = true })
  if app:info() then fail.raise("PGO-HEROKU", name .. " was deleted and is still listed") end
  say("removed: app %s", name)
  for _, addon in ipairs(addons) do
    local found = client:request("GET", "/addons/" .. addon.name, nil, { missing = true })
    if found and not found.state:match "^deprovision" then
      fail.raise("PGO-HEROKU", ("the add-on %s outlived its app"):format(addon.name))
    end
    say("removed: add-on %s", addon.name)
  end
end

local function remove_objects()
  local bucket, prefix = s3.from_environment():bucket(env.get "PGORCH_LIVE_BUCKET"), ("pgorch/%s/"):format(run)
  local aborted, list = bucket:abort_stale_uploads(prefix), bucket:list(prefix)
  for _, object in ipairs(list) do bucket:delete(object.key) end
  if #bucket:list(prefix) > 0 then fail.raise("PGO-S3", prefix .. " was emptied, and objects are listed there") end
  say("removed: %d objects and %d unfinished uploads below %s", #list, aborted, prefix)
end

local function wait() return 4 * poll.seconds "addon" end

-- Each is tried, whatever became of the other; Ctrl-C waits.
local function try(fn, what, by_hand)
  local ok, why = pcall(task.retry, { tries = TRIES, on = wait }, fn)
  if ok then return true end
  say("STILL THERE: %s (%s)\n    remove it by hand: %s", what, tostring(why), by_hand)
  return false
end

task.shield(LONGEST, function()
  local app = try(remove_app, "the app " .. name .. " with its databases, which cost money",
    ("heroku apps:destroy %s --confirm %s"):format(name, name))
  local objects = try(remove_objects, "what lies in the bucket", ("aws s3 rm --recursive s3://%s/pgorch/%s/"):format(
    env.get "PGORCH_LIVE_BUCKET" or "BUCKET", run))
  if not (app and objects) then fail.raise("PGO-UNDO", "not all that was made could be removed") end
end)
