-- pgorch batch submit MANIFEST: puts a batch on record, for the workers that share it.

local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local progress   = require "pgorch.runner.progress"
local submission = require "pgorch.batch.submission"
local term       = require "pgorch.term"
local validate   = require "pgorch.command.batch.validate"

local word = {}

function word.run(argv)
  local batch, host = validate.manifest(argv, "submit")
  progress.new(host)
  local st <close> = invocation.open_store(host)
  local made, status = submission.make(st, batch, host)
  if not made then return status end
  if host.json then
    term.out(json.encode { event = "batch", batch = made.name, state = made.state, rows = #made.rows } .. "\n")
  else
    term.out(("batch %s has %d rows: `pgorch worker` moves them, `pgorch batch status %s` shows them\n"):format(
      made.name, #made.rows, made.name))
  end
  return 0
end

return word
