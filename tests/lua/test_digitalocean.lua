-- DigitalOcean's client against its stand-in, and the stand-in against what the API's documentation says: types, pages
-- whose links are URLs, errors, and trusted sources of which only our own address comes and goes.

local digitalocean = require "pgorch.digitalocean"
local fs           = require "pgorch.fs"
local http         = require "pgorch.http"
local json         = require "pgorch.json"
local secret       = require "pgorch.secret"
local stand_in     = require "pgorch.sandbox.digitalocean"

local CA = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

-- Without a server behind it.
local function with_api(opts, fn)
  return function()
    fs.with_temporary("pgorch-do-", function(dir)
      local source = { host = "127.0.0.1", port = 15432, user = "doadmin", password = "AVNS_not-to-be-seen",
        dbname = "defaultdb", dbs = { "defaultdb" }, version = 15, ca_pem = CA }
      local world = { dir = dir, ca_pem = CA, source = source }
      local there <close> = stand_in.start(world, opts)
      fn(digitalocean.client { token = secret.new(there.token), api_url = there.url }, there, world)
    end)
  end
end

local function rules_of(there)
  local found = {}
  for i, rule in ipairs(there.state.databases[1].rules) do found[i] = ("%s:%s"):format(rule.type, rule.value) end
  return table.concat(found, " ")
end

describe("digitalocean", function()
  it("makes a source out of a cluster", with_api({ backup_age = 7200 }, function(api)
    local source = api:database "demo"
    expect(source:name()).is "demo/defaultdb"
    expect(source.port).is(15432)
    expect(source.major).is(15)
    expect(source.ready).is(true)
    expect(source.ca_pem).is(CA)
    expect(secret.is(source.password)).is(true)
    local age = os.time() - source.latest_backup()
    expect(age >= 7200 and age < 7300).is(true)
    expect(api:database(source.id).label).is "demo"
  end))

  it("follows the links from page to page, and says what there is", with_api({ more = 120 }, function(api)
    expect(#api:databases()).is(122)
    local err = expect(function() api:database "nowhere" end):raises "PGO-PROVIDER-INSTANCE"
    expect(err.detail).has "analytics, demo, more-001"
    expect(err.detail).lacks "wordpress"
  end))

  it("adds and removes its own address alone, and keeps the other rules as they are",
    with_api({ trusted = { "droplet:163973392", "198.51.100.7" } }, function(api, there)
      local list, before = api:database("demo").allow_list, there.state.databases[1].rules[1]
      expect(list.get()).same { "droplet:163973392", "198.51.100.7/32" }
      list.add "203.0.113.9/32"
      list.add "203.0.113.9/32"
      expect(rules_of(there)).is "droplet:163973392 ip_addr:198.51.100.7 ip_addr:203.0.113.9"
      expect(there.state.databases[1].rules[1].uuid).is(before.uuid)
      expect(list.remove "203.0.113.9/32").is "removed"
      expect(rules_of(there)).is "droplet:163973392 ip_addr:198.51.100.7"
      expect(list.remove "203.0.113.9/32").is "absent"
    end))

  it("never takes the last rule away, which would open the database", with_api({ trusted = { "203.0.113.9" } },
    function(api, there)
      expect(api:database("demo").allow_list.remove "203.0.113.9/32").is "kept"
      expect(rules_of(there)).is "ip_addr:203.0.113.9"
    end))

  it("says what the token may not do", with_api({ hides_credentials = true }, function(api, there)
    expect(expect(function() api:database "demo" end):raises "PGO-PROVIDER-TOKEN".cure).has "view_credentials"
    local other = digitalocean.client { token = secret.new "dop_v1_wrong", api_url = there.url }
    expect(expect(function() other:databases() end):raises "PGO-PROVIDER-TOKEN".message).has "Unable to authenticate"
  end))

  it("tells a connection pool from a database", with_api({}, function(api, there)
    there.state.databases[1].pools = { { name = "app-pool", mode = "transaction", size = 10, db = "defaultdb" } }
    expect(expect(function() api:database("demo", "app-pool") end):raises "PGO-PROVIDER-INSTANCE".message)
      .has "--dbname defaultdb"
    expect(api:database("demo").pools()).same { { name = "app-pool", database = "defaultdb" } }
    expect(expect(function() api:database("demo", "typo") end):raises "PGO-PROVIDER-INSTANCE".detail).has "defaultdb"
  end))

  it("destroys a cluster when it is told to", with_api({}, function(api, there)
    api:database("demo").destroy()
    expect(there.state.databases[1].object.name).is "analytics"
    expect(function() api:database "demo" end):raises "PGO-PROVIDER-INSTANCE"
  end))
end)

describe("the DigitalOcean stand-in", function()
  it("answers errors, budgets and bad rules as the API does", with_api({ rate = 4 }, function(_, there)
    local function ask(method, path, body)
      local answer = http.request { method = method, url = there.url .. path, check = false,
        headers = { authorization = "Bearer " .. there.token }, body = body and json.encode(body) }
      return answer.status, answer.body ~= "" and json.decode(answer.body) or nil, answer.headers
    end
    local status, body, headers = ask("GET", "/databases/unknown")
    expect({ status, body.id, type(body.request_id) }).same { 404, "not_found", "string" }
    expect({ headers["ratelimit-limit"], headers["ratelimit-remaining"] }).same { "4", "3" }
    local one = "/databases/" .. there.state.databases[1].object.id
    expect((ask("PUT", one .. "/firewall", { rules = json.array { { type = "ip_addr", value = "2001:db8::1" } } })))
      .is(422)
    expect((ask("PUT", one .. "/firewall", { rules = json.array {} }))).is(204)
    status, body = ask("GET", "/databases")
    expect({ status, body.meta.total, next(body.links) }).same { 200, 3 }
    status, body, headers = ask("GET", "/databases")
    expect({ status, body.id }).same { 429, "too_many_requests" }
    expect(tonumber(headers["retry-after"])).above(0)
  end))
end)
