-- The Vultr stand-in: types, paging, the slow allow list and storage, keys that die, refusals.

local fs = require "pgorch.fs"
local faults = require "pgorch.sandbox.faults"
local http = require "pgorch.http"
local json = require "pgorch.json"
local request_log = require "pgorch.sandbox.request_log"
local pg = require "pgorch.pg"
local s3 = require "pgorch.sandbox.s3"
local s3_client = require "pgorch.s3"
local sandbox = require "pgorch.sandbox"
local secret = require "pgorch.secret"
local task = require "pgorch.task"
local vultr = require "pgorch.sandbox.vultr"

local function with_api(fn, opts)
  return function()
    local world = { dir = fs.mkdtemp "pgorch-vultr-", source = {
      host = "localhost", port = 15432, user = "vultradmin", password = "AVNS_not-to-be-seen", dbname = "defaultdb",
      version = 15, ca_pem = "-----BEGIN CERTIFICATE-----\n" } }
    local ok, err = pcall(function()
      local endpoint <close> = s3.start(world)
      local options = { s3 = endpoint }
      for name, value in pairs(opts or {}) do options[name] = value end
      local api <close> = vultr.start(world, options)
      local function call(method, path, body, key)
        local answer = http.request { method = method, url = api.url .. path, check = false,
          headers = { authorization = "Bearer " .. (key or api.api_key), ["content-type"] = "application/json" },
          body = body and json.encode(body) or nil }
        local is_json = (answer.headers["content-type"] or ""):find "json"
        answer.json = is_json and json.decode(answer.body) or nil
        return answer
      end
      fn(call, endpoint, world)
    end)
    fs.remove_tree(world.dir)
    if not ok then error(err, 0) end
  end
end

local function demo(call) return call("GET", "/databases?label=demo").json.databases[1] end

describe("the Vultr stand-in", function()
  it("describes the source with Vultr's types", with_api(function(call, _, world)
    local instance = demo(call)
    expect(instance.port).is "15432"
    expect(instance.host).is "localhost"
    expect(instance.password).is(world.source.password)
    expect(instance.database_engine).is "pg"
    expect(instance.plan_disk).is(55)
    expect(instance.ca_certificate).is(world.source.ca_pem)
    expect(instance.latest_backup:match "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$").is(instance.latest_backup)
    local backups = call("GET", "/databases/" .. instance.id .. "/backups").json
    expect(backups.latest_backup.date .. " " .. backups.latest_backup.time).is(instance.latest_backup)
    expect(call("GET", "/databases/" .. instance.id .. "/dbs").json.dbs[1].name).is "defaultdb"
    expect(call("GET", "/databases/" .. instance.id .. "/usage").json.usage.disk.max_gb).is(55)
    expect(call("GET", "/account").json.account.email ~= nil).is(true)
  end))

  it("pages by cursors that end with an empty one", with_api(function(call)
    local cursor, labels, pages = "", {}, 0
    repeat
      local page = call("GET", "/databases?per_page=2&cursor=" .. http.escape(cursor)).json
      for _, each in ipairs(page.databases) do labels[#labels + 1] = each.label end
      cursor, pages = page.meta.links.next, pages + 1
    until cursor == ""
    expect(pages).is(2)
    expect(labels).same { "demo", "analytics", "wordpress" }
    expect(call("GET", "/databases?cursor=nonsense").status).is(400)
  end))

  it("refuses wrong keys, unknown ids and too many requests", with_api(function(call)
    local refused = call("GET", "/account", nil, "wrong")
    expect(refused.status).is(401)
    expect(refused.json).same { error = "Invalid API token.", status = 401 }
    expect(call("GET", "/databases/none").status).is(404)
    expect(call("GET", "/nowhere").status).is(404)
    local worst = 200
    task.group(function(group)
      for _ = 1, 80 do
        group:spawn(function() worst = math.max(worst, call("GET", "/account").status) end)
      end
    end)
    expect(worst).is(429)
  end))

  it("changes the allow list slowly", with_api(function(call)
    local path = "/databases/" .. demo(call).id
    expect(call("PUT", path, { trusted_ips = json.array { "nonsense" } }).status).is(422)
    local changed = call("PUT", path, { trusted_ips = json.array { "203.0.113.9" } })
    expect(changed.json.database.status).is "Configuring"
    expect(call("PUT", path, { trusted_ips = json.array {} }).status).is(412)
    local seen = {}
    for i = 1, 3 do seen[i] = call("GET", path).json.database.status end
    expect(seen).same { "Configuring", "Configuring", "Running" }
    expect(call("GET", path).json.database.trusted_ips).same { "203.0.113.9/32" }
  end, { configuring_seconds = 3600 }))

  it("pages through many, by as many as are wanted, and filters", with_api(function(call)
    local cursor, count, pages = "", 0, 0
    repeat
      local page = call("GET", "/databases?per_page=50&cursor=" .. http.escape(cursor)).json
      count, pages, cursor = count + #page.databases, pages + 1, page.meta.links.next
      expect(page.meta.total).is(133)
    until cursor == ""
    expect({ count, pages }).same { 133, 3 }
    expect(#call("GET", "/databases").json.databases).is(100)
    expect(#call("GET", "/databases?per_page=500").json.databases).is(133)
    expect(call("GET", "/databases?per_page=501").status).is(400)
    expect(call("GET", "/databases?tag=production").json.meta.total).is(1)
    expect(call("GET", "/databases?region=eWr&label=analytics").json.meta.total).is(1)
    expect(call("GET", "/databases?region=ams").json.meta.total).is(0)
  end, { more = 130 }))

  it("spells regions and states as it likes, and has a public host beside a private one", with_api(function(call)
    local instance = demo(call)
    expect({ instance.region, instance.status }).same { "ewr", "running" }
    expect({ instance.host, instance.public_host }).same { "127.0.0.2", "localhost" }
    expect(#instance.vpc_id).is(36)
  end, { vpc = true, spelling = string.lower }))

  it("takes the key only from the addresses on its own list", with_api(function(call)
    local refused = call("GET", "/account")
    expect(refused.status).is(401)
    expect(refused.json.error).has "127.0.0.1"
  end, { key_access = { "198.51.100.9" } }))

  it("tells plans, versions and alerts, and has no call that makes a backup", with_api(function(call)
    local path = "/databases/" .. demo(call).id
    expect(call("GET", "/databases/plans?engine=pg&nodes=2").json.plans[1].number_of_nodes).is(2)
    expect(call("GET", "/databases/plans?region=mars").json.meta.total).is(0)
    expect(call("GET", path .. "/version-upgrade").json.available_versions).same { "16", "17" }
    expect(call("POST", path .. "/alerts", { period = "day" }).json.alerts[1].message_type).is "SERVICE_BACKUP"
    expect(call("POST", path .. "/alerts", { period = "eon" }).status).is(400)
    expect(call("GET", path .. "/migration").status).is(404)
    expect(call("POST", path .. "/backups", {}).status).is(404)
    expect(call("GET", "/object-storage/clusters/4/tiers").status).is(404)
    expect(call("GET", "/object-storage/clusters/9/tiers").json.tiers[1].id).is(4)
    expect(call("GET", "/object-storage").json.object_storages[1].tier.OBJSTORETIERID).is(4)
  end))

  it("hands out storage whose keys work until they are regenerated", with_api(function(call, endpoint)
    local first = call("GET", "/object-storage").json.object_storages[1]
    expect(first.label).is "pgorch"
    expect(first.s3_hostname).is("127.0.0.1:" .. endpoint.port)
    expect(first.s3_access_key).is(endpoint.access_key)
    local path = "/object-storage/" .. first.id
    expect(call("POST", path .. "/bucket", { name = "by-the-api" }).status).is(201)
    expect(endpoint:buckets()[1].name).is "by-the-api"
    expect(call("GET", path .. "/bucket").json.buckets[1].name).is "by-the-api"
    local keys = call("POST", path .. "/regenerate-keys").json.s3_credentials
    expect(keys.s3_access_key ~= first.s3_access_key).is(true)
    expect(endpoint.access_key).is(keys.s3_access_key)
    expect(call("DELETE", path .. "/bucket/by-the-api").status).is(204)
  end))

  it("takes keys, buckets and what is in them away with the subscription", with_api(function(call, endpoint)
    local path = "/object-storage/" .. call("GET", "/object-storage").json.object_storages[1].id
    local function look()
      local client = s3_client.client { endpoint = endpoint.url, region = "us-east-1",
        access_key = secret.new(endpoint.access_key), secret_key = secret.new(endpoint.secret_key) }
      return client:bucket "mine"
    end
    call("POST", path .. "/bucket", { name = "mine" })
    look():put("key", "text")
    expect(call("DELETE", path .. "/bucket/mine").status).is(400)
    expect(call("DELETE", path).status).is(204)
    expect(endpoint.server.buckets.mine).is_nil()
    expect(function() look():get "key" end):raises "PGO-S3-CREDENTIALS"
  end))

  it("makes storage that is pending at first", with_api(function(call)
    expect(call("POST", "/object-storage", { cluster_id = 1 }).status).is(400)
    local made = call("POST", "/object-storage", { cluster_id = 9, tier_id = 4, label = "more" })
    expect(made.status).is(202)
    local path, polls = "/object-storage/" .. made.json.object_storage.id, 0
    local o = made.json.object_storage
    while o.status == "pending" and polls < 9 do
      o, polls = call("GET", path).json.object_storage, polls + 1
    end
    expect(o.status).is "active"
    expect(#o.s3_secret_key > 10).is(true)
    expect(call("DELETE", path).status).is(204)
    expect(call("GET", path).status).is(404)
  end))

  it("plays faults and keeps secrets out of its log", with_api(function(call, _, world)
    faults.put(world, "vultr.account", { answer = 429, retry_after = 1, times = 2 })
    expect(call("GET", "/account").status).is(429)
    expect(call("GET", "/account").headers["retry-after"]).is "1"
    expect(call("GET", "/account").status).is(200)
    faults.put(world, "vultr.databases", { answer = 502, html = true })
    local page = call("GET", "/databases")
    expect({ page.status, page.headers["content-type"] }).same { 502, "text/html" }
    demo(call)
    local text = fs.read(world.dir .. "/requests.jsonl")
    expect(text:find(world.source.password, 1, true)).is(nil)
    expect(text:find("Bearer ***", 1, true) ~= nil).is(true)
    expect(json.decode(text:match "^[^\n]*").answer.status).is(429)
  end))
end)

describe("a database of the Vultr stand-in", function()
  it("is the one in the server: users, databases, options, and who may come in", function()
    sandbox.run({ source = { sql = "select 1;" } }, function(world)
      local api = world.vultr
      local function call(method, path, body)
        local answer = http.request { method = method, url = api.url .. path, check = false,
          headers = { authorization = "Bearer " .. api.api_key, ["content-type"] = "application/json" },
          body = body and json.encode(body) or nil }
        answer.json = answer.body ~= "" and json.decode(answer.body) or nil
        return answer
      end
      local o = demo(call)
      local path = "/databases/" .. o.id
      local function connect(more)
        local parts = { host = o.host, port = math.tointeger(tonumber(o.port)), user = o.user, password = o.password,
          dbname = o.dbname, ca_pem = o.ca_certificate, connect_timeout = 20 }
        for name, value in pairs(more or {}) do parts[name] = value end
        return pg.connect(parts)
      end

      expect(#o.pg_available_extensions > 20).is(true)
      expect(call("POST", path .. "/users", { username = "reporter", password = "a-secret-1" }).status).is(201)
      expect(call("POST", path .. "/users", { username = "reporter", password = "a-secret-1" }).status).is(422)
      connect({ user = "reporter", password = "a-secret-1" }):close()
      expect(call("PUT", path .. "/users/reporter", { password = "a-secret-2" }).json.user.password).is "a-secret-2"
      expect(function() connect { user = "reporter", password = "a-secret-1" } end):raises "PGO-PG-AUTH"
      expect(call("GET", path .. "/users").json.meta.total).is(2)
      expect(call("DELETE", path .. "/users/" .. o.user).status).is(400)
      expect(call("DELETE", path .. "/users/reporter").status).is(204)
      expect(call("GET", path .. "/users/reporter").status).is(404)
      expect(function() connect { user = "reporter", password = "a-secret-2" } end):raises "PGO-PG-AUTH"

      expect(call("POST", path .. "/dbs", { name = "reports" }).json.db.name).is "reports"
      connect({ dbname = "reports" }):close()
      expect(call("GET", path .. "/dbs").json.meta.total).is(2)
      expect(call("GET", path .. "/dbs/reports").status).is(200)
      expect(call("DELETE", path .. "/dbs/" .. o.dbname).status).is(400)
      expect(call("DELETE", path .. "/dbs/reports").status).is(204)
      expect(function() connect { dbname = "reports" } end):raises "PGO-PG-CONNECT"

      expect(call("PUT", path .. "/advanced-options", { default_transaction_read_only = true }).status).is(400)
      expect(call("PUT", path .. "/advanced-options", { log_error_verbosity = "LOUD" }).status).is(422)
      expect(call("PUT", path .. "/advanced-options", { idle_in_transaction_session_timeout = 61000 }).status).is(200)
      local conn <close> = connect()
      expect(conn:value "show idle_in_transaction_session_timeout").is "61s"
      local pools = call("GET", path .. "/connection-pools").json.connections
      expect({ pools.used, pools.used + pools.available }).same { 1, pools.max }
      expect(call("GET", path .. "/usage").json.usage.disk.current_gb > 2.7).is(true)

      -- A list without us drops us; an empty one is open to all; a database that is gone drops everybody.
      local function trust(list)
        expect(call("PUT", path, { trusted_ips = json.array(list) }).status).is(200)
        repeat task.sleep(0.04) until call("GET", path).json.database.status == "Running"
      end
      trust { "198.51.100.7", "fd00::/8" }
      expect(function() connect { connect_timeout = 0.5 } end):raises "PGO-PG-CONNECT"
      expect(conn:value "select 1").is(1)
      trust {}
      connect():close()
      expect(call("DELETE", path).status).is(204)
      expect(function() connect { connect_timeout = 0.5 } end):raises "PGO-PG-CONNECT"
    end)
  end, { limit = 90 })
end)

describe("the request log's mask", function()
  it("covers passwords in URLs, signatures and secret fields", function()
    local masked = request_log.mask_value { config = { DATABASE_URL = "postgres://u:p%40ss@h:1/d", PLAIN = "x" },
      password = "p", backup_url = "https://h/b?X-Amz-Signature=77", text = "see https://h/?Signature=ab%2B&x=1" }
    expect(masked).same { config = { DATABASE_URL = "postgres://u:***@h:1/d", PLAIN = "x" }, password = "***",
      backup_url = "https://h/b?***", text = "see https://h/?Signature=***&x=1" }
  end)
end)
