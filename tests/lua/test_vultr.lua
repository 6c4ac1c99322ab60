-- The Vultr client against a server that answers what a test tells it to: types made right, pages followed, what is
-- unknown named with what exists, and an allow list in which only our own entry comes and goes.

local http   = require "pgorch.http"
local json   = require "pgorch.json"
local secret = require "pgorch.secret"
local vultr  = require "pgorch.vultr"

local ID = "7b0e1c9a-0000-4000-8000-00000000a001"

local function instance(change)
  local db = { id = ID, label = "shop-db", region = "EWR", database_engine = "pg", database_engine_version = "16",
               status = "Running", dbname = "defaultdb", host = "private.example", public_host = "public.example",
               port = "16751", user = "vultradmin", password = "AVNS_secret_password", trusted_ips = json.array {},
               ca_certificate = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" }
  for name, value in pairs(change or {}) do db[name] = value end
  return db
end

local function with_api(state, fn)
  local puts = {}
  local server <close> = http.serve({}, function(request)
    local text = request.body and request.body:read_all() or ""
    if state.page then return { status = 200, headers = { ["Content-Type"] = "text/html" }, body = state.page } end
    local status, value = 404, { error = "Not found.", status = 404 }
    local list = state.databases or { instance() }
    if request.path == "/databases" then
      if (request.query or ""):find "cursor=two" or #list == 1 then
        status, value = 200, { databases = json.array { list[#list] }, meta = { total = #list, links = { next = "" } } }
      else
        status, value = 200, { databases = json.array { list[1] }, meta = { total = 2, links = { next = "two" } } }
      end
    elseif request.path == "/databases/" .. ID then
      if request.method == "PUT" then
        puts[#puts + 1] = json.decode(text).trusted_ips
        list[1].trusted_ips = json.array(json.decode(text).trusted_ips)
      end
      status, value = 200, { database = list[1] }
    elseif request.path:match "/dbs$" then
      status, value = 200, { dbs = state.dbs or json.array { { name = "defaultdb" } }, meta = { total = 1 } }
    elseif request.path:match "/backups$" then
      status, value = 200, { latest_backup = { date = "2026-11-19", time = "23:54:10" } }
    elseif request.path == "/object-storage" then
      status, value = 200, { object_storages = json.array { { id = "os-1", label = "pgorch", status = "active",
        region = "ewr", s3_hostname = "ewr1.vultrobjects.com", s3_access_key = "AK", s3_secret_key = "SK" } } }
    elseif request.path == "/account" then
      status, value = 401, { error = "Invalid API token.", status = 401 }
    end
    return { status = status, headers = { ["Content-Type"] = "application/json" }, body = json.encode(value) }
  end)
  local api_url = server.url:gsub("/$", "")
  return fn(vultr.client { token = secret.new "key-of-a-test", api_url = api_url }, puts)
end

describe("vultr", function()
  it("takes no web page for an answer, whatever its status", function()
    with_api({ page = "<html><h1>Sign in</h1></html>" }, function(api)
      local err = expect(function() api:database "shop-db" end):raises "PGO-PROVIDER"
      expect(err.message).has "a web page came in the place of an answer"
      expect(err.retryable).is(true)
    end)
  end)

  it("makes a source out of an instance, with its types", function()
    with_api({}, function(api)
      local source = api:database "shop-db"
      expect(source.port).is(16751)
      expect(source.host).is "public.example"
      expect(source.hosts).same { "private.example", "public.example" }
      expect(source.dbname).is "defaultdb"
      expect(source.major).is(16)
      expect(source.ready).is(true)
      expect(source.region).is "ewr"
      expect(secret.is(source.password)).is(true)
      expect(source.latest_backup()).is(1795132450)
      expect(api:database(ID).label).is "shop-db"
    end)
  end)

  it("follows the cursor, and lists what exists when the label is unknown", function()
    with_api({ databases = { instance { label = "one" }, instance { label = "two" } } }, function(api)
      expect(#api:databases()).is(2)
      local err = expect(function() api:database "three" end):raises "PGO-PROVIDER-INSTANCE"
      expect(err.detail).has "one, two"
    end)
  end)

  it("asks for --dbname when there are several, and lists them", function()
    with_api({ dbs = json.array { { name = "a" }, { name = "b" } } }, function(api)
      expect(expect(function() api:database "shop-db" end):raises "PGO-PROVIDER-INSTANCE".detail).has "a, b"
      expect(api:database("shop-db", "b").dbname).is "b"
      expect(expect(function() api:database("shop-db", "c") end):raises "PGO-PROVIDER-INSTANCE".detail).has "a, b"
    end)
  end)

  it("adds and removes only its own entry, and never empties the list", function()
    with_api({ databases = { instance { trusted_ips = json.array { "198.51.100.7/32" } } } }, function(api, puts)
      local list = api:database("shop-db").allow_list
      list.add "203.0.113.9/32"
      list.add "203.0.113.9/32"
      expect(puts).same { { "198.51.100.7/32", "203.0.113.9/32" } }
      list.remove "203.0.113.9/32"
      expect(puts[2]).same { "198.51.100.7/32" }
      expect(list.remove "198.51.100.7/32").is "kept"
      expect(#puts).is(2)
    end)
  end)

  it("says that a key is wrong, and which storage labels there are", function()
    with_api({}, function(api)
      expect(function() api:account() end):raises "PGO-PROVIDER-TOKEN"
      expect(expect(function() api:object_storage "none" end):raises "PGO-PROVIDER-STORAGE".detail).has "pgorch"
      expect(api:object_storage("pgorch").endpoint).is "https://ewr1.vultrobjects.com"
    end)
  end)
end)
