-- A transfer at Heroku until it is a good one: asked for, followed to its end, its log kept and judged line by line;
-- what passes by itself is asked for again. Shared by restores of the dump and by copies that Heroku fetches.

local ask        = require "pgorch.restore.ask"
local extensions = require "pgorch.restore.extensions"
local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local poll       = require "pgorch.poll"
local preflight  = require "pgorch.preflight"
local room       = require "pgorch.restore.room"
local task       = require "pgorch.task"
local transfers  = require "pgorch.heroku.transfers"
local values     = require "pgorch.recipe.values"
local verdict    = require "pgorch.restore.verdict"

local attempts = {}

local MOST = 3

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

local function names_of_mended(ctx, mended)
  local names = {}
  for i, each in ipairs(mended) do names[i] = each.name end
  if #names > 0 then ctx:note(preflight.number(#names, "materialized view is refreshed later",
    "materialized views are refreshed later")) end
  return names
end

---Tells what was complained of, and what became of the extensions.
---@param ctx pgorch.Context
---@param judged {harmless: pgorch.restore.Verdict[], mended: pgorch.restore.Verdict[]}
---@return {classes: table[], mended: string[], extensions: table[]}
function attempts.tell(ctx, judged)
  local wanted = ctx.result.extensions and ctx.result.extensions.wanted or {}
  return { classes = show_harmless(ctx, judged.harmless), mended = names_of_mended(ctx, judged.mended),
           extensions = extensions.tell(ctx, wanted) }
end

---Steps that the recipe has after this one: some of them mend what a restore cannot do.
---@param ctx pgorch.Context
---@param id string
---@return table<string, boolean>
function attempts.later_steps(ctx, id)
  local later, passed = {}, false
  for _, each in ipairs(ctx.recipe.steps) do
    if passed then later[each] = true end
    passed = passed or each == id
  end
  return later
end

-- One that waits in Heroku's queue for too long is cancelled, and asked for once more.
local function follow(ctx, database, asked, o)
  local limit = room.pending_limit(ctx)
  local ok, done = pcall(database.follow, database, { uuid = asked.uuid, pending_limit = limit,
    progress = function(t) ctx:progress(o.watch:progress(t)) end })
  if ok then return done, false end
  if not fail.is(done, "PGO-RESTORE-STUCK") or done.state ~= "pending" or o.is_last then error(done, 0) end
  ctx:note(("%s was pending for %s: canceled, and asked for again"):format(verdict.what(asked),
    values.show_duration(limit)))
  database:cancel(asked.uuid)
  done = database:follow { uuid = asked.uuid }
  return done, done.state == "canceled"
end

local function keep_log(ctx, done, number)
  local path = ctx.run.dir .. "/restore.log"
  if number > 1 and fs.exists(path) then fs.rename(path, ("%s/restore-%d.log"):format(ctx.run.dir, number - 1)) end
  fs.write(path, verdict.shown(verdict.lines(done)) .. "\n")
end

-- One attempt. Returns nothing when another one may succeed. `state.pending`: one has waited in vain already.
local function attempt(ctx, database, number, state, o)
  local asked = ask.once(ctx, database, o.order, number > 1)
  local done, given_up = follow(ctx, database, asked, { watch = o.watch,
                                                        is_last = number == MOST or state.pending })
  state.pending = state.pending or given_up
  if given_up then return end
  keep_log(ctx, done, number)
  local judged, err, transient = verdict.of(done, o.later)
  if not err then return done, judged end
  if not transient or number == MOST then error(err, 0) end
  local why = judged.lossy[1] and judged.lossy[1].why or o.silence
  ctx:note(("%s: %s; asked for again, attempt %d of %d"):format(err.message, why, number + 1, MOST))
end

---@param ctx pgorch.Context
---@param o {order: pgorch.restore.Order, watch: pgorch.restore.Watch, later: table<string, boolean>, silence: string}
---  later: ids of the steps that follow; silence: what a log without a reason means
---@return table result  of the step
function attempts.run(ctx, o)
  local database, state, done, judged = ctx.target:database(), {}, nil, nil
  for number = 1, MOST do
    done, judged = attempt(ctx, database, number, state, o)
    if done then break end
    task.sleep(math.max(1, poll.seconds "connect"))     -- a URL signed within the same second would be the same
  end
  ctx.target:claim(ctx, { if_reachable = true })
  local result, seconds = attempts.tell(ctx, judged), transfers.duration(done)
  ctx:note(("%s %s"):format(verdict.what(done), seconds and "in " .. values.show_duration(seconds) or "done"))
  result.uuid, result.num, result.from_type, result.seconds = done.uuid, done.num, done.from_type, seconds
  result.lines, result.harmless = judged.lines, #judged.harmless
  return result
end

---For a step's `goes_on`.
---@param did table   what it remembered
---@return string
function attempts.goes_on(did)
  return did.num and ("Heroku's %s is not stopped by this"):format(verdict.what(did))
    or "Heroku may have been asked for a restore, which is not stopped by this"
end

return attempts
