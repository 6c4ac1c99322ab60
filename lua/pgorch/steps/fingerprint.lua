-- Takes the snapshot that the dump, the counts and the checksums all read in, and marks where the source stands in it.
-- The connection that holds the snapshot lives as long as the run's process; after a resume there is none.

local recipe   = require "pgorch.recipe"
local clock    = require "pgorch.clock"
local detector = require "pgorch.detector"
local dump_snapshot = require "pgorch.dump_snapshot"
local way      = require "pgorch.way"

-- What is dumped is the last word only while the means that keep writes out are still in force: where somebody lifted
-- one, or it was undone, the snapshot falls with it, and all that stands on the snapshot.
local function stand_on_the_freeze(ctx)
  local _ = ctx.result.window_opens
  for _, id in ipairs(ctx.recipe.freezes) do _ = ctx.result[id] end
end

local function run(ctx)
  stand_on_the_freeze(ctx)
  local conn = ctx.source:connect()
  ctx:keep("snapshot", conn)
  local mark = detector.begin(conn)
  local snapshot = conn:value "select pg_export_snapshot()"
  return { snapshot = snapshot, mark = mark, taken = clock.iso() }
end

-- Without the data a lost snapshot costs nothing: another is taken. With it, or while Heroku may be fetching it, it
-- must still be the last word. What is unclear can be resolved only by the sums that were made in the snapshot.
local function check(ctx, result)
  if dump_snapshot.id(ctx) then return true end
  if not (way.has_data(ctx) or ctx:begun "pull") then return false end
  local answer = detector.ask(ctx.source, result.mark).answer
  return answer == "quiet" or answer == "unclear" and ctx:finished "checksum_source"
end

return recipe.step { id = "fingerprint", title = "Take a snapshot of the source", effect = "read", run = run,
                     check = check, plan = function() return "the snapshot that data and sums are read in" end }
