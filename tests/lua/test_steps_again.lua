-- Steps that run again after their result fell, or that are looked at by a resumed run: what must hold of the app and
-- the add-on. In memory: what is asked is counted.

local addon = require "pgorch.steps.addon"
local app   = require "pgorch.steps.app"

describe("the app", function()
  local function run(recall, is_there)
    local made = 0
    local it_is = { info = function() return is_there and { id = "1" } or nil end, create = function()
      made = made + 1
      return { id = "2" }
    end }
    local ctx = { params = { app = "shop" }, target = { app = it_is }, recall = recall,
      remember = function() end, hold = function() return 0 end,
      in_turn = function(_, _, fn) return fn() end }
    return app.run(ctx), made
  end

  it("is ours when an attempt that was killed had asked for it, or when we make it", function()
    expect((run({ name = "shop" }, true)).created).is(true)
    local result, made = run(nil, false)
    expect(result.created).is(true)
    expect(made).is(1)
  end)

  it("that was there before stays somebody else's, however often it is looked at", function()
    local first = run(nil, true)
    expect(first.created).is(false)
    expect((run(first, true)).created).is(false)
  end)
end)

describe("the add-on", function()
  it("is gone only when two look-ups say so", function()
    local surely = 0
    local target = { is_ours = function() return true end, app = { addon_surely = function()
      surely = surely + 1
      return { state = "provisioned" }
    end } }
    local ctx = { target = target }
    expect(addon.check(ctx, { name = "pgorch-shop" })).is(true)
    expect(surely).is(1)
  end)
end)
