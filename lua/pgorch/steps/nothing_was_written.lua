-- The write detector: quiet goes on, written stops here, unclear is resolved by counting and summing the source again.
-- Asked once more after a gate and after a resume, for a person may take hours to answer.

local recipe   = require "pgorch.recipe"
local fail     = require "pgorch.error"
local detector = require "pgorch.detector"
local verify   = require "pgorch.verify"

local function refuse(names)
  fail.raise("PGO-WRITTEN", "the source was written to after the dump", { detail = names })
end

-- What is open can commit after any recount.
local function refuse_open(open)
  fail.raise("PGO-WRITTEN", "transactions that may have written are still open on the source", {
    detail = open, cure = "End them (or COMMIT or ROLLBACK PREPARED), then `pgorch resume`." })
end

-- A mark of before the recount: what is equal then stands for all that came before it.
local function recount(ctx)
  local mark
  do
    local conn <close> = ctx.source:connect()
    mark = detector.mark(conn)
  end
  local sums = verify.sums(function(o) return ctx.source:connect(o) end, { content = true,
    progress = function(done, total) ctx:progress { text = ("%d of %d tables summed again"):format(done, total) } end })
  local conn <close> = ctx.source:connect { settings = verify.SETTINGS }
  local now, names = verify.catalog(conn), {}
  now.sums = sums
  for _, d in ipairs((verify.compare(ctx.result.checksum_source, now))) do
    if not d.level then names[#names + 1] = d.name end
  end
  if #names > 0 then refuse(table.concat(names, "\n")) end
  return mark
end

-- Asked again, it goes on from the recount, if that was of the same dump.
local function last_mark(ctx, fingerprint)
  local recall = ctx.recall
  return recall and recall.snapshot == fingerprint.snapshot and recall.taken == fingerprint.taken and recall.mark
    or fingerprint.mark
end

local function run(ctx)
  local fingerprint = ctx.result.fingerprint
  local asked = detector.ask(ctx.source, last_mark(ctx, fingerprint))
  if asked.answer == "written" then refuse(table.concat(asked.names, "\n")) end
  if asked.open ~= "" then refuse_open(asked.open) end
  if asked.answer == "unclear" then
    ctx:note(("cannot tell from the server's counters (%s): counting again"):format(asked.why))
    local mark = recount(ctx)
    ctx:remember { snapshot = fingerprint.snapshot, taken = fingerprint.taken, mark = mark }
    ctx:note "counted and summed again: equal"
  end
  return { answer = asked.answer, why = asked.why }
end

return recipe.step { id = "nothing_was_written", title = "Ask whether anything was written", effect = "read", run = run,
                     again_after_gate = true, check = function() return false end,
                     plan = function() return "asked before and after the gate" end }
