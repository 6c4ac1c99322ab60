-- DigitalOcean Managed PostgreSQL to Heroku Postgres: the common flow with another source, and Spaces for the dump.
local recipe       = require "pgorch.recipe"
local digitalocean = require "pgorch.digitalocean"

return recipe.from "postgres" {
  name    = "digitalocean",
  summary = "Move a DigitalOcean managed database to Heroku Postgres by dump and restore",

  params  = {
    instance = { help = "name or id of the DigitalOcean database cluster", required = true },
    dbname   = { help = "database inside it", required = "if the cluster has several" },
    token    = { env = { "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN" }, secret = true,
                 help = "DigitalOcean's API token" },
    bucket   = { help = "the Space for the dump; made if it does not exist", required_when = { via = "archive" } },
    storage_region = { help = "region of the Space, such as nyc3; its keys are SPACES_ACCESS_KEY_ID and "
                       .. "SPACES_SECRET_ACCESS_KEY" },
    endpoint_url = { help = "another S3 storage in its place; its keys may be AWS_ACCESS_KEY_ID and "
                     .. "AWS_SECRET_ACCESS_KEY", env = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" } },
  },

  uses = {
    api    = function(p) return digitalocean.client { token = p.token } end,
    source = function(p, use) return use.api:database(p.instance, p.dbname) end,
    store  = function(p)
      return digitalocean.spaces { region = p.storage_region, endpoint = p.endpoint_url, bucket = p.bucket }
    end,
  },
}
