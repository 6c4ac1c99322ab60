-- Ways to break the world of a move that has come to its end, and what the judge has to say of each. `breaks(move)`
-- gives the function that mends it.

local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local native = require "pgorch.native.store"

local breakages = {}

local function app_of(move) return move.world.heroku:app(move.app_name) end

local function addon_of(move)
  for _, addon in ipairs(move.world.heroku.state.addons) do
    if addon.app == app_of(move) then return addon end
  end
end

local function process_of(move, kind)
  for _, process in ipairs(app_of(move).formation) do
    if process.type == kind then return process end
  end
end

local function database_attachment(move)
  for _, each in ipairs(move.world.heroku.state.attachments) do
    if each.app == app_of(move) and each.name == "DATABASE" then return each end
  end
end

-- One field of a table that `find` gives.
local function field(find, name, value)
  return function(move)
    local object = find(move)
    local before = object[name]
    object[name] = value
    return function() object[name] = before end
  end
end

-- One more element in a list that `find` gives.
local function element(find, make)
  return function(move)
    local list = find(move)
    table.insert(list, 1, make(move))
    return function() table.remove(list, 1) end
  end
end

local function copy_with(object, changes)
  local copy = {}
  for name, value in pairs(object) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

local function transfers(move) return app_of(move).transfers end
local function restore(move) return transfers(move)[1] end
local function bucket(move) return move.world.s3.server.buckets[move.bucket] end

local function another_restore(changes)
  return element(transfers, function(move) return copy_with(restore(move), changes) end)
end

-- One more request in the record of what was asked.
local function request(method, path, status)
  return function(move)
    local file = move.world.dir .. "/requests.jsonl"
    local text = fs.read(file, 1 << 28)
    local line = json.encode { method = method, path = path(move), status = status, about = move.id } .. "\n"
    fs.append(file, line)
    return function() fs.write(file, text) end
  end
end

local function connected(cluster, dbname, ...)
  local conn <close> = cluster:connect(dbname)
  conn:exec "set default_transaction_read_only = off; set session_replication_role = replica"
  for _, sql in ipairs { ... } do conn:exec(sql) end
end

-- SQL in the new database, and the SQL that mends it.
local function in_target(break_it, mend)
  return function(move)
    local world, dbname = move.world, addon_of(move).database.dbname
    connected(world.target.cluster, dbname, break_it)
    return function() connected(world.target.cluster, dbname, mend) end
  end
end

-- The same in the source.
local function in_source(break_it, mend)
  return function(move)
    local cluster, dbname = move.world.source.cluster, move.lane.dbname
    connected(cluster, dbname, break_it)
    return function() connected(cluster, dbname, mend) end
  end
end

local function setting(cluster, dbname, sql, mend)
  return function(move)
    local where, name = cluster(move), dbname(move)
    connected(where, name, sql:format(name))
    return function() connected(where, name, mend:format(name)) end
  end
end

local function source(move) return move.world.source.cluster end
local function target(move) return move.world.target.cluster end
local function lane_name(move) return move.lane.dbname end
local function target_name(move) return addon_of(move).database.dbname end

local READ_ONLY = "alter database %s set default_transaction_read_only = on"
local OPEN = "alter database %s reset default_transaction_read_only"

-- SQL in the record; the file is put back afterwards.
local function in_record(sql)
  return function(move)
    local path = move.dir .. "/pgorch/state.db"
    local before = fs.read(path, 1 << 28)
    local db = native.open(path)
    db:query "pragma foreign_keys = off"
    db:query(sql)
    db:close()
    return function() fs.write(path, before) end
  end
end

local BOTH = {
  { name = "maintenance", says = "maintenance: true, not false", breaks = field(app_of, "maintenance", true) },
  { name = "a second add-on", says = "2 add-ons",
    breaks = element(function(move) return move.world.heroku.state.addons end,
      function(move) return { app = app_of(move), name = "another" } end) },
  { name = "an add-on made twice", says = "2 add-ons were made",
    breaks = request("POST", function(move) return ("/apps/%s/addons"):format(move.app_name) end, 201) },
  { name = "a restore while one ran", says = "a restore was asked for while one ran",
    breaks = request("POST", function() return "/client/v11/databases/abc/restores" end, 409) },
  { name = "restores side by side", says = "restore 99 began while another ran",
    breaks = another_restore { num = 99, created_at = "2020-01-01 00:00:00 +0000", succeeded = false } },
  { name = "a restore that runs", says = "restore 99 still runs",
    breaks = another_restore { num = 99, created_at = "2099-01-01 00:00:00 +0000", finished_at = false,
      succeeded = false } },
  { name = "an object", says = "the object pgorch/left.dump is left",
    breaks = field(function(move) return bucket(move).objects end, "pgorch/left.dump", {}) },
  { name = "an upload", says = "an upload of pgorch/left.dump is left",
    breaks = field(function(move) return bucket(move).uploads end, "u1", { key = "pgorch/left.dump" }) },
  { name = "an entry of the allow list", says = "the allow list: 127.0.0.1/32",
    breaks = element(function(move) return move.lane:allowed() end, function() return "127.0.0.1/32" end) },
  { name = "a storage key", says = "the storage key pgorch-",
    breaks = element(function(move) return move.lane:keys() end,
      function(move) return { label = "pgorch-" .. move.id } end) },
  { name = "another config var", says = "config var SURPRISE is new",
    breaks = field(function(move) return app_of(move).config end, "SURPRISE", "x") },
  { name = "a lost config var", says = "config var RAILS_ENV is not what it has to be",
    breaks = field(function(move) return app_of(move).config end, "RAILS_ENV", nil) },
  { name = "the run's state", says = "the run's state: running",
    breaks = in_record "update run set state = 'running'" },
  { name = "a lock that is held", says = "the record still holds target:x",
    breaks = in_record "insert into lock (name, run, exclusive, at) select 'target:x', id, 1, 1 from run" },
  { name = "a gap in the events", says = "events: 100001 is where 1 has to be",
    breaks = in_record "drop trigger event_stays_as_it_is; update event set seq = seq + 100000" },
  { name = "no run", says = "the record has no such run", breaks = in_record "update run set id = 'x'" },
  { name = "a row that the source has lost", says = "in the source before",
    breaks = in_source("create table public.kept as select * from audit.documents; delete from audit.documents",
      "insert into audit.documents select * from public.kept; drop table public.kept") },
}

local MOVED = {
  { name = "dynos", says = "dynos of web: 1, not 2",
    breaks = field(function(move) return process_of(move, "web") end, "quantity", 1) },
  { name = "no accepted restore", says = "0 accepted restores, not 1", breaks = field(restore, "succeeded", false) },
  { name = "two accepted restores", says = "2 accepted restores, not 1",
    breaks = another_restore { num = 99, created_at = "2099-01-01 00:00:00 +0000",
      finished_at = "2099-01-01 00:00:00 +0000" } },
  { name = "a restore into another database", says = "the accepted restore went into another database",
    breaks = field(restore, "to_url", "postgres://elsewhere/db") },
  { name = "a restore of another dump", says = "the accepted restore was of http://s3/other.dump",
    breaks = field(restore, "from_url", "http://s3/other.dump?Signature=x") },
  { name = "no promoted database", says = "DATABASE_URL is that of none of the app's add-ons",
    breaks = field(database_attachment, "name", "ELSEWHERE") },
  { name = "no OLD_DATABASE_URL", says = "config var OLD_DATABASE_URL is not what it has to be",
    breaks = field(function(move) return app_of(move).config end, "OLD_DATABASE_URL", nil) },
  { name = "a source that is open", says = "the source's default_transaction_read_only: off",
    breaks = setting(source, lane_name, OPEN, READ_ONLY) },
  { name = "another setting of the source", says = "the source's other settings: ",
    breaks = setting(source, lane_name, "alter database %s set work_mem = '7MB'", "alter database %s reset work_mem") },
  { name = "a new database that is closed", says = "the new database's default_transaction_read_only: on",
    breaks = setting(target, target_name, READ_ONLY, OPEN) },
  { name = "one changed row", says = "table shop.customers: ",
    breaks = in_target("update shop.customers set full_name = full_name || ' ' where id = 1",
      "update shop.customers set full_name = rtrim(full_name) where id = 1") },
  { name = "one row more", says = "table public.schema_migrations: ",
    breaks = in_target("insert into public.schema_migrations values ('x')",
      "delete from public.schema_migrations where version = 'x'") },
  { name = "a table more", says = "table public.more: only the new database has it",
    breaks = in_target("create table public.more ()", "drop table public.more") },
  { name = "a table less", says = "table shop.order_items: the new database has none",
    breaks = in_target("alter table shop.order_items rename to other",
      "alter table shop.other rename to order_items") },
  { name = "an index less", says = "names of relations: only the source has [",
    breaks = in_target("alter index shop.customers_pkey rename to another",
      "alter index shop.another rename to customers_pkey") },
  { name = "a sequence", says = "sequence shop.invoice_number: ",
    breaks = in_target("create table public.was as select last_value, is_called from shop.invoice_number; "
        .. "select setval('shop.invoice_number', 100005)",
      "select setval('shop.invoice_number', last_value, is_called) from public.was; drop table public.was") },
  { name = "a large object", says = "large objects: ",
    breaks = in_target("select lo_from_bytea(4000000, 'x')", "select lo_unlink(4000000)") },
  { name = "a trigger that is off", says = "names of triggers: ",
    breaks = in_target("alter table shop.products disable trigger user",
      "alter table shop.products enable trigger user") },
  { name = "no time of the cut-over", says = "the record does not say when it was cut over",
    breaks = in_record "update run set cut_over_at = null" },
}

local AS_BEFORE = {
  { name = "another DATABASE_URL", says = "config var DATABASE_URL is not what it has to be",
    breaks = field(function(move) return app_of(move).config end, "DATABASE_URL", "postgres://elsewhere/db") },
  { name = "a source that is closed", says = "the source's settings: default_transaction_read_only=on",
    breaks = setting(source, lane_name, READ_ONLY, OPEN) },
  { name = "two accepted restores", says = "more than one accepted restore",
    breaks = another_restore { num = 99, created_at = "2099-01-01 00:00:00 +0000",
      finished_at = "2099-01-01 00:00:00 +0000" } },
}

---While a move waits in its window.
breakages.kept = {
  { name = "the app is up", says = "kept: maintenance: false", breaks = field(app_of, "maintenance", false) },
  { name = "dynos run", says = "kept: dynos of web: 1, not 0",
    breaks = field(function(move) return process_of(move, "web") end, "quantity", 1) },
  { name = "a source that is open", says = "kept: the source is open", breaks = setting(source, lane_name, OPEN,
    READ_ONLY) },
  { name = "a row that the source has lost", says = "in the source before",
    breaks = in_source("create table public.kept as select * from audit.documents; delete from audit.documents",
      "insert into audit.documents select * from public.kept; drop table public.kept") },
  { name = "another config var", says = "kept: config var DATABASE_URL is not what it has to be",
    breaks = field(function(move) return app_of(move).config end, "DATABASE_URL", "postgres://elsewhere/db") },
}

---@param how "moved"|"as before"
---@return {name: string, says: string, breaks: fun(move: table): fun()}[]
function breakages.of(how)
  local list = { table.unpack(BOTH) }
  return table.move(how == "moved" and MOVED or AS_BEFORE, 1, #(how == "moved" and MOVED or AS_BEFORE), #list + 1, list)
end

return breakages
