-- pgorch batch status [BATCH]: the batches of the record, or the rows of one; with --watch as they go on.

local Board      = require "pgorch.batch.board"
local clock      = require "pgorch.clock"
local eligible   = require "pgorch.batch.eligible"
local exit       = require "pgorch.batch.exit"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local listing    = require "pgorch.batch.listing"
local named      = require "pgorch.batch.named"
local native     = require "pgorch.native.host"
local progress   = require "pgorch.runner.progress"
local records    = require "pgorch.store"
local rows_json  = require "pgorch.batch.board.json"
local summary    = require "pgorch.batch.summary"
local task       = require "pgorch.task"
local term       = require "pgorch.term"

local word = {}

local FLAGS = { { name = "json", type = "boolean" }, { name = "watch", type = "boolean" },
                { name = "no-color", type = "boolean" } }

local USAGE = "pgorch batch status [BATCH] [--json] [--watch]"

local LEFT = 130

local LOOK_SECONDS, DRAW_SECONDS = 1, 0.5

local function batch_line(batch, counts)
  return json.encode { event = "batch", batch = batch.name, state = batch.state, reason = batch.reason,
    awaits_approval = batch.awaits_approval or nil, counts = counts } .. "\n"
end

local function show_all(st, host)
  local all = st:batches()
  if not host.json then return term.out(listing.all(all, st.path)) end
  for _, each in ipairs(all) do term.out(batch_line(each, each.counts)) end
end

local function row_line(batch, row)
  local fields = rows_json.fields(batch.name, row)
  fields.event, fields.labels, fields.estimate = "row", row.labels, row.estimate
  fields.priority, fields.depends_on = row.priority, json.array(row.depends_on)
  fields.started_at, fields.ended_at = row.started_at, row.ended_at
  return json.encode(fields) .. "\n"
end

local function show(st, batch, host)
  if host.json then
    for _, row in ipairs(batch.rows) do term.out(row_line(batch, row)) end
    return term.out(batch_line(batch, listing.count(batch.rows)))
  end
  term.out(summary.text(summary.of(st, batch)))
  if batch.awaits_approval then term.out(("the next rows wait: pgorch batch approve %s\n"):format(batch.name)) end
end

local function read(st, name)
  local batch = st:batch(name)
  batch.awaits_approval = eligible.awaits_approval(batch, clock.time())
  return batch
end

local OVER = { done = true, stopped = true }

local function is_over(batch) return OVER[batch.state] and not listing.count(batch.rows).running end

-- Until nothing of it goes on any more.
local function watch(st, name, host)
  local batch = read(st, name)
  do
    local board <close> = Board.new { host = host, file = 1 }
    board:batch(batch)
    while not is_over(batch) do
      task.sleep(DRAW_SECONDS)
      board:tick()
      task.sleep(LOOK_SECONDS - DRAW_SECONDS)
      batch = read(st, name)
      board:batch(batch)
    end
  end
  local status = exit.status(batch.rows, false)
  local it = summary.of(st, batch)
  term.out(host.json and summary.line(it, status) or summary.text(it))
  return status
end

-- Ctrl-C ends the looking on alone.
local function look_on(st, name, host)
  local ok, status = xpcall(watch, fail.handler, st, name, host)
  if ok then return status end
  if native.interrupted() then return LEFT end
  error(status, 0)
end

function word.run(argv)
  local words, host = named.words(argv, FLAGS, USAGE)
  progress.new(host)
  if #words == 0 then
    local st <close> = records.find(invocation.store_url(host))
    if st then show_all(st, host)
    elseif not host.json then term.out(("no batches in %s\n"):format(records.name(invocation.store_url(host)))) end
    return 0
  end
  local st <close>, name = named.open(words, host, USAGE)
  named.no_more(words, USAGE)
  if host.watch then return look_on(st, name, host) end
  show(st, read(st, name), host)
  return 0
end

return word
