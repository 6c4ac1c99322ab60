-- Questions to the Data API and to PostgreSQL about a database that is there: shapes, limits, extensions, privileges,
-- and what is answered for one that is not there. Reads only.

local answer = require "answer"
local crypto = require "pgorch.crypto"
local json   = require "pgorch.json"
local source = require "pgorch.source"

local function data_outcome(live, method, path, o)
  o = o or {}
  o.data = true
  return answer.outcome(live:request(method, path, o), live.names)
end

-- The rows of the console by name, numbers left out: "N MB / N GB (N%) (In compliance)".
local function info_rows(live)
  local rows = {}
  for _, row in ipairs(live:database("GET", "").value.info) do
    local value = (row.values or {})[1]
    rows[row.name] = value ~= nil and value ~= json.null and answer.numberless(answer.mask(value, live.names)) or "none"
  end
  return rows
end

local function limits(live)
  local found = {}
  for _, row in ipairs(live:database("GET", "").value.info) do
    found[row.name] = tostring((row.values or {})[1])
  end
  local function limit_of(name) return (found[name] or ""):match "/%s*([%d.]+ ?%u?%u?)%f[%s\0]" or "not told" end
  return { connections = limit_of "Connections", data_size = limit_of "Data Size", tables = limit_of "Tables" }
end

local ALLOWED = "select current_setting('rds.allowed_extensions', true) as essential, "
  .. "current_setting('extwlist.extensions', true) as dedicated"

local function allowed_extensions(live)
  local row = live:sql(function(conn) return conn:row(ALLOWED) end)
  local text, names = row.essential or row.dedicated, {}
  for name in (text or ""):gmatch "[^,%s]+" do names[name] = true end
  return { setting = row.essential and "rds.allowed_extensions" or row.dedicated and "extwlist.extensions" or "none",
    names = next(names) and names or "none" }
end

-- What pg_available_extensions has of those that the setting names: the ones that really can be made.
local function available_extensions(live)
  local names = {}
  live:sql(function(conn)
    for _, row in ipairs(conn:query(source.sql "extensions_allowed")) do names[row.name] = true end
  end)
  return names
end

local ROLE = [[select rolsuper as superuser, rolcreatedb as createdb, rolcreaterole as createrole,
  rolreplication as replication, rolbypassrls as bypassrls, rolconnlimit as connections,
  coalesce((select string_agg(b.rolname, ' ' order by b.rolname) from pg_auth_members m join pg_roles b
    on b.oid = m.roleid where m.member = r.oid), '') as member_of,
  (select datdba = r.oid from pg_database where datname = current_database()) as owns_database,
  (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'public') as public_owner
  from pg_roles r where rolname = current_user]]

local function role(live)
  local row = live:sql(function(conn) return conn:row(ROLE) end)
  row.member_of = answer.mask(row.member_of, live.names)
  row.public_owner = answer.mask(row.public_owner, live.names)
  return row
end

local LOCALE = [[select pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype
  from pg_database where datname = current_database()]]

local function version(live)
  return live:sql(function(conn) return { major = conn.server_version // 10000 } end)
end

return {
  { id = "data.wrong_token", about = "The Data API and a token that is none",
    ask = function(live)
      return data_outcome(live, "GET", "/client/v11/databases/" .. live.addon.id, { token = "HRKU-" .. crypto.uuid() })
    end },
  { id = "data.no_version", about = "The Data API and an Accept header without a version",
    ask = function(live)
      return data_outcome(live, "GET", "/client/v11/databases/" .. live.addon.id .. "/wait_status", { accept = false })
    end },
  { id = "data.headers", about = "Headers of the Data API: does it have rate limits?",
    ask = function(live) return answer.headers(live:database("GET", "/wait_status").headers) end },
  { id = "data.unknown_database", about = "404 for an unknown database: JSON, or HTML that calls itself JSON?",
    ask = function(live) return data_outcome(live, "GET", "/client/v11/databases/" .. crypto.uuid()) end },
  { id = "data.unknown_wait_status", about = "The same for its wait_status",
    ask = function(live)
      return data_outcome(live, "GET", "/client/v11/databases/" .. crypto.uuid() .. "/wait_status")
    end },
  { id = "data.unknown_app", about = "Transfers of an unknown app",
    ask = function(live)
      return data_outcome(live, "GET", ("/client/v11/apps/%s/transfers"):format(crypto.uuid()))
    end },

  { id = "database.shape", about = "Keys and formats of an essential database",
    ask = function(live) return answer.shape(live:database("GET", "").value) end },
  { id = "database.by_name", about = "Whether the Data API knows a database by its add-on's name, too",
    ask = function(live) return { status = live:request("GET", "/client/v11/databases/" .. live.addon.name,
      { data = true }).status } end },
  { id = "database.info", about = "The rows of its info", ask = info_rows },
  { id = "database.limits", about = "Limits of essential-0: size, connections, tables", ask = limits },
  { id = "database.wait_status", about = "wait_status of a database that is ready",
    ask = function(live)
      local reply = live:database("GET", "/wait_status")
      return { status = reply.status, shape = answer.shape(reply.value), message = reply.value.message }
    end },
  { id = "extensions.allowed", about = "Extensions that an essential database allows, and the setting that names them",
    ask = allowed_extensions },
  { id = "extensions.available", about = "Those of them that its server has", ask = available_extensions },
  { id = "postgres.version", about = "Heroku's default major version", ask = version },
  { id = "postgres.role", about = "What the default credential may do", ask = role },
  { id = "postgres.locale", about = "Encoding and collation of a new database",
    ask = function(live) return live:sql(function(conn) return conn:row(LOCALE) end) end },
}
