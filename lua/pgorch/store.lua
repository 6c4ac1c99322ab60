-- The durable record of runs: which recipe with which parameters, how far each step has come, what was done to whom.
-- Every call that writes is one transaction and is on the disk when it returns. Knows nothing of what steps do.
-- Nothing secret is in it: json.encode refuses secrets, and native.store passes every text through the redactor.
-- A SQLite file or a schema of a PostgreSQL database: store/home.lua has the difference.

local clock   = require "pgorch.clock"
local crypto  = require "pgorch.crypto"
local deaths  = require "pgorch.store.deaths"
local env     = require "pgorch.env"
local events  = require "pgorch.store.events"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local homes   = require "pgorch.store.home"
local json    = require "pgorch.json"
local native  = require "pgorch.native.store"
local schema  = require "pgorch.store.schema"

local store = { VERSION = schema.VERSION }

---@class pgorch.Store
---@field path string   what messages call it: a path, or a URL without its password
---@field home pgorch.StoreHome
---@field db table      native connection
---@field held table<string, pgorch.FileLock>   of the runs that this process works on, in a home without leases
---@field fence {run: string, number: integer, good: number}|nil   of the process that works on a
---run; good: when it last asked for what made its lease good, by clock.uptime()
local Store = {}
Store.__index = Store

for _, part in ipairs { "owners", "steps", "locks", "pruning", "batches", "batch_rows", "submissions", "barriers" } do
  for name, method in pairs(require("pgorch.store." .. part)) do Store[name] = method end
end
for name, method in pairs(events.methods) do Store[name] = method end

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
  return "sqlite:" .. homes.state_folder() .. "/state.db"
end

---What messages call the place of a record, whether there is one or not.
---@param url? string
---@return string
function store.name(url)
  return homes.of(url or store.default_url()).name
end

---The folder of this machine in which runs keep their files, each in one of its own below it.
---@param url? string
---@return string
function store.folder(url)
  return homes.of(url or store.default_url()).folder .. "/runs"
end

local function open(home, prepare)
  local db = deaths.around(native.open(home.place))
  local ok, answer = pcall(prepare, db, home)
  if not ok or answer == false then
    db:close()
    if not ok then error(answer, 0) end
    return nil
  end
  return setmetatable({ db = db, home = home, path = home.name, held = {} }, Store)
end

---Opens the record, and makes it when there is none.
---@param url? string  "sqlite:PATH", a path, "postgres://..."; default store.default_url()
---@return pgorch.Store
function store.open(url)
  return open(homes.of(url or store.default_url()), schema.bring_up)
end

---Opens the record to look at it; nil when there is none yet.
---@param url? string
---@return pgorch.Store|nil
function store.find(url)
  local home = homes.of(url or store.default_url())
  if home.kind == "sqlite" and not fs.exists(home.place) then return nil end
  return open(home, function(db)
    if not schema.is_there(db, home) then return false end
    schema.bring_up(db, home)
  end)
end

function Store:close()
  for run in pairs(self.held) do self:let_run_go(run) end
  self.db:close()
end
Store.__close = Store.close

---Which record this is: a number that no other one has, drawn when it is first asked for.
---@return integer
function Store:id()
  local drawn = string.unpack("<I6", crypto.random(6))
  local rows = self.db:batch {
    { "insert into meta (name, value) values ('id', $1) on conflict (name) do nothing", drawn },
    { "select value from meta where name = 'id'" },
  }
  return rows[1].value
end

---The folder of this machine where a run may keep files.
---@param id string
---@return string
function Store:run_dir(id)
  return self.home.folder .. "/runs/" .. id
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

local function decoded(self, run)
  run.leased = run.leased == 1
  run.locked = run.owner ~= nil and self:is_held(run.id)
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
---@field owner string|nil      the process that works on it
---@field fence integer         one more each time that a process takes it over
---@field leased boolean        the owner's lease is good by the server's clock; false in a home without leases
---@field locked boolean        the owner lives, wherever that is: it has the run's lock; false in a home with leases
---@field request "stop"|"rollback"|nil   asked of the process that works on it
---@field created_at integer
---@field updated_at integer

local CREATE = "insert into run (id, recipe, recipe_path, recipe_hash, params, versions, state, attempt, owner, "
  .. "created_at, updated_at, kind, fence, lease_until) "
  .. "values ($1, $2, $3, $4, $5, $6, 'running', 1, $7, $8, $8, $9, 1, %s) on conflict (id) do nothing"

local function refuse_existing(id)
  fail.raise("PGO-USAGE", ("there is a run %s already: `pgorch resume %s` goes on with it"):format(id, id))
end

---@param o table  {recipe, recipe_path, recipe_hash, params, versions, id?, owner?, kind?, told?}
---told: {kind, data} of an event without which the run must not be on record
---@return pgorch.Run
function Store:create_run(o)
  local id, now = o.id or store.new_id(), store.now()
  if #self.db:query("select id from run where id = $1", id) > 0 or o.owner and not self:hold_run(id) then
    refuse_existing(id)
  end
  local ok, err = pcall(self.db.batch, self.db, {
    { CREATE:format(o.owner and self.home.lease or "null"), id, o.recipe, o.recipe_path, o.recipe_hash,
      json.encode(o.params), json.encode(o.versions), o.owner, now, o.kind or "run", n = 10,
      needs = "PGO-USAGE" },                               -- another process may have made it since
    events.told(id, "running", { attempt = 1 }, { at = now }),
    o.told and events.told(id, o.told.kind, o.told.data, { at = now }) or nil,
  })
  if not ok then
    self:let_run_go(id)
    if fail.is(err, "PGO-USAGE") then refuse_existing(id) end
    error(err, 0)
  end
  return self:run(id)
end

---Forgets a run that has not begun.
---@param id string
function Store:discard_run(id)
  self.db:batch { { "delete from run where id = $1 and not exists (select 1 from step where run = $1)", id } }
  self:let_run_go(id)
end

local function every_run(self)
  return ("select run.*, case when lease_until > %s then 1 else 0 end as leased from run"):format(self.home.now)
end

---The run with this id, or with the only id that begins so.
---@param prefix string
---@return pgorch.Run
function Store:run(prefix)
  if not prefix:match("^[%w_%-]+$") then fail.raise("PGO-RUN-UNKNOWN", ("%q is no run id"):format(prefix)) end
  local rows = self.db:query(every_run(self) .. " where substr(id, 1, cast($2 as integer)) = $1 "
    .. "order by created_at desc", prefix:lower(), #prefix)
  for _, row in ipairs(rows) do
    if row.id == prefix:lower() then return decoded(self, row) end
  end
  if #rows == 0 then fail.raise("PGO-RUN-UNKNOWN", ("there is no run %s in %s"):format(prefix, self.path)) end
  if #rows > 1 then
    local ids = {}
    for i, row in ipairs(rows) do ids[i] = row.id end
    fail.raise("PGO-RUN-UNKNOWN", ("%d runs begin with %s: %s"):format(#rows, prefix, table.concat(ids, ", ")))
  end
  return decoded(self, rows[1])
end

---Newest first.
---@param o? {limit?: integer}
---@return pgorch.Run[]
function Store:runs(o)
  local rows = self.db:query(every_run(self) .. " order by created_at desc, id limit $1", o and o.limit or 1000)
  for _, row in ipairs(rows) do decoded(self, row) end
  return rows
end

local COLUMNS = { state = true, exit_status = true, error = true, gate = true, approved = true, attempt = true,
                  owner = true, cut_over_at = true, request = true, params = true, versions = true, recipe_hash = true,
                  recipe_path = true }

-- States in which nothing of a run stands any more, or nobody will put it back.
local OVER = { done = true, failed = true, put_back = true }

-- Shared names stand for something that steps put back; they have data.
local GIVE_BACK = "delete from lock where run = $1 and data is null"

---Sets the fields given; `json.null` empties one. A new state is told as an event, with `data`. A run that is over
---holds no names of its own: they go in the same transaction, as nobody comes back to a run that is done to give them
---back.
---@param id string
---@param fields table
---@param data? table
function Store:update_run(id, fields, data)
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
  local statements = { statement }
  if fields.state then statements[2] = events.told(id, fields.state, data) end
  if OVER[fields.state] then statements[3] = { GIVE_BACK, id } end
  self:write(id, statements)
end

return store
