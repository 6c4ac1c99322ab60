-- Counts and sums every row of the source in the dump's own snapshot, while Heroku restores.
-- Without the snapshot (after a resume) the same is read now, which is allowed only if nothing was written since.

local recipe   = require "pgorch.recipe"
local fail     = require "pgorch.error"
local detector = require "pgorch.detector"
local objects  = require "pgorch.verify.objects"
local verify   = require "pgorch.verify"

local function snapshot(ctx)
  if ctx.live.snapshot then return ctx.result.fingerprint.snapshot end
  local asked = detector.ask(ctx.source, ctx.result.fingerprint.mark)
  if asked.answer == "written" then
    fail.raise("PGO-WRITTEN", "the source was written to after the dump", { detail = table.concat(asked.names, "\n") })
  end
end

local function run(ctx)
  local name = snapshot(ctx)
  local function connect(o) return ctx.source:connect(o) end
  local sums = verify.sums(connect, { content = ctx.options.content == "checksum", snapshot = name,
    progress = function(done, total) ctx:progress { text = ("%d of %d tables summed"):format(done, total) } end })
  local conn <close> = connect { settings = verify.SETTINGS }
  conn:exec "begin isolation level repeatable read read only"
  if name then conn:exec(("set transaction snapshot '%s'"):format(name)) end
  local catalog = verify.catalog(conn)
  return { sums = sums, objects = objects.stored(catalog.objects), sequences = catalog.sequences, large = catalog.large,
           on_snapshot = name ~= nil }
end

return recipe.step { id = "checksum_source", title = "Sum every row of the source", effect = "read", run = run,
                     options = { content = "checksum" },
                     plan = function() return "every row of the source summed while Heroku restores" end }
