-- The providers' own clients against their stand-ins: Linode's @linode/api-v4 and Vultr's @vultr/vultr-node walk the
-- articles' way, and what they were given works with the real psql and curl.

local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"

local CLIENTS = "build/deps/provider-clients/node_modules"

local function walk(world, script)
  local variables = sandbox.environment(world)
  local done = process.run { "node", "tests/support/" .. script, env = variables, env_clear = true, check = false,
    timeout = 90 }
  if done.code ~= 0 then error(script .. ": " .. done.stderr, 0) end
  return json.decode(done.stdout)
end

--- The real psql as the user of a connection string would call it; what it says on the one line.
local function psql(world, o, sql)
  local ca = world.dir .. "/provider-ca.pem"
  fs.write(ca, o.ca)
  local done = process.run { "psql", "-XAtqw", "-c", sql, check = false, timeout = 60, env = {
    PATH = env.get "PATH", PGHOST = o.host, PGPORT = tostring(o.port), PGUSER = o.user, PGPASSWORD = o.password,
    PGDATABASE = o.dbname or "defaultdb", PGSSLMODE = "verify-full", PGSSLROOTCERT = ca,
    PGCONNECT_TIMEOUT = o.timeout or "20" }, env_clear = true }
  return ((done.stdout .. done.stderr):gsub("%s+$", ""))
end

--- What the AWS CLI prints, or nil when it is refused (it cannot say why: Ceph's errors, and so the stand-in's, have
--- no message, over which it stumbles).
local function aws(world, keys, ...)
  local options = { "/usr/bin/aws", "--endpoint-url", world.s3.url, ..., }
  options.env = { PATH = "/usr/bin:/bin", HOME = world.env.HOME, AWS_ACCESS_KEY_ID = keys.access,
    AWS_SECRET_ACCESS_KEY = keys.secret, AWS_DEFAULT_REGION = "us-east-1", AWS_EC2_METADATA_DISABLED = "true",
    NO_PROXY = "*" }
  options.env_clear, options.check, options.timeout = true, false, 90
  local done = process.run(options)
  return done.code == 0 and done.stdout or nil
end

local function curl(url)
  local done = process.run { "curl", "-sS", "--noproxy", "*", "-w", " %{http_code}", url, check = false, timeout = 30 }
  return done.stdout
end

local function in_world(fn)
  return function()
    if not fs.exists(CLIENTS) then return skip("vendor/provider-clients.sh has not been run") end
    -- Changes end by looks alone: a slow machine must not see one end by time.
    sandbox.run({ source = { sql = "create table public.goods as select generate_series(1, 7) as n;" },
      vultr = { configuring_polls = 1, configuring_seconds = 3600 }, linode = { updating_seconds = 3600 } }, fn)
  end
end

local GOODS = "select count(*) from public.goods"

describe("Linode's own client", function()
  it("walks the article's way: list, allow list, credentials, CA, bucket, key, signed URL", in_world(function(world)
    local found = walk(world, "linode_client.mjs")
    expect(found.labels).same { "demo", "analytics", "wordpress", "brand-new" }
    expect(found.results).is(1)
    expect(found.type).is "g6-dedicated-2"
    expect(found.refused_list).same { status = 400, errors = { { field = "allow_list",
      reason = "Invalid IPv4 or IPv6 address: not-an-address" } } }
    expect(found.closing).same { "updating", "updating", "active" }
    expect({ found.early.status, found.unknown.status }).same { 400, 404 }
    expect(found.unknown.errors).same { { reason = "Not found" } }

    -- What it was given opens the database, with the name in the certificate checked.
    local login = { host = found.database.hosts.primary, port = found.database.port, ca = found.ca,
      user = found.credentials.username, password = found.credentials.password }
    expect(psql(world, login, GOODS)).is "7"
    world.linode.state.databases[1].server.gate:allow { "198.51.100.7/32" }
    login.timeout = "2" -- the shortest that libpq takes
    expect(psql(world, login, GOODS)).has "timeout expired"

    -- And the storage.
    expect(found.put).same { false, 200 }
    expect(found.object_url.exists).is(true)
    expect(curl(found.object_url.url)).is "a dump 200"
    expect(curl((found.object_url.url:gsub("Signature=.", "Signature=x")))).has "403"
    expect(found.objects[1].name).is "data-for-migration.sql"
    expect(found.not_empty.status).is(400)
    expect(found.key_later.secret_key).is "[REDACTED]"
    expect(found.access.acl).is "private"
    local keys = { access = found.key.access_key, secret = found.key.secret_key }
    expect(aws(world, keys, "s3", "ls", "s3://postgres-for-migration")).has "data-for-migration.sql"
    expect(aws(world, keys, "s3", "mb", "s3://another")).is_nil()
    world.linode.state.s3:remove_key(keys.access)
    expect(aws(world, keys, "s3", "ls", "s3://postgres-for-migration")).is_nil()
  end), { limit = 120 })
end)

describe("Vultr's own client", function()
  it("walks the article's way: list, allow list, users, backups, storage and its keys", in_world(function(world)
    local found = walk(world, "vultr_client.mjs")
    expect(found.labels).same { "demo", "analytics", "wordpress" }
    expect(found.wrong_key).is "Unauthorized: Invalid API token."
    expect(found.refused_list).has "Invalid trusted IP: not-an-address."
    expect(found.closed).is "Configuring"
    expect(found.busy).has "Precondition Failed"
    expect(found.closing).same { "Configuring", "Running" }
    expect(found.unknown).is "Not Found: Invalid database ID."
    expect({ found.usage.disk.max_gb, found.plans }).same { 55, 2 }
    expect(found.options).same { log_error_verbosity = "TERSE" }
    expect(found.backups.latest_backup.date).is(found.database.latest_backup:match "^%S+")

    local o = found.database
    local login = { host = o.host, port = o.port, user = o.user, password = o.password, ca = o.ca_certificate }
    expect(psql(world, login, GOODS)).is "7"
    local reporter = { host = o.host, port = o.port, user = "reporter", password = "a-secret-2", dbname = "reports",
      ca = o.ca_certificate }
    expect(psql(world, reporter, "select current_user, current_database()")).is "reporter|reports"
    reporter.password = "a-secret-1"
    expect(psql(world, reporter, "select 1")).has "password authentication failed"
    world.source.gate:allow { "198.51.100.7/32" }
    login.timeout = "2"
    expect(psql(world, login, GOODS)).has "timeout expired"

    expect(found.making).same { "pending", "active" }
    expect(found.renamed).is "renamed"
    expect(found.gone).is "Not Found: Invalid object storage ID."
    local function list(keys) return aws(world, keys, "s3", "ls") end
    expect(list { access = found.storage.s3_access_key, secret = found.storage.s3_secret_key }).is ""
    for _, keys in ipairs { found.old_keys, found.new_keys } do -- replaced, then gone with the subscription
      expect(list { access = keys.s3_access_key, secret = keys.s3_secret_key }).is_nil()
    end
  end), { limit = 120 })
end)
