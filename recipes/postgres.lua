-- Any PostgreSQL database to Heroku Postgres, through any S3-compatible storage: the base of recipes for providers.
-- What one of them does differently is a change by id over this list: recipes/linode.lua, docs/recipes.md.

local recipe = require "pgorch.recipe"
local s3     = require "pgorch.s3"
local source = require "pgorch.source"
local step   = require "pgorch.steps"

local section, together = recipe.section, recipe.together

return recipe {
  name    = "postgres",
  summary = "Move any PostgreSQL database to Heroku Postgres, through any S3-compatible storage",

  -- `use`: who replaces that constructor has no use for the parameter, and it is gone.
  params = recipe.params.standard {
    source       = { use = "source", env = "SOURCE_DATABASE_URL", secret = true, required = true,
                     help = "URL of the database to move: postgres://USER:PASSWORD@HOST:PORT/DATABASE" },
    source_ca    = { use = "source", type = "path", default_text = "the URL's sslrootcert",
                     help = "a file with the certificate authority of the source: then certificate and name are "
                     .. "verified" },
    bucket       = { use = "store", required_when = { via = "archive" },
                     help = "bucket for the dump; made if it does not exist" },
    endpoint_url = { use = "store", env = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" }, default_text = "AWS",
                     help = "the object storage; its keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" },
    storage_region = { use = "store", env = { "AWS_REGION", "AWS_DEFAULT_REGION" }, default = "us-east-1",
                       help = "region of the object storage" },
  },

  uses = {
    source = function(p) return source.from_url(p.source, { ca_file = p.source_ca }) end,
    store  = function(p)
      return s3.from_environment { endpoint = p.endpoint_url, region = p.storage_region }:bucket(p.bucket)
    end,
    target = step.heroku_target,
  },

  steps = {
    section "Check Your Database Size",
      step.credentials, step.allow_list, step.size, step.choose_plan, step.choose_way,

    section "Preparing Your Migration",
      step.save_settings, step.preflight,
      step.backup_is_fresh { within = "26h" },
      step.bucket, step.app, step.addon, step.extensions,
      step.preflight_target,

    section "Create and Upload the Database Dump",
      step.window_opens,
      step.fingerprint,
      step.dump_to_store,

    section "Restore to Heroku Postgres",
      together {
        { step.presign, step.restore },
        { step.copy },
        { step.pull },
        { step.checksum_source },
      },
      step.refresh_matviews,
      step.reapply_settings { only = "safe" },

    section "Testing and Verifying a Successful Migration",
      together {
        { step.verify { counts = "exact", content = "checksum", queries = "queries/*.sql" } },
        { step.analyze },
      },
      step.accept,

    section "Connecting Existing Apps and Services",
      step.nothing_was_written,
      recipe.gate "cut over?",
      step.cut_over,
      step.test_connections,

    section "Wrap-up",
      step.window_closes { source = "stays read-only" },
      step.delete_dump { unless = "keep_dump" },
      step.watch_source,
  },
}
