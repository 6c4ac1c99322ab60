-- The tables of the record: one file of sql/store for each version, and one for a home where the two differ. An older
-- record gets those that it lacks, each in one transaction, which looks again for the version that it starts from: two
-- processes that find the same old record do not get in each other's way.

local fail     = require "pgorch.error"
local resource = require "pgorch.resource"

local schema = { VERSION = 4 }

-- 0: there is none.
local function version_of(db, home)
  if db:query(home.has_tables)[1].n == 0 then return 0 end
  local row = db:query(home.version)[1]
  local version = row and row.value or 0
  if version > schema.VERSION then
    fail.raise("PGO-STORE-VERSION", ("the record of runs %s has version %d, this pgorch knows %d"):format(home.name,
      version, schema.VERSION))
  end
  return version
end

local function add_files(statements, version, home)
  for _, name in ipairs { version, ("%d.%s"):format(version, home.kind) } do
    local text = resource.find(("pgorch/sql/store/%s.sql"):format(name))
    if text then statements[#statements + 1] = { text } end
  end
end

-- The first version makes what is not there, so that two may do it; the others are for one alone.
local function steps_to(version, db, home)
  local statements = {}
  if version > 1 then
    statements[1] = { "update meta set value = $1 where name = 'version' and value = $1 - 1", version,
      needs = "PGO-STORE-VERSION" }
  elseif home.kind == "postgres" and
    db:query("select count(*) as n from pg_catalog.pg_namespace where nspname = 'pgorch'")[1].n == 0 then
    statements[1] = { "create schema if not exists pgorch" }
  end
  add_files(statements, version, home)
  if version == 1 then
    statements[#statements + 1] =
      { "insert into meta (name, value) values ('version', 1) on conflict (name) do nothing" }
  end
  return statements
end

---Whether there is a record at all.
---@param db table
---@param home pgorch.StoreHome
---@return boolean
function schema.is_there(db, home) return version_of(db, home) > 0 end

---Makes the tables, or brings those of an older pgorch up to date. Raises PGO-STORE-VERSION for those of a newer one.
---@param db table
---@param home pgorch.StoreHome
function schema.bring_up(db, home)
  local version = version_of(db, home)
  while version < schema.VERSION do
    local ok, err = pcall(db.batch, db, steps_to(version + 1, db, home))
    if not ok and not fail.is(err, "PGO-STORE-VERSION") then error(err, 0) end
    version = version_of(db, home)      -- another process may have done it, and more
  end
end

return schema
