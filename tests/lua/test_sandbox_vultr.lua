-- The Vultr stand-in: types, paging, the slow allow list and storage, keys that die, refusals.

local fs = require "pgorch.fs"
local faults = require "pgorch.sandbox.faults"
local http = require "pgorch.http"
local json = require "pgorch.json"
local request_log = require "pgorch.sandbox.request_log"
local s3 = require "pgorch.sandbox.s3"
local task = require "pgorch.task"
local vultr = require "pgorch.sandbox.vultr"

local function with_api(fn)
  return function()
    local world = { dir = fs.mkdtemp "pgorch-vultr-", source = {
      host = "localhost", port = 15432, user = "vultradmin", password = "AVNS_not-to-be-seen", dbname = "defaultdb",
      version = 15, ca_pem = "-----BEGIN CERTIFICATE-----\n" } }
    local ok, err = pcall(function()
      local endpoint <close> = s3.start(world)
      local api <close> = vultr.start(world, { s3 = endpoint })
      local function call(method, path, body, key)
        local answer = http.request { method = method, url = api.url .. path, check = false,
          headers = { authorization = "Bearer " .. (key or api.api_key), ["content-type"] = "application/json" },
          body = body and json.encode(body) or nil }
        answer.json = answer.body ~= "" and json.decode(answer.body) or nil
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
    demo(call)
    local text = fs.read(world.dir .. "/requests.jsonl")
    expect(text:find(world.source.password, 1, true)).is(nil)
    expect(text:find("Bearer ***", 1, true) ~= nil).is(true)
    expect(json.decode(text:match "^[^\n]*").answer.status).is(429)
  end))
end)

describe("the request log's mask", function()
  it("covers passwords in URLs, signatures and secret fields", function()
    local masked = request_log.mask_value { config = { DATABASE_URL = "postgres://u:p%40ss@h:1/d", PLAIN = "x" },
      password = "p", backup_url = "https://h/b?X-Amz-Signature=77", text = "see https://h/?Signature=ab%2B&x=1" }
    expect(masked).same { config = { DATABASE_URL = "postgres://u:***@h:1/d", PLAIN = "x" }, password = "***",
      backup_url = "https://h/b?***", text = "see https://h/?Signature=***&x=1" }
  end)
end)
