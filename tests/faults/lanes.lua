-- Lanes for moves by any recipe: each is a database of the world's source cluster, and an instance of that recipe's
-- provider which stands for it, with an allow list that does not have this machine. Goes with support.moves.

local clock     = require "pgorch.clock"
local digitalocean = require "pgorch.sandbox.digitalocean.databases"
local linode    = require "pgorch.sandbox.linode.instances"
local vultr     = require "pgorch.sandbox.vultr.instances"

local lanes = {}

---The recipes that can be put to the test, in the order of their names.
lanes.RECIPES = { "digitalocean", "linode", "postgres", "vultr" }

---What is killed: the recipes, and a move without a dump. `heroku` is one more, by --recipe.
lanes.KILLED = { "digitalocean", "direct", "linode", "postgres", "vultr" }

---Of the sandbox: a little data, and as many requests as hundreds of processes make.
lanes.OPTIONS = { source = { scale = 0.01 }, heroku = { budget = 1000000 }, vultr = { rate = 100000 },
  linode = { rates = { general = 1000000, collections = 1000000 } }, digitalocean = { rate = 1000000 } }

local STRANGERS = { "198.51.100.7/32" }

---@class pgorch.tests.Lane
---@field world table
---@field recipe string
---@field dbname string
---@field url string          as the app has it
---@field direct string       past the gate, as the provider's admin
---@field words string[]      of `pgorch run`
---@field way pgorch.Way      that the data takes
---@field close fun(self)     the allow list is again as it was before the move
---@field allowed fun(self): string[]
---@field keys fun(self): table[]     storage keys of the account
local Lane = {}
Lane.__index = Lane

Lane.way = "archive"
function Lane.close() end
function Lane.allowed() return {} end
function Lane.keys() return {} end

local function with_dbname(url, dbname, port)
  url = url:gsub("/defaultdb%?", "/" .. dbname .. "?")
  return port and url:gsub("@([^@/:]+):%d+/", "@%1:" .. port .. "/") or url
end

local add = {}

function add.vultr(lane)
  local entry = lane.world.vultr:add_database { label = lane.dbname, dbname = lane.dbname, trusted_ips = STRANGERS,
    configuring_polls = 0 }
  lane.url = with_dbname(lane.world.source.url, lane.dbname, entry.object.port)
  lane.words = { "vultr", "--instance", lane.dbname }
  function lane.allowed() return entry.object.trusted_ips end
  function lane.close()
    vultr.trust(entry, STRANGERS)
    entry.server:settle()
  end
end

function add.linode(lane)
  local entry = lane.world.linode:add_database { label = lane.dbname, dbs = { lane.dbname }, allow_list = STRANGERS,
    updating_polls = 0 }
  lane.url = lane.world.linode:database_url(entry, lane.dbname)
  lane.words = { "linode", "--instance", lane.dbname, "--dbname", lane.dbname }
  function lane.allowed() return entry.object.allow_list end
  function lane.keys() return lane.world.linode.state.keys end
  function lane.close()
    linode.allow(entry, STRANGERS)
    entry.server:settle()
  end
end

function add.digitalocean(lane)
  local entry = lane.world.digitalocean:add_database { name = lane.dbname, dbs = { lane.dbname },
    trusted = { "198.51.100.7" } }
  entry.object.connection.database = lane.dbname
  lane.url = lane.world.digitalocean:database_url(entry)
  lane.words = { "digitalocean", "--instance", lane.dbname }
  local request = { json = { rules = { entry.rules[1] } }, captures = { entry.object.id } }
  function lane.allowed()
    local found = {}
    for i, rule in ipairs(entry.rules) do found[i] = rule.value end
    return found
  end
  function lane.close()
    digitalocean.set_firewall(lane.world.digitalocean.state, request)
    entry.server:settle()
    entry.backups[1] = clock.time() - 3600
  end
end

function add.postgres(lane)
  lane.url = with_dbname(lane.world.source.url, lane.dbname)
  lane.words = { "postgres" }
  lane.env = { SOURCE_DATABASE_URL = lane.url }
end

-- By the recipe for any source, without object storage.
for _, way in ipairs { "direct", "heroku" } do
  add[way] = function(lane)
    add.postgres(lane)
    lane.way, lane.words = way, { "postgres", "--via", way }
  end
end

---One more lane in a world.
---@param world table
---@param recipe string
---@return pgorch.tests.Lane
function lanes.add(world, recipe)
  world.lanes = (world.lanes or 0) + 1
  local lane = setmetatable({ world = world, recipe = recipe, dbname = "lane" .. world.lanes }, Lane)
  local source = world.source
  local conn <close> = source.cluster:connect()
  conn:exec(("create database %s template %s owner %s"):format(lane.dbname, source.dbname, source.user))
  lane.direct = with_dbname(source.direct_url, lane.dbname)
  add[recipe](lane)
  return lane
end

return lanes
