-- Everything about the source that would make the migration fail or lose something, said before anything is touched.

local recipe       = require "pgorch.recipe"
local cut_over     = require "pgorch.preflight.cut_over"
local preflight    = require "pgorch.preflight"
local source       = require "pgorch.preflight.source"
local surroundings = require "pgorch.preflight.surroundings"
local target       = require "pgorch.preflight.target"
local times        = require "pgorch.plan.times"

local function run(ctx)
  local found = preflight.new()
  local facts = found:try(source.check, ctx, found) or {}
  local before = ctx.result.credentials
  if not (before and before.config_vars) and ctx.target.app:info() then cut_over.check(ctx, found) end
  if not ctx.target:is_ours() then found:try(target.check_empty, ctx, found) end
  found:try(surroundings.disk, found, ctx.run.dir)
  if ctx.params.spool then
    found:try(surroundings.spool, found, ctx.params.spool, times.dump_bytes(ctx.result.size))
  end
  local told = found:report(ctx, "Preflight")
  return { source_major = facts.major, version = facts.version, extensions = facts.extensions, clients = facts.clients,
           client_major = facts.client and facts.client.major, passed = told.passed, warned = told.warned }
end

return recipe.step { id = "preflight", title = "Preflight of the source", effect = "read", run = run }
