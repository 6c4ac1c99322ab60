-- Acme to Heroku Postgres. Acme has no object storage, so the dump goes to any S3 bucket. The steps are those of
-- the recipe `postgres`, with two of our own among them.
local recipe, pg = require "pgorch.recipe", require "pgorch.pg"
local acme = require "acme"                                     -- lua/acme.lua, beside this recipe
local after = recipe.after

-- A step that changes something outside. What was before is remembered ahead of the change, so that it can be put back
-- wherever pgorch is stopped, even by kill -9 between two lines.
local pause_billing = recipe.step {
  id = "pause_billing", title = "Stop Acme's nightly billing job", effect = "write",
  plan = function(ctx)                                          -- what `pgorch plan` shows in its place
    local job = ctx.api:get("/jobs/" .. ctx.params.billing_job).body
    if job.state == "paused" then return ("job %s is paused"):format(job.id) end
    return ("~ job %s paused"):format(job.id)
  end,
  run = function(ctx)
    local was = ctx.recall                                      -- of an attempt that was interrupted
    if not was then
      local job = ctx.api:get("/jobs/" .. ctx.params.billing_job).body
      was = { id = job.id, state = job.state }
      ctx:remember(was)                                         -- on the disk before the next line
    end
    ctx.api:post("/jobs/" .. was.id .. "/pause")
    return was                                                  -- no secrets: results are stored
  end,
  undo = function(ctx, was)
    if was.state == "running" then ctx.api:post("/jobs/" .. was.id .. "/resume") end
  end,
  undo_when = "always",                                         -- on failure, and at the end of a good run
}

-- A step that does the same to several things: `run` is called, and recorded, for each. There is nothing to put back:
-- it changes the new database alone, which is thrown away when the move fails.
local fix_emails = recipe.step {
  id = "fix_emails", title = "Lower-case e-mail addresses on the new database", effect = "write", undo = false,
  each = function(ctx)                                          -- a list of { key = ... }
    local items = {}
    for _, t in ipairs(ctx.result.size.tables) do               -- what the step `size` found
      if t.name == "customers" then items[#items + 1] = t end
    end
    return items
  end,
  run = function(ctx, t)
    local db <close> = ctx.target:connect()
    return { rows = db:exec("update " .. pg.ident(t.schema, t.name)
      .. " set email = lower(email) where email <> lower(email)") }
  end,
}

return recipe.from "postgres" {
  name = "acme", summary = "Move a database of Acme to Heroku Postgres",
  params = {
    cluster     = { required = true, help = "the cluster to move, as Acme's console calls it" },
    token       = { env = "ACME_TOKEN", secret = true, required = true, help = "API token of Acme" },
    billing_job = { default = "nightly", help = "the job that must not run meanwhile" },
  },
  uses = {
    api    = function(p) return acme.client { token = p.token } end,
    source = function(p, use) return acme.database(use.api, p.cluster) end,
  },
  change = { after { "window_opens", pause_billing }, after { "verify", fix_emails } },
}
