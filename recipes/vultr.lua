-- Vultr Managed PostgreSQL to Heroku Postgres, as in the Dev Center article, section by section.
-- Anything in bold there is a `section` here; anything that you would type there is one line here.

local recipe = require "pgorch.recipe"
local vultr  = require "pgorch.vultr"
local step   = require "pgorch.steps"

local section, together = recipe.section, recipe.together

return recipe {
  name    = "vultr",
  summary = "Move a Vultr managed database to Heroku Postgres by dump and restore",
  article = "https://devcenter.heroku.com/articles/migrating-from-vultr",

  params = recipe.params.standard {        -- app, plan, freeze, accept, keep_dump, watch ...
    instance = { help = "label or id of the Vultr database cluster", required = true },
    dbname   = { help = "database inside it", required = "if the cluster has several" },
    token    = { env = "VULTR_API_KEY", secret = true, help = "Vultr's API key" },
    storage  = { help = "label of a Vultr Object Storage subscription", default = "pgorch" },
    bucket   = { help = "bucket for the dump; made if it does not exist",
                 default_text = "postgres-for-migration-ID" },   -- bucket names are global in a cluster
  },

  -- Live things, made when first used, again after a resume, never stored: `ctx.source`, `ctx.store`, `ctx.target`.
  uses = {
    api    = function(p) return vultr.client { token = p.token } end,
    source = function(p, use) return use.api:database(p.instance, p.dbname) end,
    store  = function(p, use) return use.api:object_storage(p.storage):bucket(p.bucket) end,
    target = step.heroku_target,
  },

  steps = {
    section "Check Your Database Size",
      step.credentials, step.allow_list, step.size, step.choose_plan, step.choose_way,

    section "Preparing Your Migration",
      step.save_settings, step.preflight,
      step.backup_is_fresh { within = "26h" },             -- "Back Up Your Database": before the window, it only reads
      step.bucket, step.app, step.addon, step.extensions,  -- minutes of waiting that nobody has to sit through offline
      step.preflight_target,                               -- again, with the live limits

    section "Create and Upload the Database Dump",
      step.window_opens,                                   -- maintenance on, dynos to 0, source read-only, --on-freeze
      step.fingerprint,
      step.dump_to_store,                                  -- "Dump the Database" + "Upload the File": one stream

    section "Restore to Heroku Postgres",
      together {
        { step.presign, step.restore },
        { step.copy },                                     -- --via direct: from server to server, without a dump
        { step.pull },                                     -- --via heroku: fetched by Heroku
        { step.checksum_source },                          -- on the snapshot of the data
      },
      step.refresh_matviews,                               -- those that the restore left empty
      step.reapply_settings { only = "safe" },

    section "Testing and Verifying a Successful Migration",
      together {
        { step.verify { counts = "exact", content = "checksum", queries = "queries/*.sql" } },
        { step.analyze },
      },
      step.accept,                                         -- your acceptance tests: --accept CMD

    section "Connecting Existing Apps and Services",
      step.nothing_was_written,
      recipe.gate "cut over?",                             -- asks on a terminal, `pgorch approve RUN` elsewhere
      step.cut_over,                                       -- the point of no return
      step.test_connections,

    section "Wrap-up",
      step.window_closes { source = "stays read-only" },
      step.delete_dump { unless = "keep_dump" },
      step.watch_source,                                   -- for --watch; by default one look
  },
}
