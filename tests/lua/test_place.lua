-- Errors of a recipe's own code are told with their file, their line and their step, wherever in a step they are raised
-- and whether Lua raises them or the library does.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

-- Nobody listens on port 9: what the library raises there is told with the line that asked.
local MODULE = [[
local http = require "pgorch.http"
local api = {}
function api.ask()
  http.request { url = "http://127.0.0.1:9/jobs" }
end
return api
]]

local RECIPE = [[
local recipe = require "pgorch.recipe"
local api = require "api"
local function act(ctx, where)
  if ctx.params.at ~= where then return end
  if ctx.params.how == "lua" then return ctx.params.nothing.there end
  api.ask()
end
return recipe { name = "places", summary = "Fails where it is asked to", params = { at = {}, how = {} }, steps = {
  recipe.step { id = "first", effect = "write",
    only_if = function(ctx)
      act(ctx, "only_if")
      return true
    end,
    plan = function(ctx)
      act(ctx, "plan")
      return "+ nothing"
    end,
    run = function(ctx) act(ctx, "run") return {} end,
    undo = function(ctx)
      act(ctx, "undo")
    end },
  recipe.step { id = "second", effect = "write", undo = false,
    each = function(ctx)
      act(ctx, "each")
      return { { key = "x" } }
    end,
    run = function(ctx)
      act(ctx, "item")
      if ctx.params.at == "undo" then recipe.gate "" end
    end },
} }
]]

local function inside(fn)
  return function()
    fs.with_temporary("pgorch-place-", function(dir)
      fs.mkdir(dir .. "/lua")
      fs.write(dir .. "/r.lua", RECIPE)
      fs.write(dir .. "/lua/api.lua", MODULE)
      fn(dir)
    end)
  end
end

local function told(dir, word, at, how)
  local done = process.run { host.executable(), word, dir .. "/r.lua", "--at", at, "--how", how, check = false,
    env = { PGORCH_STATE = "sqlite:" .. dir .. "/state.db", NO_COLOR = "1" } }
  return (done.stderr .. done.stdout):gsub(dir:gsub("%p", "%%%0") .. "/", "")
end

-- Line of the recipe, by where it fails.
local LINES = { only_if = 11, plan = 15, run = 18, undo = 20, each = 24, item = 28 }
local STEPS = { each = "second", item = "second[x]" }

local function word_for(at) return at == "plan" and "plan" or "run" end

describe("an error in a recipe", function()
  it("of Lua is told with file, line and step", inside(function(dir)
    for _, at in ipairs { "only_if", "plan", "run", "each", "item" } do
      local text = told(dir, word_for(at), at, "lua")
      expect(text).has "r.lua:5: attempt to index a nil value (field 'nothing')"
      expect(text).has("step " .. (STEPS[at] or "first") .. ": PGO-LUA")
      expect(text).lacks "pgorch/runner"
    end
  end))

  it("of the library, too, and with who called it", inside(function(dir)
    for at, line in pairs(LINES) do
      local text = told(dir, word_for(at), at, "net")
      expect(text).has "PGO-NET"
      expect(text).has(("at: lua/api.lua:4, called by r.lua:6, called by r.lua:%d\n"):format(line))
    end
  end))
end)
