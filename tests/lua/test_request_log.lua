-- requests.jsonl of a world: it tells what was asked and answered, and no secret that the world has.

local crypto  = require "pgorch.crypto"
local fs      = require "pgorch.fs"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local leaks   = require "support.leaks"
local sandbox = require "pgorch.sandbox"

local V3 = "application/vnd.heroku+json; version=3"

local function ask(url, bearer, method, path, body)
  local reply = http.request { method = method, url = url .. path, check = false, body = body and json.encode(body),
    headers = { Authorization = "Bearer " .. bearer, Accept = V3, ["Content-Type"] = body and "application/json" } }
  return json.decode(reply.body)
end

-- Every place of the APIs where a secret is answered or sent.
local function speak_of_secrets(world, secrets)
  local heroku = function(...) return ask(world.heroku.url, world.heroku.token, ...) end
  heroku("POST", "/apps/demo-app/addons", { plan = { name = "heroku-postgresql:standard-0" }, name = "big-db" })
  for _ = 1, 4 do heroku("GET", "/apps/demo-app/addons/big-db") end
  secrets.config = crypto.hex(crypto.random(12))
  heroku("PATCH", "/apps/demo-app/config-vars", { ANYTHING = secrets.config, RAILS_ENV = json.null })
  heroku("GET", "/apps/demo-app/config-vars")
  local info = heroku("GET", "/client/v11/databases/big-db")
  secrets.database = info.database_password
  heroku("GET", "/postgres/v0/databases/big-db/credentials")
  local vultr = function(...) return ask(world.vultr.url, world.vultr.api_key, ...) end
  vultr("GET", "/databases")
  vultr("GET", "/object-storage")
  local linode = function(...) return ask(world.linode.url, world.linode.token, ...) end
  secrets.key = linode("POST", "/object-storage/keys", { label = "ours" }).secret_key
  local instance = linode("GET", "/databases/postgresql/instances").data[1]
  secrets.linode = linode("GET", ("/databases/postgresql/instances/%d/credentials"):format(instance.id)).password
end

describe("requests.jsonl", function()
  it("holds no secret of the world, and says what was asked", function()
    sandbox.run({ source = { scale = 0.01 } }, function(world)
      local secrets = { source = world.source.password, token = world.heroku.token, vultr = world.vultr.api_key,
        linode_token = world.linode.token, s3 = world.s3.secret_key }
      speak_of_secrets(world, secrets)
      for name, secret in pairs(secrets) do expect(name .. tostring(#secret > 8)).is(name .. "true") end
      local text, found = fs.read(world.dir .. "/requests.jsonl", 1 << 24), {}
      leaks.in_text(leaks.watch(secrets), text, "requests.jsonl", found)
      expect(found).same {}
      expect(text).has '"ANYTHING":"***"'
      expect(text).has '"database_password":"***"'
      leaks.in_text(leaks.watch(secrets), text .. secrets.database, "a planted one", found)
      expect(#found).above(0)
    end)
  end)
end)
