-- Questions about transfers that go well: what a restore looks like from the first answer to the last, what it does to
-- what is in the database, how one is cancelled, listed and deleted. Each restores the dump into the app's database.
-- Heroku keeps an app's last five restores: what is asked about one comes before the next ones.

local answer = require "answer"
local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local poll   = require "pgorch.poll"
local task   = require "pgorch.task"

-- The restore that the first questions look at, asked for once, and as the recipe asks.
local function restored(live)
  if not live.restored then
    local asked, looks, ended = live:restore { extensions = live.extensions }, {}, {}
    if asked.status >= 300 then fail.raise("PGO-HEROKU", ("a restore is refused with %d"):format(asked.status)) end
    local state = live:follow(asked.value.uuid, function(fields, at)
      if looks[#looks] ~= at then looks[#looks + 1] = at end
      ended.processed = fields.processed_bytes
    end)
    task.sleep(poll.seconds "settle")
    local lines, raw = live:log(asked.value.uuid)
    live.restored = { asked = asked, looks = looks, state = state, at_end = ended.processed, lines = lines, raw = raw,
      uuid = asked.value.uuid }
  end
  return live.restored
end

local function moved(name)
  return function(live)
    local failed = live.moved[name].failed
    return failed and { ended = failed.id, said = answer.mask(failed.message, live.names) } or { ended = "good" }
  end
end

local function new(live)
  local asked = restored(live).asked
  return { status = asked.status, shape = answer.shape(asked.value), from_type = asked.value.from_type,
    to_type = asked.value.to_type, from_name = asked.value.from_name, to_name = asked.value.to_name,
    num_keep = asked.value.num_keep }
end

local function done(live)
  return answer.shape(live:transfers("GET", "/" .. restored(live).uuid).value)
end

local function with_log(live)
  local raw, levels = restored(live).raw, {}
  for _, each in ipairs(raw.logs) do levels[each.level] = true end
  return { shape = answer.shape(raw), levels = levels }
end

local function bytes(live, count)
  if not count or count == json.null or count == 0 then return "none" end
  return count == live.store:head_object(live.key).size and "the dump's" or "another number"
end

local function life(live)
  local it = restored(live)
  return { states = it.looks, processed = { when_finished = bytes(live, it.at_end),
    later = bytes(live, it.raw.processed_bytes), source = bytes(live, it.raw.source_bytes) } }
end

local function is_of_pg_restore(line)
  return line:find("pg_restore:", 1, true) or line:find "^%s" or line:find "^Command was:" or line:find "^HINT:"
    or line:find "^DETAIL:" or line:find "^CONTEXT:"
end

local function log(live)
  local lines, own = restored(live).lines, {}
  for _, line in ipairs(lines) do
    if line ~= "" and not is_of_pg_restore(line) then own[answer.numberless(answer.mask(line, live.names))] = true end
  end
  local all = table.concat(lines, "\n")
  return { begins_at_the_beginning = all:find("connecting to database for restore", 1, true) ~= nil,
    own_lines = next(own) and own or "none", lines_of_data = all:find("processing data for table", 1, true) ~= nil }
end

local function errors_in(live, lines)
  local errors = {}
  for _, line in ipairs(lines) do
    local text = line:match "pg_restore: error: (.*)"
    if text then errors[answer.numberless(answer.mask(text, live.names))] = true end
  end
  return next(errors) and errors or "none"
end

local function warnings(live)
  local it, asked, state, lines = restored(live), live:restore_to_the_end()
  local raw = live:transfers("GET", "/" .. asked.value.uuid).value
  return { named = { state = it.state, warnings = it.raw.warnings, errors = errors_in(live, it.lines) },
    not_named = { state = state, warnings = raw.warnings, errors = errors_in(live, lines) } }
end

-- What is left of things that are not in the dump: a reset takes them all, pg_restore --clean none.
local LEFT = [[select to_regclass('public.left_by_live') is not null as table_in_public,
  to_regclass('left_by_live.a_table') is not null as table_in_schema,
  to_regnamespace('left_by_live') is not null as schema,
  exists (select from pg_extension where extname = 'citext') as extension]]

local function empties(live)
  live:sql(function(conn)
    conn:exec "create table public.left_by_live (n integer)"
    conn:exec "create schema left_by_live"
    conn:exec "create table left_by_live.a_table (n integer)"
    conn:exec "create extension if not exists citext schema public"
  end)
  local _, state, lines = live:restore_to_the_end()
  local left = live:sql(function(conn) return conn:row(LEFT) end)
  return { state = state, left = left, drops = table.concat(lines, "\n"):find("dropping ", 1, true) ~= nil }
end

local function second(live)
  local first, other = live:restore(), live:restore()
  local at_end = { first = live:follow(first.value.uuid) }
  if other.status < 300 then at_end.second = live:follow(other.value.uuid) end
  return { answer = answer.outcome(other, live.names), ended = at_end }
end

local function reset_meanwhile(live)
  local asked = live:restore()
  local reply = live:database("PUT", "/reset", {})
  return { answer = answer.outcome(reply, live.names), ended = (live:follow(asked.value.uuid)) }
end

local function cancel(live)
  local asked = live:restore()
  local reply = live:transfers("POST", ("/%s/actions/cancel"):format(asked.value.uuid))
  local state, fields = live:follow(asked.value.uuid)
  return { status = reply.status, shape = answer.shape(reply.value), ended = state,
    succeeded = fields.succeeded == nil and "null" or fields.succeeded, canceled_at = answer.shape(fields.canceled_at),
    finished_at = answer.shape(fields.finished_at) }
end

local function cancel_finished(live)
  local reply = live:transfers("POST", ("/%s/actions/cancel"):format(restored(live).uuid))
  return { answer = answer.outcome(reply, live.names), shape = answer.shape(reply.value) }
end

local function listed(live)
  local reply = live:transfers("GET", "")
  local newest_first, with_logs = true, false
  for i, each in ipairs(reply.value) do
    with_logs = with_logs or each.logs ~= nil
    newest_first = newest_first and (i == 1 or each.num < reply.value[i - 1].num)
  end
  return { status = reply.status, newest_first = newest_first, with_logs = with_logs,
    shape = answer.shape(reply.value[1]), headers = answer.headers(reply.headers) }
end

local function delete(live)
  local num = restored(live).raw.num
  local reply = live:transfers("DELETE", "/" .. num)
  return { status = reply.status, shape = answer.shape(reply.value),
    afterwards = answer.outcome(live:transfers("GET", "/" .. num), live.names) }
end

return {
  { id = "move.restore", about = "What pgorch made of its own restore", ask = moved "restore" },
  { id = "move.verify", about = "Whether all rows arrived", ask = moved "verify" },
  { id = "transfer.new", about = "The answer to a restore that was asked for", ask = new },
  { id = "transfer.done", about = "Keys and formats of a transfer that has ended", ask = done },
  { id = "transfer.log", about = "Keys and formats of its log (?verbose=true)", ask = with_log },
  { id = "transfer.life", about = "The states that it goes through, and when processed_bytes is filled in", ask = life,
    timed = true },
  { id = "transfer.list", about = "The list of an app's transfers", ask = listed },
  { id = "transfer.unknown", about = "A transfer that does not exist",
    ask = function(live) return answer.outcome(live:transfers("GET", "/999999"), live.names) end },
  { id = "restore.signed_for_get", about = "A URL that is signed for GET and nothing else: is it enough?",
    ask = function(live) return { enough = restored(live).state ~= "failed" } end },
  { id = "restore.log", about = "Heroku's own lines around those of pg_restore, and whether the log is whole",
    ask = log },
  { id = "cancel.finished", about = "Cancelling a restore that has ended", ask = cancel_finished },
  { id = "transfer.delete", about = "Deleting a transfer that has ended", ask = delete },
  { id = "restore.warnings", about = "What pg_restore could not do, and how it is counted, "
      .. "with the extensions named in the request and without", ask = warnings },
  { id = "restore.empties", about = "Whether a restore drops what is not in the dump: a reset, or --clean?",
    ask = empties },
  { id = "restore.second", about = "A second restore while one runs", ask = second },
  { id = "reset.meanwhile", about = "A reset while a restore runs", ask = reset_meanwhile },
  { id = "cancel.running", about = "Cancelling a restore: the answer, and how it ends", ask = cancel },
}
