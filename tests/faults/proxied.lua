-- A sandbox with a TCP proxy in front of every server that a move talks to: Heroku, the provider's API, the object
-- storage, the source and the target. Clients get the proxies' addresses and no others. The proxies are parts of the
-- world and are closed with it; what they do is asked for by the tests (sandbox/gate.lua).

local gate    = require "pgorch.sandbox.gate"
local recipes = require "recipes"
local sandbox = require "pgorch.sandbox"

local proxied = {}

-- A proxy in front of an address, and the same URL through it.
local function before(world, url)
  local port = tonumber(url:match "^%a+://[^/]-:(%d+)")
  local front = gate.open { host = "127.0.0.1", port = port }
  world.parts[#world.parts + 1] = front
  return front, (url:gsub(":" .. port, ":" .. front.port, 1))
end

local function before_heroku(world)
  local front, url = before(world, world.heroku.url)
  world.env.HEROKU_HOST, world.env.HEROKU_PARTICLEBOARD_URL = url, url
  return front
end

local function before_provider(world, recipe)
  if not recipe.provider then return nil end
  local front, url = before(world, world[recipe.provider].url)
  world.env[recipe.variable] = url
  world:answer_for(("api.%s.com"):format(recipe.provider), (url:match "^%a+://[^/]+"))
  return front
end

-- The providers hand its address out too, and Heroku gets the signed URL: all of it leads through the proxy.
local function before_storage(world)
  local front, url = before(world, world.s3.url)
  world.s3.url, world.env.AWS_ENDPOINT_URL = url, url
  world.vultr.state.storages[1].object.s3_hostname = url:gsub("^http://", "")
  return front
end

-- Apps and pgorch reach the target through it; Heroku's own restore does not.
local function before_target(world)
  local cluster, state = world.target.cluster, world.heroku.state
  local front, config = gate.open(cluster), state.config
  world.parts[#world.parts + 1] = front
  function world.seen_by_apps(url)
    return (url:gsub(("@([^@/]+):%d/"):format(cluster.port), ("@%%1:%d/"):format(front.port), 1))
  end
  function state:config(app)
    local vars = config(self, app)
    for name, value in pairs(vars) do vars[name] = world.seen_by_apps(value) end
    return vars
  end
  return front
end

---Runs fn(world) in a new world for that recipe; `world.proxies` are its gates by what they stand before.
---@param name string           a recipe's
---@param o {scale?: number, sql?: string}
---@param fn fun(world: table): any
function proxied.run(name, o, fn)
  local recipe = recipes[name]
  local options = { source = { scale = o.scale or 0.02, sql = o.sql } }
  for key, value in pairs(recipe.options) do options[key] = value end
  return sandbox.run(options, function(world)
    world.recipe, world.recipe_name = recipe, name
    world.proxies = { heroku = before_heroku(world), provider = before_provider(world, recipe),
      storage = before_storage(world), source = recipe.gate(world), target = before_target(world) }
    return fn(world)
  end)
end

return proxied
