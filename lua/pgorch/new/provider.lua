-- Acme's API, as far as a move needs it: a client, and what the API says of one database. What is not said here
-- has a default; what is said is checked when it is used. docs/recipes.md lists the fields.
local provider, http = require "pgorch.provider", require "pgorch.http"

return provider {
  name  = "acme",
  hosts = { "api.acme.example" },                               -- in a test, the stand-in answers in its place

  client = function(o)
    return http.client { base = "https://api.acme.example/v1", bearer = o.token, retry = "polite" }
  end,

  list = function(api) return api:pages("/clusters", "items") end,

  database = function(api, id)                                  -- what the user named
    local c = api:get("/clusters/" .. id).body
    return {
      id = c.id, label = c.name, status = c.state, ready = c.state == "up",
      host = c.endpoint, port = c.port, user = c.admin, ca_pem = c.ca, major = c.version,
      password = provider.secret(api:get("/clusters/" .. id .. "/password").body.value),
      backup = { latest = c.last_backup_at },                   -- ISO 8601 or epoch
    }
  end,

  allow_list = {                                                -- one entry at a time; who still needs it is counted
    get    = function(api, id) return api:get("/clusters/" .. id .. "/firewall").body.cidrs end,
    add    = function(api, id, cidr) api:post("/clusters/" .. id .. "/firewall", { cidr = cidr }) end,
    remove = function(api, id, cidr) api:delete("/clusters/" .. id .. "/firewall/" .. http.escape(cidr)) end,
  },
}
