-- pgorch batch run MANIFEST: puts the batch on record and moves its rows on this machine. Again: only what is not done.
-- The first Ctrl-C begins no more rows, the second stops those at work safely, the third leaves at once.

local Board      = require "pgorch.batch.board"
local exit       = require "pgorch.batch.exit"
local invocation = require "pgorch.invocation"
local page       = require "pgorch.batch.page"
local progress   = require "pgorch.runner.progress"
local secret     = require "pgorch.secret"
local store      = require "pgorch.store"
local submission = require "pgorch.batch.submission"
local summary    = require "pgorch.batch.summary"
local task       = require "pgorch.task"
local term       = require "pgorch.term"
local validate   = require "pgorch.command.batch.validate"
local worker     = require "pgorch.batch.worker"

local word = {}

local TELL_SECONDS = 60

local AGAIN = { failed = true, refused = true, stopped = true, blocked = true }

-- What did not end well is tried again by whoever runs the batch again; what needs attention is not, before somebody
-- has looked. A row that was refused just now is left out.
local function retry(st, batch)
  local ids = {}
  for _, row in ipairs(batch.rows) do
    local now = row.state == "refused" and row.findings and row.findings.verdict == "refused"
    if AGAIN[row.state] and not now then ids[#ids + 1] = row.id end
  end
  if #ids > 0 then st:retry_rows(batch.name, ids) end
end

-- A group begins as one: there is room for the largest, whatever the limit says.
local function slots_of(batch)
  local slots, sizes = batch.options.limits.jobs, {}
  for _, row in ipairs(batch.rows) do
    if row.grp then sizes[row.grp] = (sizes[row.grp] or 0) + 1 end
  end
  for _, size in pairs(sizes) do slots = math.max(slots, size) end
  return slots
end

local function work(st, url, batch, host)
  local board <close> = Board.new { host = host }
  board:batch(st:batch(batch.name))
  return worker.run { store = st, state = secret.new(url), batch = batch.name, slots = slots_of(batch),
                      board = board }.signals
end

-- What came of it.
local function tell(st, name, status, host)
  local it = summary.of(st, st:batch(name))
  if host.json then term.out(summary.line(it, status)) else term.out("\n" .. summary.text(it)) end
  if host.report then
    page.write(st, st:batch(name), host.report)
    term.err(("written: %s/index.html\n"):format(host.report))
  end
end

function word.run(argv)
  local wanted, host = validate.manifest(argv, "run")
  progress.new(host)
  local url = invocation.store_url(host) or store.default_url()
  local st <close> = store.open(url)
  local batch, status = submission.make(st, wanted, host)
  if not batch then return status end
  retry(st, batch)
  local signals = work(st, url, batch, host)
  return task.shield(TELL_SECONDS, function()              -- after Ctrl-C, too
    status = exit.status(st:batch(batch.name).rows, signals > 0)
    tell(st, batch.name, status, host)
    return status
  end)
end

return word
