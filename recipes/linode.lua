-- Linode Managed PostgreSQL to Heroku Postgres: the common flow, and what Linode does differently.
local recipe = require "pgorch.recipe"
local linode = require "pgorch.linode"
local step   = require "pgorch.steps"
local after, replace = recipe.after, recipe.replace

return recipe.from "postgres" {
  name    = "linode",
  summary = "Move a Linode managed database to Heroku Postgres by dump and restore",
  article = "https://devcenter.heroku.com/articles/migrating-from-linode",

  params  = {
    instance = { help = "label or id of the Linode database cluster", required = true },
    dbname   = { help = "database inside it", required = "if the cluster has several" },
    token    = { env = { "LINODE_TOKEN", "LINODE_CLI_TOKEN" }, secret = true, help = "Linode's API token" },
    bucket   = { help = "bucket for the dump; made if it does not exist", default_text = "postgres-for-migration-ID" },
    storage_region = { help = "region of the bucket", default_text = "that of the database" },
    storage_access_key = { secret = true, help = "a key of the object storage, where the run shall not make its own" },
    storage_secret_key = { secret = true, help = "the secret of that key" },
    backup_now = { default = false, help = "take a backup where the last is too old (legacy platform only)" },
  },

  uses = {                                              -- source and store replaced, target inherited
    api    = function(p) return linode.client { token = p.token } end,
    source = function(p, use) return use.api:database(p.instance, p.dbname) end,
    store  = function(p, use)
      return use.api:bucket { region = p.storage_region or use.source.region, name = p.bucket, run = use.run,
                              access_key = p.storage_access_key, secret_key = p.storage_secret_key }
    end,
  },

  titles = {
    ["Check Your Database Size"] = "Get Your Database Size",
    ["Create and Upload the Database Dump"] = "Prepare the Database Dump",
    ["Restore to Heroku Postgres"] = "Perform the Restore Migration",
    ["Connecting Existing Apps and Services"] = "Connecting Existing Applications and Services",
  },

  change = {
    replace { "backup_is_fresh", linode.backup_now { within = "26h" },           -- where --backup-now asks for one
              linode.backup_is_fresh { within = "26h" } },                       -- restorable to any time, or a backup
    after   { "bucket", linode.storage_key, step.bucket_is_private },            -- "set the access policy to Private"
    replace { "presign", step.presign { by = "provider", signature = "v2" } },   -- linode-cli obj signurl
  },
}
