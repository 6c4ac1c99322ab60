-- The window: what is put back when a part of it cannot be.

local fail   = require "pgorch.error"
local window = require "pgorch.steps.window_opens"

local function context(restore)
  local log = {}
  local function note(text) log[#log + 1] = text end
  local app = { scale = function(_, list) note("scale " .. #list) end, maintenance = function(_, on)
    note("maintenance " .. tostring(on)) end }
  return { params = { app = "shop" }, source = { restore_setting = restore }, target = { app = app },
           put_back = function(_, text) note("back: " .. text) end }, log
end

local OLD = { maintenance = false, formation = { { type = "web", quantity = 2 } }, has_setting = false }

describe("closing the window again", function()
  it("starts the app once even when the source cannot be reached, and says that it cannot", function()
    local ctx, log = context(function() fail.raise("PGO-PG-CONNECT", "gone") end)
    for _ = 1, 2 do expect(function() window.undo(ctx, OLD) end).raises("PGO-PG-CONNECT") end
    expect(log).same { "scale 1", "maintenance false", "back: web 0 -> 2, maintenance off" }
  end)

  it("opens the source, then starts the app", function()
    local ctx, log = context(function() end)
    window.undo(ctx, OLD)
    expect(log).same { "back: source writable", "scale 1", "maintenance false", "back: web 0 -> 2, maintenance off" }
  end)

  it("names commands that can be pasted", function()
    local text = window.by_hand(context(), OLD)
    expect(text).has "heroku ps:scale web=2 --app shop"
    expect(text).has [[alter database :"DBNAME" reset default_transaction_read_only]]
  end)
end)
