-- "Restore Backup on Heroku": Heroku downloads the dump by its signed URL and restores it; the transfer is followed to
-- its end and every line of its log is judged. Asked for once: a transfer is known by the dump's path in its URL.

local recipe      = require "pgorch.recipe"
local fail        = require "pgorch.error"
local fs          = require "pgorch.fs"
local task        = require "pgorch.task"
local restore_log = require "pgorch.restore_log"
local signed_url  = require "pgorch.signed_url"
local transfers   = require "pgorch.heroku.transfers"
local values      = require "pgorch.recipe.values"

local function usable(transfer)
  return transfer and transfer.state ~= "canceled" and transfer.state ~= "failed" and transfer or nil
end

-- A lost answer may mean a restore that runs: it is looked for before anything is asked again.
local function ask(ctx, database, key)
  local ok, answer = pcall(database.restore, database, signed_url.get(ctx),
    { extensions = ctx.result.extensions and ctx.result.extensions.names })
  if ok then return answer end
  if task.cancelled(answer) then error(answer, 0) end
  local found = usable(database:find_restore(key))
  if found then return found end
  error(answer, 0)
end

local function start(ctx, database, key)
  if ctx.recall then
    local found = usable(database:find_restore(key))
    if found then return found end
  end
  local running = database:unfinished_transfer()
  if running then
    fail.raise("PGO-LOCKED", ("transfer %d still runs on this app: two restores at once would mix"):format(running.num),
      { retryable = true })
  end
  ctx.target:refuse_if_in_use()
  ctx.target:claim(ctx)
  ctx:remember { key = key }
  ctx.target:unclaim(ctx)
  return ask(ctx, database, key)
end

local function messages(transfer)
  local lines = {}
  for _, each in ipairs(transfer.logs or {}) do lines[#lines + 1] = tostring(each.message) end
  return lines
end

local function last(lines, count)
  return table.concat(lines, "\n", math.max(1, #lines - count + 1))
end

local function lossy_detail(judged)
  local parts = {}
  for i, each in ipairs(judged.lossy) do
    if i > 10 then break end
    parts[#parts + 1] = each.text .. "\n  " .. each.why
  end
  return table.concat(parts, "\n")
end

-- One note for each reason, with how often it occurred: the lines themselves are in restore.log.
local function show_harmless(ctx, harmless)
  local counts, order = {}, {}
  for _, each in ipairs(harmless) do
    if not counts[each.why] then order[#order + 1] = each.why end
    counts[each.why] = (counts[each.why] or 0) + 1
  end
  for _, why in ipairs(order) do ctx:note(("harmless, %d times: %s"):format(counts[why], why)) end
end

-- Heroku's word ("succeeded", "warned") only says that pg_restore came to its end.
local function judge(ctx, transfer)
  local lines = messages(transfer)
  fs.write(ctx.run.dir .. "/restore.log", table.concat(lines, "\n") .. "\n")
  local judged = restore_log.classify(lines)
  local name = ("r%03d"):format(transfer.num)
  if transfer.state == "failed" or transfer.state == "canceled" then
    fail.raise("PGO-RESTORE-FAILED", ("restore %s was %s"):format(name, transfer.state), { detail = last(lines, 15) })
  end
  if #judged.lossy > 0 then
    fail.raise("PGO-RESTORE-LOSSY", ("restore %s: %d lossy of %d lines"):format(name, #judged.lossy, judged.lines),
      { detail = lossy_detail(judged) })
  end
  if transfer.warnings > #judged.harmless then
    fail.raise("PGO-RESTORE-LOSSY", ("restore %s finished with %d warnings, its log explains %d"):format(name,
      transfer.warnings, #judged.harmless), { detail = last(lines, 15) })
  end
  show_harmless(ctx, judged.harmless)
  return judged
end

local function run(ctx)
  local database, dump = ctx.target:database(), ctx.result.dump_to_store
  local asked = start(ctx, database, dump.key)
  ctx:remember { key = dump.key, uuid = asked.uuid, num = asked.num }
  local done = database:follow { uuid = asked.uuid, progress = function(t)
    ctx:progress { bytes = math.min(t.processed, dump.bytes), total = dump.bytes, text = t.state }
  end }
  ctx.target:claim(ctx, { if_reachable = true })
  local judged = judge(ctx, done)
  local seconds = transfers.duration(done)
  ctx:note(("restore r%03d %s"):format(done.num, seconds and "in " .. values.show_duration(seconds) or "done"))
  return { uuid = done.uuid, num = done.num, seconds = seconds, lines = judged.lines, harmless = #judged.harmless }
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

return recipe.step {
  id = "restore", title = "Restore at Heroku", effect = "destroy", run = run, undo = undo, undo_when = "failure",
  plan = function(ctx) return "! restore into " .. ctx.target:name() end,
  stands = function(result) return result.lines and "the copy is in the target" or "the target is half filled" end,
  by_hand = function(ctx)
    return ("heroku pg:backups:cancel --app %s\nheroku pg:reset %s --app %s"):format(ctx.params.app,
      ctx.target.attachment, ctx.params.app)
  end,
}
