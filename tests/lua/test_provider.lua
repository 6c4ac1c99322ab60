-- A provider module of a recipe's author: its shape is checked, and what it leaves out has a default.

local provider = require "pgorch.provider"
local secret   = require "pgorch.secret"

local function acme(change)
  local shape = { id = 7, label = "shop", host = "db.acme.example", port = 5433, user = "admin",
                  password = provider.secret "p-of-the-test", dbnames = { "shop" }, major = 16,
                  backup = { latest = "2026-11-20T10:00:00Z" } }
  for name, value in pairs(change or {}) do shape[name] = value end
  return provider {
    name = "acme",
    client = function() return { list = { "198.51.100.7/32" } } end,
    database = function() return shape end,
    allow_list = {
      get = function(api) return api.list end,
      add = function(api, id, cidr) api.list[#api.list + 1] = id .. " " .. cidr end,
      remove = function(api) api.list[#api.list] = nil end,
    },
  }
end

describe("provider", function()
  it("gives a source, its allow list bound to the instance", function()
    local module = acme()
    local api = module.client {}
    local source = module.database(api, 7, "shop")
    expect(source:name()).is "shop/shop"
    expect(secret.is(source.password)).is(true)
    expect(source.empty_allow_list).is "closed"
    expect(source.latest_backup()).is(1795168800)
    source.allow_list.add "203.0.113.9/32"
    expect(source.allow_list.get()).same { "198.51.100.7/32", "7 203.0.113.9/32" }
  end)

  it("names what is wrong with it", function()
    local function raised(change)
      return expect(function() acme(change).database({}, 7) end):raises "PGO-RECIPE".message
    end
    expect(raised { port = "5433" }).has "database.port is a string"
    expect(raised { port = 70000 }).has "port 70000"
    expect(raised { ca_pem = "not a certificate" }).has "ca_pem"
    expect(function() provider { name = "x" } end):raises "PGO-RECIPE"
  end)
end)
