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
    expect(raised { prot = 5432 }).has "did you mean port?"
    expect(raised { host = false }).has "database.host is a boolean"
  end)

  it("is checked as a whole when it is made", function()
    local function raised(change)
      local spec = { name = "x", client = function() end, database = function() end }
      for name, value in pairs(change) do spec[name] = value or nil end
      return expect(function() provider(spec) end):raises "PGO-RECIPE".message
    end
    expect(raised { client = false }).has "spec.client is missing"
    expect(raised { destory = function() end }).has "did you mean destroy?"
    expect(raised { pools = {} }).has "spec.pools is a table, a function is needed"
    expect(raised { allow_list = { get = function() end, add = function() end } }).has "add and remove, or put"
    expect(raised { allow_list = { get = "list" } }).has "allow_list.get is no function"
    expect(raised { empty_allow_list = "shut" }).has "open"
  end)

  it("binds to the instance what else its API can do", function()
    local done = {}
    local module = provider { name = "x", client = function() return { name = "api" } end,
      database = function(_, id) return { id = id, host = "h.example", port = 5432, user = "u" } end,
      list = function() return { "a", { id = "b" } } end,
      destroy = function(api, id) done[#done + 1] = api.name .. " " .. id end,
      pools = function(_, id) return { { name = "pool-of-" .. id, database = "d" } } end,
      console_bytes = function() return 7 end, latest_backup = function() return "2026-11-20T10:00:00Z" end }
    local sources = module.databases(module.client())
    expect(#sources).is(2)
    sources[2].destroy()
    expect(done).same { "api b" }
    expect(sources[1].pools()[1].name).is "pool-of-a"
    expect({ sources[1].console_bytes(), sources[1].latest_backup() }).same { 7, 1795168800 }
    expect(acme().database({}, 7).destroy).is_nil()
  end)
end)
