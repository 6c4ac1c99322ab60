-- The Linode stand-in: types, pages and filters, tokens and budgets, states, an empty list that lets nobody in,
-- credentials that are those of the server, keys that are shown once and die, URLs that work.

local clock   = require "pgorch.clock"
local crypto  = require "pgorch.crypto"
local fail    = require "pgorch.error"
local faults  = require "pgorch.sandbox.faults"
local filter  = require "pgorch.sandbox.linode.filter"
local fs      = require "pgorch.fs"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local linode  = require "pgorch.sandbox.linode"
local pg      = require "pgorch.pg"
local s3      = require "pgorch.sandbox.s3"
local s3_client = require "pgorch.s3"
local sandbox = require "pgorch.sandbox"
local secret  = require "pgorch.secret"
local task    = require "pgorch.task"

-- call(method, path, body, {token=, headers=}) -> answer with .json
local function caller(api)
  return function(method, path, body, o)
    o = o or {}
    local headers = { authorization = "Bearer " .. (o.token or api.token), ["content-type"] = "application/json" }
    for name, value in pairs(o.headers or {}) do headers[name] = value end
    local answer = http.request { method = method, url = api.url .. path, check = false, headers = headers,
      body = body and json.encode(body) or nil }
    local ok, value = pcall(json.decode, answer.body)
    answer.json = ok and value or nil
    return answer
  end
end

-- Without a server behind it.
local function with_api(opts, fn)
  return function()
    local world = { dir = fs.mkdtemp "pgorch-linode-", source = { host = "127.0.0.1", port = 15432, user = "akmadmin",
      password = "AVNS_not-to-be-seen", dbname = "defaultdb", version = 15, ca_pem = "-----BEGIN CERTIFICATE-----\n" } }
    local ok, err = pcall(function()
      local endpoint <close> = s3.start(world)
      opts.s3 = endpoint
      local api <close> = linode.start(world, opts)
      fn(caller(api), api, world)
    end)
    fs.remove_tree(world.dir)
    if not ok then error(err, 0) end
  end
end

local DEMO = "/databases/postgresql/instances/123"

local function filtered(call, path, wanted)
  local labels = {}
  local answer = call("GET", path, nil, { headers = { ["x-filter"] = json.encode(wanted) } })
  for i, each in ipairs(answer.json.data or {}) do labels[i] = each.label end
  return table.concat(labels, " "), answer
end

describe("the Linode stand-in", function()
  it("describes databases with Linode's types", with_api({}, function(call, api)
    local demo = call("GET", DEMO).json
    expect(demo.label).is "demo"
    expect(demo.port).is(15432)
    expect(demo.hosts.primary).is "127.0.0.1"
    expect(demo.oldest_restore_time:match "^%d+%-%d+%-%d+T%d+:%d+:%d+$").is(demo.oldest_restore_time)
    expect(demo.password).is_nil()
    expect(call("GET", DEMO .. "/credentials").json).same { username = "akmadmin", password = "AVNS_not-to-be-seen" }
    expect(crypto.unbase64(call("GET", DEMO .. "/ssl").json.ca_certificate)).is "-----BEGIN CERTIFICATE-----\n"
    local all = call("GET", "/databases/instances").json
    expect(all.results).is(4)
    expect(all.data[1].instance_uri).is "/v4/databases/postgresql/instances/123"
    expect(call("GET", "/databases/mysql/instances").json.data[1].label).is "wordpress"
    expect(call("GET", "/databases/mysql/instances/123").json).same { errors = { { reason = "Not found" } } }
    local beta = caller { url = api.url .. "beta", token = api.token }
    expect(beta("GET", DEMO).json.id).is(123)
    expect(call("PATCH", DEMO).status).is(405)
    expect(call("GET", "/nowhere").status).is(404)
    expect(call("POST", DEMO .. "/backups", { label = "pre" }).status).is(404) -- no such call on today's platform
  end))

  it("has no hosts and no credentials while a database is being made", with_api({ provisioning_polls = 1 },
    function(call)
      local path = "/databases/postgresql/instances/126"
      local raw = call("GET", path)
      expect(raw.json.status).is "provisioning"
      expect(raw.body).has '"hosts":null'
      expect(call("GET", path .. "/credentials").status).is(400)
      expect(call("GET", path .. "/ssl").status).is(400)
      expect(call("PUT", path, { label = "other" }).status).is(400)
      expect(call("GET", path).json.status).is "active"
      expect(call("GET", path .. "/credentials").status).is(200)
    end))

  it("orders by a field that some do not have, or have as text, or as null", function()
    local values = { 3, json.null, 1, "b", false, 2, "a", json.null, 1 }
    local items = { { place = 0 } }
    for place, value in ipairs(values) do items[#items + 1] = { place = place, value = value } end
    local function ordered(direction)
      local places = {}
      for i, item in ipairs(filter.apply(items, json.encode { ["+order_by"] = "value", ["+order"] = direction })) do
        places[i] = item.place
      end
      return table.concat(places, " ")
    end
    expect(ordered "asc").is "3 9 6 1 7 4 0 2 5 8"
    expect(ordered "desc").is "1 6 3 9 4 7 0 2 5 8"
  end)

  it("pages by number, and filters", with_api({ more = 60 }, function(call)
    local first = call("GET", "/databases/postgresql/instances?page_size=25").json
    expect({ first.page, first.pages, first.results, #first.data }).same { 1, 3, 63, 25 }
    local last = call("GET", "/databases/postgresql/instances?page_size=25&page=3").json
    expect({ last.page, #last.data }).same { 3, 13 }
    expect(call("GET", "/databases/postgresql/instances?page=9").status).is(404)
    expect(call("GET", "/databases/postgresql/instances?page_size=24").json.errors[1].field).is "page_size"
    local path = "/databases/instances"
    expect((filtered(call, path, { label = "demo" }))).is "demo"
    expect((filtered(call, path, { label = { ["+contains"] = "MORE-00" }, id = { ["+gt"] = 207 } })))
      .is "more-008 more-009"
    expect((filtered(call, path, { ["+or"] = { { label = "demo" }, { engine = "mysql" } }, ["+order_by"] = "label",
      ["+order"] = "desc" }))).is "wordpress demo"
    expect((filtered(call, path, { ["+and"] = { { engine = "postgresql" }, { id = { ["+lte"] = 124 } } } })))
      .is "demo analytics"
    expect((filtered(call, path, { id = { ["+neq"] = 123 }, version = "15" }))).is "analytics brand-new"
    local _, refused = filtered(call, path, { label = { ["+like"] = "x" } })
    expect(refused.status).is(400)
    expect(call("GET", path, nil, { headers = { ["x-filter"] = "{" } }).status).is(400)
  end))

  it("refuses tokens, scopes and hurry", with_api({}, function(call, api)
    expect(call("GET", DEMO, nil, { token = "wrong" }).json).same { errors = { { reason = "Invalid Token" } } }
    local reader = { token = api:add_token "databases:read_only" }
    expect(call("GET", DEMO, nil, reader).status).is(200)
    local refused = call("PUT", DEMO, { label = "other" }, reader)
    expect(refused.status).is(401)
    expect(refused.headers["x-accepted-oauth-scopes"]).is "databases:read_write"
    expect(call("GET", "/object-storage/keys", nil, reader).status).is(401)
    expect(call("GET", "/profile", nil, reader).json.username).is "sandbox"
    local slow = { token = api:add_token("*", { general = 5, collections = 2 }) }
    local path = "/databases/instances"
    expect(call("GET", path, nil, slow).headers["x-ratelimit-remaining"]).is "1"
    call("GET", path, nil, slow)
    local throttled = call("GET", path, nil, slow)
    expect(throttled.status).is(429)
    expect(throttled.headers["x-ratelimit-limit"]).is "2"
    local wait = tonumber(throttled.headers["retry-after"])
    expect(wait >= 1 and wait <= 60).is(true)
    expect(tonumber(throttled.headers["x-ratelimit-reset"]) > clock.time()).is(true)
    expect(call("GET", DEMO, nil, slow).headers["x-ratelimit-limit"]).is "5" -- a budget of its own
  end))

  it("changes, suspends and resumes slowly", with_api({ updating_seconds = 3600 }, function(call, api)
    local function put(body) return call("PUT", DEMO, body) end
    expect(put { allow_list = { "nonsense" } }.json.errors[1].field).is "allow_list"
    expect(put { label = "x" }.json.errors[1].field).is "label"
    local changed = put { allow_list = { "203.0.113.9", "2001:db8::/32" } }
    expect(changed.json.allow_list).same { "203.0.113.9/32", "2001:db8::/32" }
    expect(put { allow_list = json.array {} }.status).is(400)
    local seen = { changed.json.status }
    for i = 2, 4 do seen[i] = call("GET", DEMO).json.status end
    expect(seen).same { "updating", "updating", "updating", "active" }
    expect(call("POST", DEMO .. "/suspend").json).same {}
    for i = 1, 3 do seen[i] = call("GET", DEMO).json.status end
    expect(seen).same { "suspending", "suspending", "suspended", "active" }
    expect(put { label = "sleeping" }.status).is(400)
    expect(call("POST", DEMO .. "/resume").status).is(200)
    expect(call("GET", DEMO).json.status).is "resuming"
    expect(#api.state.databases).is(4)
    expect(call("DELETE", "/databases/mysql/instances/125").json).same {}
    expect(#api.state.databases).is(3)
  end))

  it("makes backups on request on the old platform alone", with_api({ legacy = true, updating_polls = 0 },
  function(call)
    expect(call("GET", DEMO).json.platform).is "rdbms-legacy"
    expect(call("POST", DEMO .. "/backups", { target = "primary" }).json.errors[1].field).is "label"
    for i = 1, 3 do
      expect(call("POST", DEMO .. "/backups", { label = "pre" .. i, target = "primary" }).status).is(200)
      expect(call("POST", DEMO .. "/backups", { label = "busy" }).status).is(400)
      call("GET", DEMO)
    end
    expect(call("POST", DEMO .. "/backups", { label = "one too many" }).json.errors[1].reason).has "Maximum"
    local backups = call("GET", DEMO .. "/backups").json
    expect({ backups.results, backups.data[1].type, backups.data[2].label, backups.data[2].type })
      .same { 4, "auto", "pre1", "snapshot" }
  end))

  it("plays what passes at Linode: busy, maintenance, nginx, lost answers", with_api({}, function(call, _, world)
    faults.put(world, "linode.database", { answer = 400 })
    expect(call("GET", DEMO).json).same { errors = { { reason = "Linode busy." } } }
    faults.put(world, "linode.database", { answer = 503, headers = { ["x-maintenance-mode"] = "true" } })
    expect(call("GET", DEMO).headers["x-maintenance-mode"]).is "true"
    faults.put(world, "linode.any", { answer = 502, html = true })
    local html = call("GET", DEMO)
    expect(html.body).has "<h1>502</h1>"
    expect(html.headers.server).is "nginx"
    expect(call("GET", DEMO).status).is(200)
    call("GET", DEMO .. "/credentials")
    local text = fs.read(world.dir .. "/requests.jsonl")
    expect(text:find(world.source.password, 1, true)).is_nil()
  end))
end)

local function client(api, key)
  return s3_client.client { endpoint = api.state.s3.url, region = "us-east-1", access_key = secret.new(key.access_key),
    secret_key = secret.new(key.secret_key) }
end

local function code_of(fn)
  local ok, err = pcall(fn)
  return ok and "done" or err.code or err.id
end

describe("object storage of the Linode stand-in", function()
  it("shows a secret once, limits keys to buckets, and ends them at once", with_api({}, function(call, api)
    call("POST", "/object-storage/buckets", { label = "mine", region = "us-east" })
    call("POST", "/object-storage/buckets", { label = "other", region = "us-east-1" })
    local full = call("POST", "/object-storage/keys", { label = "full", regions = { "us-east" } }).json
    expect(full.limited).is(false)
    expect(full.regions[1].s3_endpoint).is("127.0.0.1:" .. api.state.s3.port)
    expect(call("GET", "/object-storage/keys/" .. full.id).json.secret_key).is "[REDACTED]"
    expect(call("GET", "/object-storage/keys").json.data[1].secret_key).is "[REDACTED]"
    local function limited(permission)
      return call("POST", "/object-storage/keys", { label = "part", bucket_access = {
        { region = "us-east", bucket_name = "mine", permissions = permission } } }).json
    end
    local reader, writer = limited "read_only", limited "read_write"
    expect(writer.limited).is(true)
    local function put(key, bucket)
      return code_of(function() client(api, key):bucket(bucket):put("hello", "text") end)
    end
    expect(put(writer, "mine")).is "done"
    expect(put(writer, "other")).is "AccessDenied"
    expect(put(reader, "mine")).is "AccessDenied"
    expect(code_of(function() client(api, reader):bucket("mine"):head_object "hello" end)).is "done"
    expect(put(full, "other")).is "done"
    expect(call("DELETE", "/object-storage/keys/" .. full.id).json).same {}
    expect(put(full, "other") ~= "done").is(true)
    expect(call("GET", "/object-storage/keys/" .. full.id).status).is(404)
    expect(call("PUT", "/object-storage/keys/" .. writer.id, { label = "renamed" }).json.label).is "renamed"
    local refused = call("POST", "/object-storage/keys", { label = "x", regions = { "mars" } })
    expect(refused.json.errors[1].field).is "regions"
  end))

  it("makes, lists and removes buckets, and says who may read them", with_api({}, function(call, api)
    local made = call("POST", "/object-storage/buckets", { label = "mine", region = "us-east", acl = "private" })
    expect(made.status).is(200)
    expect(made.json.hostname).is("mine.127.0.0.1:" .. api.state.s3.port)
    expect(call("POST", "/object-storage/buckets", { label = "mine", region = "us-east" }).status).is(200)
    local taken = call("POST", "/object-storage/buckets", { label = "taken-by-somebody-else", region = "us-east" })
    expect(taken.json.errors[1].field).is "label"
    expect(call("POST", "/object-storage/buckets", { label = "Bad_Name", region = "us-east" }).status).is(400)
    local elsewhere = call("POST", "/object-storage/buckets", { label = "fine", region = "us-ord" })
    expect(elsewhere.json.errors[1].field).is "region"
    expect(call("GET", "/object-storage/buckets").json.results).is(1)
    expect(call("GET", "/object-storage/buckets/us-east").json.data[1].label).is "mine"
    expect(call("GET", "/object-storage/buckets/us-ord").json.results).is(0)
    local path = "/object-storage/buckets/us-east/mine"
    expect(call("GET", path .. "/access").json.acl).is "private"
    expect(call("PUT", path .. "/access", { acl = "public-read" }).json).same {}
    expect(call("GET", path .. "/access").json.acl_xml).has "AllUsers"
    expect(call("PUT", path .. "/access", { acl = "nonsense" }).json.errors[1].field).is "acl"
    client(api, api.state.signer):bucket("mine"):put("dir/a", "1234")
    client(api, api.state.signer):bucket("mine"):put("b", "12")
    local one = call("GET", "/object-storage/buckets/us-east-1/mine").json
    expect({ one.objects, one.size }).same { 2, 6 }
    local list = call("GET", path .. "/object-list?delimiter=/").json
    expect({ list.data[1].name, list.data[1].size, list.data[2].name }).same { "b", 2, "dir/" }
    expect(list.is_truncated).is(false)
    expect(call("DELETE", path).status).is(400)
    for _, key in ipairs { "dir/a", "b" } do client(api, api.state.signer):bucket("mine"):delete(key) end
    expect(call("DELETE", path).json).same {}
    expect(call("GET", path).status).is(404)
  end))

  it("signs URLs that work for whoever has them", with_api({}, function(call)
    call("POST", "/object-storage/buckets", { label = "mine", region = "us-east" })
    local path, key = "/object-storage/buckets/us-east/mine", "dump/ü x+1.dump"
    local function url(body) return call("POST", path .. "/object-url", body) end
    expect(url({ name = key }).json.errors[1].field).is "method"
    expect(url({ method = "GET" }).json.errors[1].field).is "name"
    expect(url({ method = "PUT", name = key }).json.errors[1].field).is "content_type"
    expect(url({ method = "GET", name = key }).json.exists).is(false)
    local put = url { method = "PUT", name = key, content_type = "text/x-dump", expires_in = 60 }
    expect(http.request({ method = "PUT", url = put.json.url, body = "the dump", check = false,
      headers = { ["content-type"] = "text/x-dump" } }).status).is(200)
    local got = url { method = "GET", name = key, expires_in = 60, content_disposition = "attachment" }
    expect(got.json.exists).is(true)
    local answer = http.request { method = "GET", url = got.json.url, check = false }
    expect(answer.body).is "the dump"
    expect(answer.headers["content-disposition"]).is "attachment"
    local plain = url({ method = "GET", name = key }).json.url
    local expires = tonumber(plain:match "Expires=(%d+)")
    expect(math.abs(expires - clock.time() - 3600) < 60).is(true)
    local later = plain:gsub("Expires=%d+", "Expires=" .. expires + 1)
    expect(http.request({ method = "GET", url = later, check = false }).status).is(403)
    expect(http.request({ method = "GET", url = plain, check = false }).body).is "the dump"
    local name = http.escape(key)
    expect(call("GET", path .. "/object-acl?name=" .. name).json.acl).is "private"
    expect(call("PUT", path .. "/object-acl", { name = key, acl = "public-read" }).json.acl).is "public-read"
    local bare = plain:gsub("%?.*", "")
    expect(http.request({ method = "GET", url = bare, check = false }).body).is "the dump"
  end))

  it("hands out the keys of a real object store in its place", function()
    local world = { dir = fs.mkdtemp "pgorch-linode-", source = { host = "127.0.0.1", port = 1, user = "u",
      password = "not-a-password", dbname = "d", version = 15 } }
    local store = { url = "http://127.0.0.1:9", access_key = "AK", secret_key = "SK" }
    local api <close> = linode.start(world, { s3 = store })
    local call = caller(api)
    local key = call("POST", "/object-storage/keys", { label = "real" }).json
    expect({ key.access_key, key.secret_key, key.regions[1].s3_endpoint }).same { "AK", "SK", "127.0.0.1:9" }
    expect(call("GET", "/object-storage/buckets").status).is(400)
    local url = call("POST", "/object-storage/buckets/us-east/b/object-url", { method = "GET", name = "k" }).json.url
    expect(url).has "http://127.0.0.1:9/b/k?Signature="
    fs.remove_tree(world.dir)
  end)
end)

describe("a database of the Linode stand-in", function()
  it("is the one in the server, and lets nobody in but its list", function()
    sandbox.run({ source = { sql = "create table public.t as select 1 as n;" } }, function(world)
      local call = caller(world.linode)
      expect(world.env.LINODE_API_URL).is(world.linode.url)
      local demo = call("GET", DEMO).json
      expect(demo.version:match "^%d+%.%d+").is(demo.version)
      local function connect(timeout)
        local given = call("GET", DEMO .. "/credentials").json
        return pg.connect { host = demo.hosts.primary, port = demo.port, user = given.username,
          password = given.password, dbname = "defaultdb", connect_timeout = timeout or 20,
          ca_pem = crypto.unbase64(call("GET", DEMO .. "/ssl").json.ca_certificate) }
      end
      local conn <close> = connect()
      expect(conn:value "select n from public.t").is(1) -- as the owner would
      expect(conn:value "select current_user").is "akmadmin"
      pg.connect(world.linode:database_url(world.linode.state.databases[1])):close() -- as an app has it

      -- An empty list lets nobody in; who is inside stays.
      expect(call("PUT", DEMO, { allow_list = json.array {} }).status).is(200)
      repeat task.sleep(0.01) until call("GET", DEMO).json.status == "active"
      local ok, err = pcall(connect, 0.5)
      expect(ok).is(false)
      expect(fail.is(err, "PGO-PG-CONNECT")).is(true)
      expect(conn:value "select 1").is(1)
      call("PUT", DEMO, { allow_list = { "127.0.0.1" } })
      connect():close()

      -- A new password is the server's, and the old one is not any more.
      local old = call("GET", DEMO .. "/credentials").json.password
      repeat task.sleep(0.01) until call("GET", DEMO).json.status == "active"
      expect(call("POST", DEMO .. "/credentials/reset").json).same {}
      connect():close()
      expect(function()
        pg.connect { host = demo.hosts.primary, port = demo.port, user = "akmadmin", password = old, dbname = "d" }
      end):raises "PGO-PG-AUTH"

      local parameters = { idle_in_transaction_session_timeout = 61000 }
      expect(call("PUT", DEMO, { engine_config = { pg = parameters } }).status).is(200)
      local after <close> = connect()
      expect(after:value "show idle_in_transaction_session_timeout").is "61s"
      local wrong = call("PUT", DEMO, { engine_config = { pg = { default_transaction_read_only = true } } })
      expect(wrong.json.errors[1].field).is "engine_config"
    end)
  end, { limit = 60 })
end)
