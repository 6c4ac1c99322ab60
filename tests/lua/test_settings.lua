-- The source's settings on the target: exactly what somebody set, as far as its owner may; the rest told with what can
-- be done; nothing that may be a secret in any file, table or record. Against two databases of a real server.

local diff     = require "pgorch.settings.diff"
local fail     = require "pgorch.error"
local fs       = require "pgorch.fs"
local json     = require "pgorch.json"
local pg       = require "pgorch.pg"
local postgres = require "support.postgres"
local reapply  = require "pgorch.steps.reapply_settings"
local save     = require "pgorch.steps.save_settings"
local value    = require "pgorch.settings.value"

local JWT = "s3cret'\\ of the app, \"quoted\" & 100 %"
local PATH = [["my ""own"" sch%e", "$user", public, "Über, uns"]]

-- What people do to a source: of the database, of everybody, of its login, of another role, of the server.
local SOURCE = ([[
  create role other; create role shop login password 'shop'; create role owner login password 'owner';
  create database "from" owner shop; create database "Größe %%1" owner owner;
  alter database "from" set search_path = 'my "own" sch%%e', '$user', public, 'Über, uns';
  alter database "from" set timezone = 'Europe/Berlin';
  alter database "from" set app.jwt_secret = %s;
  alter database "from" set default_transaction_read_only = 'on';
  alter database "from" set log_lock_waits = on;
  alter role all set datestyle = 'German, DMY';
  alter role shop set lock_timeout = '7s';
  alter role shop in database "from" set lock_timeout = '9s';
  alter role other set work_mem = '64MB';
  alter role other in database "from" set other.token = 'token of other';
  alter database "Größe %%1" set datestyle = 'ISO, MDY']]):format(pg.literal(JWT))

local function started()
  local server = postgres.start { settings = { work_mem = "11MB", bytea_output = "escape", max_wal_size = "333MB",
    archive_command = "put --key s3cret %p" } }
  local conn <close> = server:connect()
  for statement in (SOURCE .. ";"):gmatch "(.-);\n?" do conn:exec(statement) end
  do
    local target <close> = server:connect { dbname = "Größe %1" }
    target:exec "alter database \"Größe %1\" set bytea_output = 'hex'; alter database \"Größe %1\" set work_mem = '4MB'"
  end
  return server
end

-- What the steps see, and what they told.
local function context(server, dir, o)
  local told = { notes = {}, warnings = {}, tables = {} }
  local function connect(user, dbname)
    local password = user ~= "postgres" and user or nil
    return { connect = function() return server:connect { user = user, password = password, dbname = dbname } end }
  end
  local target = connect(o.user or "owner", "Größe %1")
  target.database = function() return { name = "pgorch-shop" } end
  target.app = { addon = function() return { plan = { name = "heroku-postgresql:" .. (o.plan or "standard-0") } } end }
  return {
    params = { app = "shop", settings = o.how }, options = { only = "safe" }, run = { dir = dir },
    source = connect("shop", "from"), target = target,
    note = function(_, text) table.insert(told.notes, text) end,
    warn = function(_, text) table.insert(told.warnings, text) end,
    table = function(_, t) table.insert(told.tables, t) end,
  }, told
end

local function can_of(told)
  local can = {}
  for _, row in ipairs(told.tables[1].rows) do can[row[1]] = row[4] end
  return can
end

local function with_server(fn)
  return function()
    fs.with_temporary("pgorch-settings-", function(dir)
      local server <close> = started()
      fn(server, dir)
    end)
  end
end

local function shown(ctx, name)
  local conn <close> = ctx.target:connect()
  return conn:value("select current_setting($1, true)", name)
end

describe("settings", function()
  it("of the database and of its login are set exactly, secrets too, and no secret is left anywhere",
    with_server(function(server, dir)
      local ctx, told = context(server, dir, {})
      local results = { save.run(ctx), reapply.run(ctx) }
      expect(shown(ctx, "search_path")).is(PATH)
      expect(shown(ctx, "timezone")).is "Europe/Berlin"
      expect(shown(ctx, "datestyle")).is "German, DMY"
      expect(shown(ctx, "lock_timeout")).is "9s"
      expect(shown(ctx, "bytea_output")).is "escape"
      expect(shown(ctx, "default_transaction_read_only")).is "off"
      expect(shown(ctx, "other.token") == nil).is_true()
      expect(told.warnings).same { 'app.jwt_secret could not be set on the target: permission denied to set parameter '
        .. '"app.jwt_secret"; have the app set it when its sessions begin' }
      expect(results[2].applied).same { "DateStyle", "TimeZone", "bytea_output", "lock_timeout", "search_path" }

      local all = json.encode { results, told.notes, told.tables }
      for _, name in ipairs { "settings_postgres", "settings_heroku", "settings_diff" } do
        all = all .. fs.read(("%s/%s.csv"):format(dir, name), 1 << 22)
      end
      for _, secret in ipairs { "s3cret", "token of other" } do expect(all).lacks(secret) end
      expect(all).has(value.HIDDEN)

      local can = can_of(told)
      expect(can["TimeZone"]).is "set on the database"
      expect(can["other: work_mem"]).is "alter role other set work_mem = '64MB'"
      expect(can["other: other.token"]).is "alter role other set other.token = ..."
      expect(can["work_mem"]).is "--settings all sets it"
      expect(shown(ctx, "work_mem")).is "4MB"
      expect(can["log_lock_waits"]).is "heroku pg:settings:log-lock-waits pgorch-shop on --app shop"

      -- A second time only that is left to do; where a server lets its owner, it is done.
      local again, told_again = context(server, dir, { user = "postgres" })
      expect(reapply.run(again).applied).same { "app.jwt_secret" }
      expect(can_of(told_again)["TimeZone"]).is_nil()
      expect(told_again.warnings).same {}
      expect(shown(ctx, "app.jwt_secret")).is(JWT)
      expect(fs.read(dir .. "/settings_diff.csv")).lacks "s3cret"
    end))

  it("that the machine needs are set on request, none when that is asked for, and Essential plans have no commands",
    with_server(function(server, dir)
      local ctx, told = context(server, dir, { how = "none", plan = "essential-1" })
      expect(reapply.run(ctx).applied).same {}
      expect(shown(ctx, "search_path")).is '"$user", public'
      local can = can_of(told)
      expect(can["search_path"]).is "--settings safe sets it"
      expect(can["log_lock_waits"]).is "not on Essential plans"
      ctx = context(server, dir, { how = "all" })
      reapply.run(ctx)
      expect(shown(ctx, "work_mem")).is "11MB"
    end))

  it("that the target refuses are warned of in its words, without a secret", with_server(function(server, dir)
    local ctx, told = context(server, dir, { user = "shop" })       -- who does not own it
    expect(reapply.run(ctx).applied).same {}
    local all = table.concat(told.warnings, "\n")
    expect(all).has "search_path could not be set on the target: must be owner of database"
    expect(all).has "app.jwt_secret could not be set on the target"
    expect(all).lacks "s3cret"
    expect(can_of(told)["TimeZone"]).is "refused: must be owner of database Größe %1"
  end))

  it("are not told in the server's words when these hold the value", with_server(function(server, dir)
    local ctx, told = context(server, dir, {})
    local real = ctx.target.connect
    ctx.target.connect = function()
      local conn = real()
      local refusing = { dbname = conn.dbname, query = function(_, ...) return conn:query(...) end,
        exec = function(_, sql)
          fail.raise("PGO-PG-QUERY", "invalid value: " .. (sql:find("jwt", 1, true) and JWT or "too long"))
        end }
      return setmetatable(refusing, { __close = function() conn:close() end })
    end
    reapply.run(ctx)
    local all = table.concat(told.warnings, "\n") .. json.encode(told.tables) .. fs.read(dir .. "/settings_diff.csv")
    expect(all).has "app.jwt_secret could not be set on the target"
    expect(all).has "TimeZone could not be set on the target: invalid value: too long"
    expect(all).lacks "s3cret"
  end))

  it("are saved as psql's \\copy writes them, without those of pgorch's own session", with_server(function(server, dir)
    local ctx = context(server, dir, {})
    local own <const> = ctx.source.connect
    ctx.source.connect = function(...)
      local conn = own(...)
      conn:exec "set work_mem = '77MB'"
      return conn
    end
    save.run(ctx)
    local text = fs.read(dir .. "/settings_postgres.csv", 1 << 22)
    local psql = "name,setting,unit,category,short_desc,extra_desc,context,vartype,source,min_val,max_val,enumvals,"
      .. "boot_val,reset_val,sourcefile,sourceline,pending_restart\n"
    expect(text:sub(1, #psql)).is(psql)
    expect(text).has "\nwork_mem,11264,kB,"
    expect(text).lacks "78848"
  end))

  it("of the provider's machine are told to no person, but are in the file", function()
    local function state(value_there)
      local row = { name = "max_wal_size", context = "sighup", reset_val = value_there, unit = "MB" }
      return { server = { max_wal_size = row }, own = {}, chosen = { max_wal_size = { value = value_there,
        origin = "server" } } }
    end
    local list = diff.list(state "333", state "1024", { app = "shop", database = "d", essential = false })
    expect(#list).is(1)
    expect(list[1].class).is "cannot"
    expect(list[1].source).is "333 MB"
    expect(diff.is_wanted(list[1], "all")).is(false)
  end)

  it("that are lists of names keep each name", function()
    for text, sql in pairs { [PATH] = [['my "own" sch%e', '$user', 'public', 'Über, uns']], [""] = "''", ['""'] = "''",
                             ["a,b"] = "'a', 'b'" } do
      expect(value.sql("search_path", text)).is(sql)
    end
  end)
end)
