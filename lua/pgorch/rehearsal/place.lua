-- The local half of a rehearsal: a world with a PostgreSQL like the one that Heroku would give, a Heroku that knows the
-- app by name, dynos and config names, and an object storage. Started once the source's size is known, if it has room
-- for a copy; gone with the rehearsal, however that ends. Values of config vars stay where they are.

local binaries    = require "pgorch.sandbox.postgres.binaries"
local config_vars = require "pgorch.config_vars"
local crypto      = require "pgorch.crypto"
local env         = require "pgorch.env"
local fail        = require "pgorch.error"
local fs          = require "pgorch.fs"
local http        = require "pgorch.http"
local loopback    = require "pgorch.sandbox.loopback"
local s3          = require "pgorch.s3"
local sandbox     = require "pgorch.sandbox"
local secret      = require "pgorch.secret"
local target      = require "pgorch.target"
local values      = require "pgorch.recipe.values"

local place = {}

---@class pgorch.rehearsal.Place
---@field folder string
---@field postgres string|nil    a server's bin folder that was named
---@field world pgorch.sandbox.World|nil   once it was started
---@field server pgorch.sandbox.Server
local Place = {}
Place.__index = Place

-- Sockets lie in it, and their paths may have 107 bytes.
local LONGEST = 60

---Finds the server, so that a machine without one is told so before anything is looked at.
---@param o {group: table, folder?: string, postgres?: string}
---@return pgorch.rehearsal.Place place <close>
function place.new(o)
  local folder = o.folder or "/tmp"
  if not fs.exists(folder) or fs.stat(folder).type ~= "directory" then
    fail.raise("PGO-PARAM", ("--folder %s: there is no such folder"):format(folder))
  end
  if #folder > LONGEST then
    fail.raise("PGO-PARAM", ("--folder: a path of at most %d bytes is needed, PostgreSQL's sockets lie in it")
      :format(LONGEST))
  end
  local server = binaries.find(o.postgres, "--postgres")
  return setmetatable({ group = o.group, folder = folder, postgres = o.postgres, server = server }, Place)
end

-- --- the server ---

---The major version that the real database would have, as far as that can be known.
---@param ctx pgorch.Context
---@param params table   as they were given
---@return integer|nil
local function wanted_major(ctx, params)
  if params.version then return math.tointeger(tonumber(params.version)) end
  if ctx.real_target:is_ours() then return nil end
  local version = ctx.real_target:database():info().rows["pg version"]
  return version and math.tointeger(tonumber(version:match "%d+"))
end

local function is_chosen(self)
  local configured = env.get "PGORCH_POSTGRES"
  return self.postgres ~= nil or configured ~= nil and configured ~= ""
end

local function choose_server(self, ctx, params, source_major)
  local wanted = wanted_major(ctx, params)
  local bin = wanted and not is_chosen(self) and binaries.of_major(wanted)
  if bin then self.server = binaries.find(bin) end
  if self.server.major < source_major then
    fail.raise("PGO-PG-VERSION", ("the source is PostgreSQL %d, and the newest server on this machine %d: it cannot "
      .. "take the target's place"):format(source_major, self.server.major), {
      cure = ("Install a server: apt-get install postgresql-%d (from PostgreSQL's own packages, where the distribution "
        .. "has none), or name its bin folder with --postgres."):format(math.max(source_major, wanted or 0)) })
  end
  self.wanted = wanted
end

---What stands in for what, in words.
---@return string
function Place:describe()
  local here, room = ("PostgreSQL %s"):format(self.server.version), self.room and "; " .. self.room or ""
  if not self.wanted then return here .. " (which major Heroku gives by default is not known here)" .. room end
  if self.wanted == self.server.major then return here .. ", as the target would have it" .. room end
  return ("%s in the place of PostgreSQL %d, which is not installed here%s"):format(here, self.wanted, room)
end

-- --- room ---

-- A small cluster with its log of writes.
local CLUSTER = 512 * 1000 * 1000

---How much of the disk it may take: a copy of the database, and the dump twice, in the storage and where it is
---restored from. A dump is compressed; with half the size of the tables most are counted too large.
---@param size {bytes: integer, tables: table[], large_object_bytes: integer|nil}
---@return integer bytes
---@return integer dump
function place.need(size)
  local data = size.large_object_bytes or 0
  for _, each in ipairs(size.tables) do data = data + each.bytes end
  local dump = math.ceil(math.min(data, size.bytes) / 2)
  return size.bytes + 2 * dump + CLUSTER, dump
end

local function refuse_without_room(self, size)
  local need, dump = place.need(size)
  local have = fs.free_space(self.folder)
  self.room = ("up to %s in %s, where %s are free"):format(values.show_size(need), self.folder, values.show_size(have))
  if have >= need then return need end
  fail.raise("PGO-REHEARSAL-SPACE", ("a rehearsal needs about %s in %s, and %s are free"):format(
    values.show_size(need), self.folder, values.show_size(have)), {
    detail = ("a copy of the database: %s; its dump twice, about %s each; the server's own files: %s"):format(
      values.show_size(size.bytes), values.show_size(dump), values.show_size(CLUSTER)),
    cure = "Name a folder on a larger disk with --folder, or make room." })
end

-- --- the app ---

-- A value that says nothing. It is taken for a secret, so it must be no word that is told.
local function nothing() return "rehearsed-" .. crypto.hex(crypto.random(8)) end

-- Where a var holds the source's address the local app has one that leads there too, and lets nobody in.
local function address_of(source)
  return ("postgres://rehearsal:%s@%s:%d/%s"):format(nothing(), loopback.in_url(source.host), source.port,
    http.escape(source.dbname))
end

local function app_of(ctx)
  local app = ctx.real_target.app
  if not app:info() then return {} end
  local dynos, config = {}, {}
  for _, each in ipairs(app:formation()) do dynos[each.type] = each.quantity end
  for name, value in pairs(config_vars.plain(app)) do
    config[name] = config_vars.is_source(ctx.source, value) and address_of(ctx.source) or nothing()
  end
  return { { name = app.name, dynos = dynos, config = config } }
end

-- --- the world ---

-- Its servers and stand-ins outlive the step that asks for them: they are started by a task of the rehearsal's own.
local function start_world(self, options)
  local why
  self.group:spawn(function()
    local ok, result = pcall(sandbox.start, self.group, options)
    if ok then self.world = result else why = result end
  end):join()
  if why then error(why, 0) end
end

---Starts it.
---@param ctx pgorch.Context
---@param params table        as they were given
---@param facts {major: integer, size: table|nil}   of the source
function Place:start(ctx, params, facts)
  choose_server(self, ctx, params, facts.major)
  local need = facts.size and refuse_without_room(self, facts.size)
  start_world(self, { source = false, reap = true, folder = self.folder, postgres = self.server.bin,
    heroku = { apps = app_of(ctx), provision_polls = 0, missing_polls = 0, wait_polls = 0 } })
  return { major = self.server.major, wanted = self.wanted, bytes_needed = need or nil }
end

local function world_of(self)
  return self.world or fail.raise("PGO-RECIPE", "the local target of a rehearsal is not there yet: the recipe's step "
    .. "`size` comes first")
end

---The constructor of the recipe's `target`.
---@param app string
---@return pgorch.Target
function Place:target(app)
  local world = world_of(self)
  local made = target.heroku { app = app, heroku_api_key = secret.new(world.heroku.token) }
  made.client.hosts = { platform = world.heroku.url, data = world.heroku.url, loopback = true }
  return made
end

---The constructor of the recipe's `store`.
---@param run string
function Place:bucket(run)
  local storage = world_of(self).s3
  return s3.client { endpoint = storage.url, region = storage.region, access_key = storage.access_key,
    secret_key = secret.new(storage.secret_key) }:bucket("rehearsal-" .. run)
end

function Place:close()
  if self.world then self.world:close() end
end

Place.__close = Place.close

return place
