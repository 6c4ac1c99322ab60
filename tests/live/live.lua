-- A sample database moves into a new essential-0 database of a real account, by the steps of every other recipe; then
-- the account is asked what only it can answer. Run by tests/live/run, which also removes what was made.

local recipe = require "pgorch.recipe"
local asking = require "asking"
local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local s3     = require "pgorch.s3"
local source = require "pgorch.source"
local step   = require "pgorch.steps"
local task   = require "pgorch.task"

local section, together = recipe.section, recipe.together

-- A sample that does not arrive whole is a warning, and an answer, too: the account is asked all the same.
local function despite(original)
  local tolerant = original {}
  function tolerant.run(ctx)
    local ok, result = xpcall(original.run, fail.handler, ctx)
    if ok then return result end
    if task.cancelled(result) then error(result, 0) end
    ctx:warn(tostring(result))
    return { failed = { id = result.id, message = ("%s\n%s"):format(result.message, result.detail or "") } }
  end
  return tolerant
end

local ask = recipe.step { id = "ask", title = "Ask the account", effect = "destroy", run = asking.run, undo = false }

return recipe {
  name = "live", summary = "Move a sample database into a real account, and ask the account",
  params = recipe.params.standard {
    bucket  = { required = true, help = "a private bucket that is there; Heroku must be able to reach it" },
    answers = { required = true, help = "file for the answers" },
  },
  uses = {
    source = function() return source.from_url(env.secret "SOURCE_DATABASE_URL") end,
    store  = function(p) return s3.from_environment():bucket(p.bucket) end,
    target = step.heroku_target,
  },
  steps = {
    section "Prepare",
      step.credentials, step.size, step.choose_plan, step.preflight, step.bucket_is_private, step.app, step.addon,
      step.extensions, step.preflight_target,
    section "Move",
      step.window_opens, step.fingerprint, step.dump_to_store,
      together { { step.presign, despite(step.restore) }, { step.checksum_source } },
      despite(step.verify { content = "checksum" }), step.analyze, step.nothing_was_written, step.cut_over,
      step.test_connections, step.window_closes { source = "stays read-only" },
    section "Ask",
      ask, step.delete_dump,
  },
}
