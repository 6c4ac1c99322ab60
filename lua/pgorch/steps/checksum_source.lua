-- Counts and sums every row of the source in the dump's own snapshot, while Heroku restores or the data is copied. Not
-- while it is dumped: a restore takes longer than the sums, so that nothing would be gained, and the source has enough
-- to do with the dump, on which the window waits.
-- Without the snapshot (after a resume, or where its session was lost) the same is read now, which is allowed only if
-- nothing was written since.

local recipe   = require "pgorch.recipe"
local budget   = require "pgorch.verify.budget"
local dump_snapshot = require "pgorch.dump_snapshot"
local objects  = require "pgorch.verify.objects"
local report   = require "pgorch.verify.report"
local row_hash = require "pgorch.verify.row_hash"
local snapshot = require "pgorch.verify.snapshot"
local times    = require "pgorch.plan.times"
local verify   = require "pgorch.verify"
local way      = require "pgorch.way"

local MEANWHILE = { archive = "Heroku restores", direct = "the data is copied", heroku = "Heroku fetches the data" }

local function run(ctx)
  local name = dump_snapshot.id_or_quiet(ctx)
  local at <close> = snapshot.open(function(o) return ctx.source:connect(o) end, name)
  local content, hash, why = ctx.options.content == "checksum", nil, nil
  if content then hash, why = row_hash.choose(at.conn) end
  if why then ctx:note(row_hash.words(hash, why)) end
  local side = verify.read(at, { content = content, hash = hash,
    jobs = ctx.params.verify_jobs or budget.jobs(at.conn),
    progress = function(...) ctx:progress(report.progress("summed", ...)) end })
  side.objects, side.on_snapshot = objects.stored(side.objects), name ~= nil
  return side
end

return recipe.step { id = "checksum_source", title = "Sum every row of the source", effect = "read", run = run,
                     options = { content = "checksum" }, needs = { "fingerprint" },
                     estimate = function(ctx) return 1 + times.at("read", ctx.result.size.bytes) end,
                     plan = function(ctx)
                       return "every row of the source summed while " .. MEANWHILE[way.of(ctx) or "archive"]
                     end }
