-- Says yes to the gate at which a run waits, on record: the run's own process sees it there.

local fail    = require "pgorch.error"
local meaning = require "pgorch.runner.meaning"
local owner   = require "pgorch.runner.owner"

local approval = {}

---Raises PGO-USAGE where the run does not wait at a gate, or nobody is there that would go on.
---@param st pgorch.Store
---@param run pgorch.Run
function approval.give(st, run)
  if run.state ~= "waiting" or not run.gate then
    fail.raise("PGO-USAGE", ("run %s does not wait for approval: it is %s"):format(run.id, meaning.of_state(run.state)),
      { cure = ("`pgorch status %s` shows it."):format(run.id) })
  end
  if not owner.is_at_work(run) then
    fail.raise("PGO-USAGE", ("run %s was interrupted at its gate: no process is there that would go on"):format(run.id),
      { cure = ("`pgorch resume %s` goes on, and asks at the gate again."):format(run.id) })
  end
  st:update_run(run.id, { approved = run.gate })
  st:event(run.id, "approved", { gate = run.gate })
end

return approval
