-- What differs between the recipes when they are put to the test: how the sandbox's provider is set up, what the move
-- is called with, where the source's gate is, and what is on the allow list. Data and small readers; starts nothing.

local OTHERS = { "198.51.100.7/32" }                  -- an allow list that lets this machine not in

local function linode(world) return world.linode.state.databases[1] end
local function digitalocean(world) return world.digitalocean.state.databases[1] end

local function rules(world)
  local found = {}
  for i, rule in ipairs(digitalocean(world).rules) do found[i] = rule.value end
  return found
end

---@class pgorch.faults.Recipe
---@field provider string|nil     its stand-in, and the variable by which pgorch finds it
---@field variable string|nil
---@field options table           of the sandbox
---@field words string[]          of the command line
---@field source_url fun(world: table): string   as the app has it
---@field gate fun(world: table): table          before the source
---@field allowed fun(world: table): string[]
---@field account fun(world: table): table       whose buckets are used
return {
  vultr = {
    provider = "vultr", variable = "VULTR_API_URL", options = { vultr = { trusted_ips = OTHERS } },
    words = { "--instance", "demo" },
    source_url = function(world) return world.source.url end,
    gate = function(world) return world.source.gate end,
    allowed = function(world) return world.vultr.state.databases[1].object.trusted_ips end,
    account = function(world) return world.vultr.state.storages[1].account end,
  },
  linode = {
    provider = "linode", variable = "LINODE_API_URL", options = { linode = { allow_list = OTHERS } },
    words = { "--instance", "demo" },
    source_url = function(world) return world.linode:database_url(linode(world)) end,
    gate = function(world) return linode(world).server.gate end,
    allowed = function(world) return linode(world).object.allow_list end,
    account = function(world) return world.linode.state.account end,
    keys = function(world) return world.linode.state.keys end,
  },
  digitalocean = {
    provider = "digitalocean", variable = "DIGITALOCEAN_API_URL",
    options = { digitalocean = { trusted = { "198.51.100.7" } } }, words = { "--instance", "demo" },
    source_url = function(world) return world.digitalocean:database_url(digitalocean(world)) end,
    gate = function(world) return digitalocean(world).server.gate end,
    allowed = rules, account = function(world) return world.s3.account end,
  },
  postgres = {
    options = {}, words = {},
    source_url = function(world) return world.source.url end,
    gate = function(world) return world.source.gate end,
    allowed = function() return {} end,
    account = function(world) return world.s3.account end,
  },
}
