-- Every PostgreSQL database of a Vultr account to Heroku Postgres: an app for each database, on the smallest plan that
-- fits, the smallest database first. Used as it is, or copied and changed: what a row says, its recipe is given.
--
--   pgorch batch validate batch --token-env VULTR_API_KEY --tag move --prefix acme- --gates ask
--   pgorch batch run      batch --token-env VULTR_API_KEY --tag move --prefix acme- --gates ask --canary 3

local batch  = require "pgorch.batch"
local heroku = require "pgorch.heroku"
local vultr  = require "pgorch.vultr"

-- An app has 3 to 30 small letters, digits and dashes, a letter first.
local function app_name(prefix, name)
  local text = (prefix .. name):lower():gsub("[^%l%d]+", "-"):gsub("^[^%l]+", ""):sub(1, 30):gsub("%-+$", "")
  return text
end

return batch {
  name    = "vultr-account",
  summary = "Move every database of a Vultr account to Heroku Postgres",
  limits  = { jobs = 8, per_instance = 1, per_account = { heroku = 8 } },    -- one dump at a time from a server

  params = {
    token    = { env = "VULTR_API_KEY", secret = true, required = true, help = "Vultr's API key" },
    tag      = { help = "only clusters with this tag" },
    label    = { help = "only clusters whose label has this (a Lua pattern)" },
    largest  = { type = "size", help = "leave databases above this size out, as 10GB" },
    prefix   = { default = "", help = "begins the name of each app" },
    headroom = { type = "number", default = 1.3, help = "room that a plan leaves for growth" },
    storage  = { default = "pgorch", help = "label of a Vultr Object Storage subscription" },
  },

  rows = function(p, where)
    local rows = {}
    for _, cluster in ipairs(vultr.client { token = p.token }:databases { tag = p.tag, label = p.label }) do
      local dbs = cluster:dbnames()
      for _, db in ipairs(dbs) do                                -- one cluster, several databases
        local size = db.size or 0                                -- not known where an allow list is closed
        if not p.largest or size <= p.largest then
          rows[#rows + 1] = {
            id        = cluster.label .. "/" .. db.name,
            recipe    = "vultr", instance = cluster.id, dbname = db.name, storage = p.storage,
            token_env = where.token_env, token_file = where.token_file,
            app       = app_name(p.prefix, #dbs == 1 and cluster.label or cluster.label .. "-" .. db.name),
            plan      = size > 0 and heroku.plan_for(size * p.headroom) or nil,
            priority  = -size,                                   -- the smallest first
            labels    = { cluster.tag },
          }
        end
      end
    end
    return rows
  end,
}
