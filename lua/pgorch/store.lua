-- The durable record of runs: which recipe with which parameters, how far each step has come, what was done to whom.
-- Every call that writes is one transaction and is on the disk when it returns. Knows nothing of what steps do.
-- Nothing secret is in it: json.encode refuses secrets, and native.store passes every text through the redactor.

local clock    = require "pgorch.clock"
local crypto   = require "pgorch.crypto"
local env      = require "pgorch.env"
local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local native   = require "pgorch.native.store"
local resource = require "pgorch.native.resource"

-- One file of sql/store/ for each version; a record that is older gets those it lacks.
local store = { VERSION = 2 }

---@class pgorch.Store
---@field path string
---@field db table      native connection
local Store = {}
Store.__index = Store

for _, part in ipairs { "steps", "locks" } do
  for name, method in pairs(require("pgorch.store." .. part)) do Store[name] = method end
end

---Microseconds since 1970.
---@return integer
function store.now()
  return math.floor(clock.time() * 1e6)
end

---Where the record is kept: PGORCH_STATE, or $XDG_STATE_HOME/pgorch/state.db.
---@return string
function store.default_url()
  local given = env.get("PGORCH_STATE")
  if given and given ~= "" then return given end
  local base = env.get("XDG_STATE_HOME")
  if not base or base == "" then
    local home = env.get("HOME")
    if not home or home == "" then
      fail.raise("PGO-STORE", "neither PGORCH_STATE, XDG_STATE_HOME nor HOME says where the record of runs is kept")
    end
    base = home .. "/.local/state"
  end
  return "sqlite:" .. base .. "/pgorch/state.db"
end

local function path_of(url)
  if url:match("^postgres") then
    fail.raise("PGO-STORE", "this version of pgorch keeps its record in SQLite only, not in PostgreSQL",
      { detail = "set PGORCH_STATE=sqlite:PATH, or leave it unset" })
  end
  local path = url:match("^sqlite:(.+)$") or (not url:match("^%a[%w+]+:") and url) or nil
  if not path then fail.raise("PGO-STORE", "PGORCH_STATE names no store: use sqlite:PATH") end
  return path
end

local function version_of(db, path)
  if db:query("select count(*) as n from sqlite_master where name = 'meta'")[1].n == 0 then return 0 end
  local row = db:query("select value from meta where name = 'version'")[1]
  local version = row and row.value or 0
  if version > store.VERSION then
    fail.raise("PGO-STORE-VERSION", ("the record of runs %s has version %d, this pgorch knows %d"):format(path, version,
      store.VERSION))
  end
  return version
end

local function apply_schema(db, path)
  for version = version_of(db, path) + 1, store.VERSION do
    db:batch {
      { resource.read(("pgorch/sql/store/%d.sql"):format(version)) },
      { "insert into meta (name, value) values ('version', $1) on conflict (name) do update set value = excluded.value",
        version },
    }
  end
end

---Opens the record, and makes it when there is none.
---@param url? string  "sqlite:PATH" or a path; default store.default_url()
---@return pgorch.Store
function store.open(url)
  local path = path_of(url or store.default_url())
  local db = native.open(path)
  local ok, err = pcall(apply_schema, db, path)
  if not ok then
    db:close()
    error(err, 0)
  end
  return setmetatable({ db = db, path = path }, Store)
end

function Store:close() self.db:close() end
Store.__close = Store.close

---The folder beside the record where a run may keep files.
---@param id string
---@return string
function Store:run_dir(id)
  return (self.path:match("^(.*)/[^/]*$") or ".") .. "/runs/" .. id
end

-- No i, l, o, u: an id is read aloud and typed.
local ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

---A new run id: 10 base32 characters.
---@return string
function store.new_id()
  local id = {}
  for i, byte in ipairs { crypto.random(10):byte(1, -1) } do
    local at = byte % 32 + 1
    id[i] = ALPHABET:sub(at, at)
  end
  return table.concat(id)
end

local function decoded(run)
  run.params, run.versions = json.decode(run.params), json.decode(run.versions)
  run.error = run.error and json.decode(run.error)
  return run
end

---@class pgorch.Run
---@field id string
---@field recipe string
---@field recipe_path string
---@field recipe_hash string
---@field params table
---@field versions table
---@field state "running"|"waiting"|"stopped"|"failed"|"put_back"|"undo_failed"|"done"
---@field attempt integer
---@field exit_status integer|nil
---@field error table|nil
---@field gate string|nil
---@field approved string|nil
---@field cut_over_at integer|nil
---@field kind "run"|"rehearsal"
---@field fence integer
---@field request "stop"|"rollback"|nil   asked of the process that works on it
---@field created_at integer
---@field updated_at integer

---@param o table  {recipe, recipe_path, recipe_hash, params, versions, id?, owner?, kind?}
---@return pgorch.Run
function Store:create_run(o)
  local id, now = o.id or store.new_id(), store.now()
  if #self.db:query("select id from run where id = $1", id) > 0 then
    fail.raise("PGO-USAGE", ("there is a run %s already: `pgorch resume %s` goes on with it"):format(id, id))
  end
  self.db:batch { {
    "insert into run (id, recipe, recipe_path, recipe_hash, params, versions, state, attempt, owner, created_at, "
    .. "updated_at, kind) values ($1, $2, $3, $4, $5, $6, 'running', 1, $7, $8, $8, $9)",
    id, o.recipe, o.recipe_path, o.recipe_hash, json.encode(o.params), json.encode(o.versions), o.owner, now,
    o.kind or "run", n = 10,
  } }
  return self:run(id)
end

---Forgets a run that has not begun.
---@param id string
function Store:discard_run(id)
  self.db:batch { { "delete from run where id = $1 and not exists (select 1 from step where run = $1)", id } }
end

---The run with this id, or with the only id that begins so.
---@param prefix string
---@return pgorch.Run
function Store:run(prefix)
  if not prefix:match("^[%w_%-]+$") then fail.raise("PGO-RUN-UNKNOWN", ("%q is no run id"):format(prefix)) end
  local rows = self.db:query("select * from run where substr(id, 1, $2) = $1 order by created_at desc",
    prefix:lower(), #prefix)
  for _, row in ipairs(rows) do
    if row.id == prefix:lower() then return decoded(row) end
  end
  if #rows == 0 then fail.raise("PGO-RUN-UNKNOWN", ("there is no run %s in %s"):format(prefix, self.path)) end
  if #rows > 1 then
    local ids = {}
    for i, row in ipairs(rows) do ids[i] = row.id end
    fail.raise("PGO-RUN-UNKNOWN", ("%d runs begin with %s: %s"):format(#rows, prefix, table.concat(ids, ", ")))
  end
  return decoded(rows[1])
end

---Newest first.
---@param o? {limit?: integer}
---@return pgorch.Run[]
function Store:runs(o)
  local rows = self.db:query("select * from run order by created_at desc, id limit $1", o and o.limit or 1000)
  for _, row in ipairs(rows) do decoded(row) end
  return rows
end

local COLUMNS = { state = true, exit_status = true, error = true, gate = true, approved = true, attempt = true,
                  owner = true, cut_over_at = true, request = true, params = true, versions = true, recipe_hash = true,
                  recipe_path = true }

---Sets the fields given; `json.null` empties one.
---@param id string
---@param fields table
function Store:update_run(id, fields)
  local statement, sets = { "", id, store.now() }, { "updated_at = $2" }
  for name, value in pairs(fields) do
    if not COLUMNS[name] then fail.raise("PGO-BUG", "a run has no field " .. tostring(name)) end
    local n = #sets + 2
    sets[#sets + 1] = ("%s = $%d"):format(name, n)
    if value == json.null then value = nil
    elseif type(value) == "table" then value = json.encode(value) end
    statement[n + 1] = value
  end
  statement[1] = ("update run set %s where id = $1"):format(table.concat(sets, ", "))
  statement.n = #sets + 2
  self.db:batch { statement }
end

---Makes `owner` the process that works on the run, unless the present one is `alive`.
---@param id string
---@param owner string
---@param alive fun(owner: string): boolean
---@return true|string  true, or who has it
function Store:claim(id, owner, alive)
  local present = self:run(id).owner
  if present and present ~= owner and alive(present) then return present end
  local _, changed = self.db:batch { {
    "update run set owner = $2, updated_at = $3 where id = $1 and coalesce(owner, '') = $4",
    id, owner, store.now(), present or "",
  } }
  return changed == 1 or (self:run(id).owner or true)
end

---No process works on the run any more.
---@param id string
function Store:disown(id)
  self.db:batch { { "update run set owner = null where id = $1", id } }
end

---Something that happened, for the report.
---@param run string
---@param kind string
---@param data? table
function Store:event(run, kind, data)
  self.db:batch { {
    "insert into event (run, seq, at, kind, data) "
    .. "select $1, coalesce(max(seq), 0) + 1, $2, $3, $4 from event where run = $1",
    run, store.now(), kind, json.encode(data or {}),
  } }
end

---@param run string
---@return {seq: integer, at: integer, kind: string, data: table}[]
function Store:events(run)
  local rows = self.db:query("select seq, at, kind, data from event where run = $1 order by seq", run)
  for _, row in ipairs(rows) do row.data = json.decode(row.data) end
  return rows
end

return store
