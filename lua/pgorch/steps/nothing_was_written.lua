-- The write detector: quiet goes on, written stops here, unclear is resolved by counting and summing the source again.
-- Asked once more after a gate, for a person may take hours to answer.

local recipe   = require "pgorch.recipe"
local fail     = require "pgorch.error"
local detector = require "pgorch.detector"
local verify   = require "pgorch.verify"

local function recount(ctx)
  local before = ctx.result.checksum_source
  local sums = verify.sums(function(o) return ctx.source:connect(o) end, { content = true,
    progress = function(done, total) ctx:progress { text = ("%d of %d tables summed again"):format(done, total) } end })
  local conn <close> = ctx.source:connect { settings = verify.SETTINGS }
  local now = verify.catalog(conn)
  now.sums = sums
  local names = {}
  for _, d in ipairs((verify.compare(before, now))) do
    if not d.level then names[#names + 1] = d.name end
  end
  return names
end

local function run(ctx)
  local asked = detector.ask(ctx.source, ctx.result.fingerprint.mark)
  local names = asked.names
  if asked.answer == "unclear" then
    ctx:note(("cannot tell from the server's counters (%s): counting again"):format(asked.why))
    names = recount(ctx)
  end
  if #names > 0 then
    fail.raise("PGO-WRITTEN", "the source was written to after the dump", { detail = table.concat(names, "\n") })
  end
  return { answer = asked.answer, why = asked.why }
end

return recipe.step { id = "nothing_was_written", title = "Ask whether anything was written", effect = "read", run = run,
                     again_after_gate = true, plan = function() return "asked before and after the gate" end }
