-- "Restore Backup on Heroku": Heroku downloads the dump by its signed URL and restores it; the transfer is followed to
-- its end and every line of its log is judged. Asked for once: a transfer is known by the dump's path in its URL.

local recipe     = require "pgorch.recipe"
local ask        = require "pgorch.restore.ask"
local extensions = require "pgorch.restore.extensions"
local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local preflight  = require "pgorch.preflight"
local poll       = require "pgorch.poll"
local task       = require "pgorch.task"
local planned    = require "pgorch.plan.database"
local source     = require "pgorch.source"
local times      = require "pgorch.plan.times"
local transfers  = require "pgorch.heroku.transfers"
local values     = require "pgorch.recipe.values"
local verdict    = require "pgorch.restore.verdict"
local watch      = require "pgorch.restore.watch"

local ATTEMPTS = 3

-- One note for each reason, with how often it occurred: the lines themselves are in restore.log.
local function show_harmless(ctx, harmless)
  local counts, order, classes = {}, {}, {}
  for _, each in ipairs(harmless) do
    if not counts[each.why] then order[#order + 1] = each.why end
    counts[each.why] = (counts[each.why] or 0) + 1
  end
  for i, why in ipairs(order) do
    ctx:note(("harmless, %d times: %s"):format(counts[why], why))
    classes[i] = { why = why, count = counts[why] }
  end
  return classes
end

local function names_of_mended(ctx, judged)
  local names = {}
  for i, each in ipairs(judged.mended) do names[i] = each.name end
  if #names > 0 then ctx:note(("%s after the restore"):format(preflight.number(#names, "materialized view is refreshed",
    "materialized views are refreshed"))) end
  return names
end

-- Steps that the recipe has after this one: some of them mend what a restore cannot do.
local function later_steps(ctx)
  local later, passed = {}, false
  for _, id in ipairs(ctx.recipe.steps) do
    if passed then later[id] = true end
    passed = passed or id == "restore"
  end
  return later
end

-- One that waits in Heroku's queue for too long is cancelled, and asked for once more.
local function follow(ctx, database, asked, is_last)
  local limit = ask.pending_limit(ctx)
  local eye = watch.new(ctx.target, { dump = ctx.result.dump_to_store.bytes, source = ctx.result.size.bytes })
  local o = { uuid = asked.uuid, pending_limit = limit,
              progress = function(t) ctx:progress(eye:progress(t)) end }
  local ok, done = pcall(database.follow, database, o)
  if ok then return done, false end
  if not fail.is(done, "PGO-RESTORE-STUCK") or done.state ~= "pending" or is_last then error(done, 0) end
  ctx:note(("restore %s was pending for %s: canceled, and asked for again"):format(verdict.name(asked),
    values.show_duration(limit)))
  database:cancel(asked.uuid)
  done = database:follow { uuid = asked.uuid }
  return done, done.state == "canceled"
end

local function keep_log(ctx, done, number)
  local path = ctx.run.dir .. "/restore.log"
  if number > 1 and fs.exists(path) then fs.rename(path, ("%s/restore-%d.log"):format(ctx.run.dir, number - 1)) end
  fs.write(path, table.concat(verdict.lines(done), "\n") .. "\n")
end

-- One attempt. Returns nothing when another one may succeed. `state.pending`: one has waited in vain already.
local function attempt(ctx, database, number, state)
  local key = ctx.result.dump_to_store.key
  local asked = ask.restore(ctx, database, { key = key, again = number > 1 })
  local done, given_up = follow(ctx, database, asked, number == ATTEMPTS or state.pending)
  state.pending = state.pending or given_up
  if given_up then return end
  keep_log(ctx, done, number)
  local judged, err, transient = verdict.of(done, later_steps(ctx))
  if not err then return done, judged end
  if not transient or number == ATTEMPTS then error(err, 0) end
  local why = judged.lossy[1] and judged.lossy[1].why or "Heroku could not download the dump"
  ctx:note(("%s: %s; asked for again, attempt %d of %d"):format(err.message, why, number + 1, ATTEMPTS))
end

local function run(ctx)
  local database, state, done, judged = ctx.target:database(), {}, nil, nil
  for number = 1, ATTEMPTS do
    done, judged = attempt(ctx, database, number, state)
    if done then break end
    task.sleep(math.max(1, poll.seconds "connect"))     -- a URL signed within the same second would be the same
  end
  ctx.target:claim(ctx, { if_reachable = true })
  local classes = show_harmless(ctx, judged.harmless)
  local wanted = ctx.result.extensions and ctx.result.extensions.wanted or {}
  local have = extensions.tell(ctx, wanted)
  local seconds = transfers.duration(done)
  ctx:note(("restore %s %s"):format(verdict.name(done), seconds and "in " .. values.show_duration(seconds) or "done"))
  return { uuid = done.uuid, num = done.num, seconds = seconds, lines = judged.lines, harmless = #judged.harmless,
           classes = classes, mended = names_of_mended(ctx, judged), extensions = have }
end

-- One that was cancelled already, by its owner or by a rollback that was killed, still writes until it has finished.
local function stop(database, uuid)
  local now = transfers.get(database.client, database.billing_app, uuid)
  if now.finished_at then return end
  if not now.canceled_at then database:cancel(uuid) end
  database:follow { uuid = uuid }
end

-- A restore that still runs would fill the database again after it was emptied. A database that is not ours is emptied
-- only if a restore was really asked for.
local function undo(ctx, result)
  local database = ctx.target:database()
  local found = result.uuid and { uuid = result.uuid } or database:find_restore(result.key or "")
  if not found and not ctx.target:is_ours() then return end
  ctx.target:refuse_if_in_use()
  ctx.target:claim(ctx, { if_reachable = true })
  if found then stop(database, found.uuid) end
  database:reset()
  ctx:put_back "target reset"
end

-- Nothing that empties a database which an app uses. Where that cannot be asked, it is left to whoever types it.
local function by_hand(ctx)
  local app, is_free, err = ctx.params.app, pcall(ctx.target.refuse_if_in_use, ctx.target)
  if not is_free and task.cancelled(err) then error(err, 0) end
  if not is_free and fail.is(err, "PGO-LOCKED") then return nil end
  return ("%sheroku pg:backups:cancel --app %s\nheroku pg:reset %s --app %s"):format(is_free and ""
    or ("heroku config --app %s   # only if nothing there has the address of PGORCH_TARGET_URL:\n"):format(app), app,
    ctx.target.attachment, app)
end

-- What a database that is not ours holds is lost.
local function contents(ctx)
  if ctx.target:is_ours() then return "empty, ours" end
  local conn <close> = ctx.target:connect()
  local tables = conn:value(source.sql "tables_to_lose")
  return tables == 0 and "empty" or preflight.number(tables, "table") .. " in it lost"
end

local function plan(ctx) return ("! restore into %s (%s)"):format(planned.name(ctx), contents(ctx)) end

return recipe.step {
  id = "restore", title = "Restore at Heroku", effect = "destroy", run = run, undo = undo, undo_when = "failure",
  needs = { "size", "dump_to_store" },
  plan = plan,
  estimate = function(ctx) return 20 + times.at("restore", ctx.result.size.bytes) end,
  stands = function(result)
    return result.lines and "the copy is in the target" or "the target may be half filled"    -- asked for, at least
  end,
  undo_estimate = 120,                     -- cancelled, waited for, the database emptied
  goes_on = function(did)
    return did.num and ("Heroku's restore %s is not stopped by this"):format(verdict.name(did))
      or "Heroku may have been asked for a restore, which is not stopped by this"
  end,
  by_hand = by_hand,
}
