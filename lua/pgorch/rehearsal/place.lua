-- The local half of a rehearsal: a world with a PostgreSQL like the one that Heroku would give, a Heroku that knows the
-- app by name, dynos and config names, and an object storage. Started once the source's size is known, if it has room
-- for a copy; gone with the rehearsal, however that ends. Values of config vars stay where they are.

local binaries    = require "pgorch.sandbox.postgres.binaries"
local config_vars = require "pgorch.config_vars"
local crypto      = require "pgorch.crypto"
local fail        = require "pgorch.error"
local fs          = require "pgorch.fs"
local http        = require "pgorch.http"
local loopback    = require "pgorch.sandbox.loopback"
local room        = require "pgorch.rehearsal.room"
local s3          = require "pgorch.s3"
local sandbox     = require "pgorch.sandbox"
local secret      = require "pgorch.secret"
local server      = require "pgorch.rehearsal.server"
local target      = require "pgorch.target"

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
  return setmetatable({ group = o.group, folder = folder, postgres = o.postgres,
                        server = binaries.find(o.postgres, "--postgres") }, Place)
end

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

-- Its servers and stand-ins outlive the step that asks for them: they are started by a task of the rehearsal's own.
local function start_world(self, options)
  local why
  self.group:spawn(function()
    local ok, result = pcall(sandbox.start, self.group, options)
    if ok then self.world = result else why = result end
  end):join()
  if why then error(why, 0) end
end

---Starts it, or says what this machine lacks.
---@param ctx pgorch.Context
---@param params table        as they were given
---@param facts {major: integer, size: table|nil, extensions: string[]}   of the source
---@return {major: integer, wanted: integer|nil}
function Place:start(ctx, params, facts)
  local chosen, wanted = server.choose(ctx, { params = params, named = self.postgres, found = self.server,
                                              source_major = facts.major })
  self.server = chosen
  ctx:note(server.describe(chosen, wanted))
  if facts.size then ctx:note(room.refuse_without(self.folder, facts.size)) end
  start_world(self, { source = false, reap = true, folder = self.folder, postgres = self.server.bin,
    heroku = { apps = app_of(ctx), provision_polls = 0, missing_polls = 0, wait_polls = 0 } })
  server.refuse_lacking(facts.extensions, self.world.target:offered(), chosen.major)
  return { major = chosen.major, wanted = wanted }
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
