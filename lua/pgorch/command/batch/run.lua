-- pgorch batch run MANIFEST: puts the batch on record and moves its rows on this machine. Again: only what is not done.
-- The first Ctrl-C begins no more rows, the second stops those at work safely, the third leaves at once.

local Log        = require "pgorch.batch.log"
local exit       = require "pgorch.batch.exit"
local invocation = require "pgorch.invocation"
local listing    = require "pgorch.batch.listing"
local progress   = require "pgorch.runner.progress"
local report     = require "pgorch.command.batch.report"
local secret     = require "pgorch.secret"
local store      = require "pgorch.store"
local submission = require "pgorch.batch.submission"
local term       = require "pgorch.term"
local validate   = require "pgorch.command.batch.validate"
local worker     = require "pgorch.batch.worker"

local word = {}

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
  local board = Log.new(host)
  local ended = worker.run { store = st, state = secret.new(url), batch = batch.name, slots = slots_of(batch),
                             board = board }
  board:close()
  return ended.signals
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
  local seen = st:batch(batch.name)
  if not host.json then term.out(listing.text(seen)) end
  if host.report then report.write(st, seen, host.report) end
  return exit.status(seen.rows, signals > 0)
end

return word
