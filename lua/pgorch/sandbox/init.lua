-- A local world: real PostgreSQL clusters on both sides, stand-ins of Heroku, the providers and object storage, and the
-- variables by which pgorch and the real clients find them. Loopback only, throwaway; knows nothing of runs.

local certificate = require "pgorch.sandbox.certificate"
local binaries    = require "pgorch.sandbox.postgres.binaries"
local env         = require "pgorch.env"
local faults      = require "pgorch.sandbox.faults"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local gate        = require "pgorch.sandbox.gate"
local native      = require "pgorch.native.host"
local heroku      = require "pgorch.sandbox.heroku"
local json        = require "pgorch.json"
local log         = require "pgorch.log"
local places      = require "pgorch.sandbox.faults.places"
local reaper      = require "pgorch.sandbox.reaper"
local resource    = require "pgorch.resource"
local source      = require "pgorch.sandbox.source"
local target      = require "pgorch.sandbox.target"
local task        = require "pgorch.task"

local sandbox = {}

-- Stand-ins of providers, and for which host they answer: a module that is there is started. Each gives {url, close}
-- and what `variables` reads.
local PROVIDERS = { vultr = "api.vultr.com", linode = "api.linode.com", digitalocean = "api.digitalocean.com" }

---@class pgorch.sandbox.World
---@field dir string                    what PGORCH_SANDBOX names
---@field env table<string, string>     what COMMAND sees beside the caller's own environment
---@field source table                  see source.lua
---@field target pgorch.sandbox.Target
---@field heroku pgorch.sandbox.Heroku
---@field s3 table
---@field vultr table
---@field linode table
---@field digitalocean table
---@field group table                   tasks of the stand-ins
local World = {}
World.__index = World

--- Asks for a fault: world:fault { at = "heroku.restore", answer = 503, times = "always" }, or by method and path:
--- world:fault { match = "POST /client/v11/**/restores", drop = true, after = true }. See faults/fields.lua.
---@param fault table
---@return string name of the file in world.dir/faults; removing that lifts the fault
function World:fault(fault)
  local asked = {}
  for name, value in pairs(fault) do
    if name ~= "at" then asked[name] = value end
  end
  if fault.at then places.check(fault.at) end
  return faults.put(self, fault.at, asked)
end

--- From now on every http.client in the world that asks for `host` asks the stand-in at `url`.
---@param host string "api.acme.example"
---@param url string "http://127.0.0.1:PORT"
function World:answer_for(host, url)
  self.hosts[host] = url
  fs.write(self.dir .. "/hosts.json", json.encode(self.hosts))
end

--- Takes all of it down, in reverse. Idempotent.
function World:close()
  if self.closed then return end
  self.closed = true
  task.shield(60, function()
    for i = #self.parts, 1, -1 do
      local ok, why = pcall(self.parts[i].close, self.parts[i])
      if not ok then log.warn("a part of the sandbox did not end well", { why = tostring(why) }) end
    end
    fs.remove_tree(self.dir)
    if self.reaper then self.reaper:close() end
  end)
end

World.__close = World.close

local function add(self, part)
  self.parts[#self.parts + 1] = part
  return part
end

local function start_clusters(self, opts)
  local function start_source()
    if opts.source == false then return end              -- the source is somewhere else
    if opts.source and opts.source.url then
      self.source = source.from_url(opts.source.url)     -- a real one
      return
    end
    self.source = source.start(self, opts.source)
    add(self, self.source.cluster)
    add(self, gate.before(self.source))
  end
  local function start_target()
    self.target = target.start(self, opts.target)
    add(self, self.target.cluster)
  end
  task.group(function(group)
    group:spawn(start_source)
    group:spawn(start_target)
  end)
end

local function default_apps(self)
  return {
    { name = "demo-app", dynos = { web = 2, worker = 1 },
      config = { DATABASE_URL = self.source.url, RAILS_ENV = "production", SECRET_KEY_BASE = "not-a-secret" } },
    { name = "somebody-elses-app", dynos = { web = 1 }, foreign = true },
  }
end

local function start_stand_ins(self, opts)
  local about = {}
  for name, value in pairs(opts.heroku or {}) do about[name] = value end
  about.apps = about.apps or default_apps(self)
  self.heroku = add(self, heroku.start(self, about))
  if opts.s3 and opts.s3.url then
    self.s3 = opts.s3                            -- a real object store in place of the stand-in
    if opts.s3.ca_file then self.s3.ca_pem = fs.read(opts.s3.ca_file, 4 << 20) end
  else
    self.s3 = add(self, require("pgorch.sandbox.s3").start(self, opts.s3))
  end
  for name, host in pairs(self.source and PROVIDERS or {}) do
    if resource.find(("pgorch/sandbox/%s.lua"):format(name)) then
      self[name] = add(self, require("pgorch.sandbox." .. name).start(self, opts[name]))
      self:answer_for(host, (self[name].url:match "^%a+://[^/]+"))
    end
  end
  for name, start in pairs(opts.stand_ins or {}) do self[name] = add(self, start(self)) end
end

--- What COMMAND sees. (Debian's AWS CLI ignores AWS_ENDPOINT_URL: it needs --endpoint-url.)
local function variables(self)
  local home = self.dir .. "/home"
  local all = {
    PGORCH_SANDBOX = self.dir, SOURCE_DATABASE_URL = self.source and self.source.url,
    HEROKU_HOST = self.heroku.url, HEROKU_DATA_HOST = self.heroku.url:match "^http://(.*):%d+$",
    HEROKU_PARTICLEBOARD_URL = self.heroku.url,
    HEROKU_API_KEY = self.heroku.token, DISABLE_TELEMETRY = "true", HEROKU_SKIP_NEW_VERSION_CHECK = "true",
    AWS_ENDPOINT_URL = self.s3.url, AWS_ACCESS_KEY_ID = self.s3.access_key, AWS_SECRET_ACCESS_KEY = self.s3.secret_key,
    AWS_DEFAULT_REGION = self.s3.region or "us-east-1", AWS_CA_BUNDLE = self.s3.ca_file,
    AWS_EC2_METADATA_DISABLED = "true",
    NO_PROXY = "127.0.0.1,localhost,::1", no_proxy = "127.0.0.1,localhost,::1",
    HOME = home, XDG_CONFIG_HOME = home .. "/.config", XDG_DATA_HOME = home .. "/.local/share",
    XDG_CACHE_HOME = home .. "/.cache", XDG_STATE_HOME = home .. "/.local/state",
  }
  if self.vultr then all.VULTR_API_URL, all.VULTR_API_KEY = self.vultr.url, self.vultr.api_key end
  if self.linode then all.LINODE_API_URL, all.LINODE_TOKEN = self.linode.url, self.linode.token end
  if self.digitalocean then
    all.DIGITALOCEAN_API_URL, all.DIGITALOCEAN_TOKEN = self.digitalocean.url, self.digitalocean.token
    all.DIGITALOCEAN_ACCESS_TOKEN = self.digitalocean.token                   -- as doctl calls it
  end
  return all
end

local function build(self, opts)
  if opts.reap then self.reaper = reaper.watch(self.dir) end
  self.server = binaries.find(opts.postgres or (opts.source or {}).postgres or (opts.target or {}).postgres)
  for _, name in ipairs { "tls", "home", "faults" } do fs.mkdir(self.dir .. "/" .. name) end
  self.tls = certificate.make(self.dir .. "/tls")
  self.ca_pem = self.tls.ca_pem
  for _, fault in ipairs(opts.faults or {}) do self:fault(fault) end
  start_clusters(self, opts)
  start_stand_ins(self, opts)
  self.env = variables(self)
  for name, value in pairs(opts.env or {}) do self.env[name] = value end
end

--- Starts a world. Its tasks run in `group`, which must not end before the world is closed.
---@param group table a task.group's
---@param opts? { source: table|false?, target: table?, heroku: table?, s3: table?, vultr: table?, postgres: string?,
---  env: table?, faults: table[]?, seed: integer?, folder: string?, reap: boolean? } source {scale, sql, postgres,
---  host}, false: none, nor the providers that would have it; target {postgres, host};
---  heroku see heroku.start; s3 {url, access_key, secret_key, ca_file} is a real one; postgres: a server's bin
---  folder; faults as for world:fault; seed of those with a chance; folder: where the world's own is made, /tmp;
---  reap: that is removed even when pgorch is killed
---@return pgorch.sandbox.World world <close>
function sandbox.start(group, opts)
  opts = opts or {}
  pcall(folder.sweep, opts.folder)
  local world = setmetatable({ dir = folder.make(opts.folder), group = group, parts = {}, hosts = {},
    seed = opts.seed }, World)
  local ok, why = pcall(build, world, opts)
  if ok then return world end
  world:close()
  error(why, 0)
end

--- Runs fn(world) in a world that lives as long.
---@param opts? table as for start
---@param fn fun(world: pgorch.sandbox.World): any
function sandbox.run(opts, fn)
  return task.group(function(group)
    local world <close> = sandbox.start(group, opts)
    return fn(world)
  end)
end

--- The caller's environment with the world's variables in it: for a child that must find the world and nothing else.
---@param world pgorch.sandbox.World
---@return table<string, string>
function sandbox.environment(world)
  local all = env.all()
  -- What libpq, the AWS and the Heroku CLI would read of the user's own: it could name a real account, or an authority
  -- that is not the world's.
  for name in pairs(all) do
    if name:find "^PG" and not name:find "^PGORCH_" or name:find "^AWS_" or name:find "^HEROKU_"
      or name == "DATABASE_URL" then
      all[name] = nil
    end
  end
  for name, value in pairs(world.env) do all[name] = value end
  -- COMMAND finds the pgorch that started it, and no other.
  all.PATH = native.executable():match "^(.*)/" .. (all.PATH and ":" .. all.PATH or "")
  return all
end

return sandbox
