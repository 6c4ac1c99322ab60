-- Steps that are looked at without a run: what reads may run, what writes may not, and nothing is kept.

local inspection = require "pgorch.runner.inspection"
local recipe     = require "pgorch.recipe"

local made = 0

local function looked_at()
  return inspection.new { params = { app = "shop" }, recipe = recipe {
    name = "test", summary = "nothing", params = { app = { help = "the app" } },
    uses = { source = function(p)
      made = made + 1
      return { label = p.app }
    end },
    steps = {
      recipe.step { id = "first", effect = "read", run = function(ctx)
        ctx:note("saw " .. ctx.source.label)
        ctx:warn "odd"
        ctx:remember { a = 1 }
        return { bytes = 7 }
      end },
      recipe.step { id = "second", effect = "read", run = function(ctx) return ctx.result.first.bytes + 1 end },
      recipe.step { id = "skipped", effect = "read", only_if = function() return false end,
                    run = function() error "ran" end },
      recipe.step { id = "writes", effect = "write", undo = false, run = function() error "ran" end },
      recipe.step { id = "keeps", effect = "read", run = function(ctx) ctx:keep("conn", {}) end },
    },
  } }
end

describe("an inspection", function()
  it("runs steps that read: they see results, live things, and what they say is kept", function()
    local seen = looked_at()
    expect(seen:look "first").same { bytes = 7 }
    expect(seen:look "second").is(8)
    expect(seen:look "skipped").is_nil()
    expect(seen:look "nothing of that name").is_nil()
    expect(seen.said).same { { kind = "note", id = "first", text = "saw shop" },
                             { kind = "warn", id = "first", text = "odd" } }
    expect(seen:context().source.label).is "shop"
    expect(made).is(1)
  end)

  it("refuses a step that writes, and one that keeps something open", function()
    expect(function() looked_at():look "writes" end):raises "PGO-RECIPE"
    expect(function() looked_at():look "keeps" end):raises "PGO-RECIPE"
  end)
end)
