-- pgorch batch status [BATCH]: the batches of the record, or the rows of one; with --watch as they go on.

local exit       = require "pgorch.batch.exit"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local listing    = require "pgorch.batch.listing"
local named      = require "pgorch.batch.named"
local native     = require "pgorch.native.host"
local progress   = require "pgorch.runner.progress"
local records    = require "pgorch.store"
local task       = require "pgorch.task"
local term       = require "pgorch.term"

local word = {}

local FLAGS = { { name = "json", type = "boolean" }, { name = "watch", type = "boolean" },
                { name = "no-color", type = "boolean" } }

local USAGE = "pgorch batch status [BATCH] [--json] [--watch]"

local LEFT = 130

local FIELDS = { "id", "recipe", "state", "run", "grp", "priority", "labels", "depends_on", "attempt", "estimate",
                 "exit_status", "error", "progress", "worker", "started_at", "ended_at" }

local function row_line(batch, row)
  local of = { event = "row", batch = batch.name }
  for _, field in ipairs(FIELDS) do of[field] = row[field] end
  of.row, of.id, of.group, of.grp = row.id, nil, row.grp, nil
  return json.encode(of) .. "\n"
end

local function batch_line(batch, counts)
  return json.encode { event = "batch", batch = batch.name, state = batch.state, reason = batch.reason,
    counts = counts } .. "\n"
end

local function show_all(st, host)
  local all = st:batches()
  if not host.json then return term.out(listing.all(all, st.path)) end
  for _, each in ipairs(all) do term.out(batch_line(each, each.counts)) end
end

local function show(batch, host)
  if not host.json then return term.out(listing.text(batch)) end
  for _, row in ipairs(batch.rows) do term.out(row_line(batch, row)) end
  term.out(batch_line(batch, listing.count(batch.rows)))
end

local OVER = { done = true, stopped = true }

-- A line for each row whose state has changed, until the batch is over.
local function watch(st, name, host)
  local told = {}
  while true do
    local batch = st:batch(name)
    for _, row in ipairs(batch.rows) do
      local step = row.state == "running" and row.progress and row.progress.step or ""
      local what = row.state .. " " .. step
      if told[row.id] ~= what then term.out(host.json and row_line(batch, row) or ("%s %s\n"):format(row.id, what)) end
      told[row.id] = what
    end
    if OVER[batch.state] and not listing.count(batch.rows).running then
      show(batch, host)
      return exit.status(batch.rows, false)
    end
    task.sleep(1)
  end
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
  show(st:batch(name), host)
  return 0
end

return word
