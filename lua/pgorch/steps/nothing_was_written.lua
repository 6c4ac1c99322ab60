-- The write detector: quiet goes on, written stops here, unclear is resolved by counting and summing the source again.
-- What no sum stands for is refused then, unless the counters do. Asked once more after a gate and after a resume, for
-- a person may take hours to answer.

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

-- What could have been changed and be summed as it was before: tables that were only counted, columns of types that
-- cannot be compared.
local function blind_spots(side)
  local names = {}
  for key, one in pairs(side.sums) do
    if (one.rows or 0) > 0 and not one.sum then names[#names + 1] = key end
    for _, column in ipairs((one.rows or 0) > 0 and one.not_comparable or {}) do
      names[#names + 1] = ("%s, column %s"):format(key, column)
    end
  end
  if side.large.count > 0 and not side.large.digest then names[#names + 1] = "large objects" end
  table.sort(names)
  return names
end

local function refuse_blind_spots(ctx, asked)
  local names = blind_spots(ctx.result.checksum_source)
  if #names == 0 or not asked.uncounted then return end
  fail.raise("PGO-WRITTEN", ("nothing shows that these were not written to after the dump: %s, and they are in no sum")
    :format(asked.uncounted), { detail = table.concat(names, "\n"),
    cure = "End the other sessions of the source and keep them out, then `pgorch resume`." })
end

-- Both are the source: a view that was refreshed was written to. What is always told of one side is no difference.
local function has_moved(d)
  return not d.level or d.kind == "rows" or d.kind == "content"
end

local function recount(ctx)
  local before = ctx.result.checksum_source
  local sums = verify.sums(function(o) return ctx.source:connect(o) end, { content = true, hash = before.hash,
    progress = function(done, total) ctx:progress { text = ("%d of %d tables summed again"):format(done, total) } end })
  local conn <close> = ctx.source:connect { settings = verify.SETTINGS }
  local now, names = verify.catalog(conn), {}
  now.sums, now.hash = sums, before.hash
  for _, d in ipairs((verify.compare(before, now))) do
    if has_moved(d) then names[#names + 1] = d.name end
  end
  if #names > 0 then refuse(table.concat(names, "\n")) end
end

local function stands_at(from)
  local conn <close> = from:connect()
  return detector.mark(conn)
end

-- Asked again, it goes on from the recount, if that was of the same dump.
local function last_mark(ctx, fingerprint)
  local recall = ctx.recall
  return recall and recall.snapshot == fingerprint.snapshot and recall.taken == fingerprint.taken and recall.mark
    or fingerprint.mark
end

local function run(ctx)
  local fingerprint = ctx.result.fingerprint
  -- What is found equal after this stands for all that came before it.
  local mark = stands_at(ctx.source)
  local asked = detector.ask(ctx.source, last_mark(ctx, fingerprint))
  if asked.answer == "written" then refuse(table.concat(asked.names, "\n")) end
  if asked.open ~= "" then refuse_open(asked.open) end
  if asked.answer == "unclear" then
    refuse_blind_spots(ctx, asked)
    ctx:note(("cannot tell from the server's counters (%s): counting again"):format(asked.why))
    recount(ctx)
    ctx:remember { snapshot = fingerprint.snapshot, taken = fingerprint.taken, mark = mark }
    ctx:note "counted and summed again: equal"
  end
  return { answer = asked.answer, why = asked.why }
end

return recipe.step { id = "nothing_was_written", title = "Ask whether anything was written", effect = "read", run = run,
                     again_after_gate = true, needs = { "fingerprint", "checksum_source" },
                     check = function() return false end,
                     plan = function() return "asked before and after the gate" end }
