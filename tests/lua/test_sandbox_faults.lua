-- Faults at large: every place is documented under its name, and a file is counted down as it says.

local faults = require "pgorch.sandbox.faults"
local fs = require "pgorch.fs"
local json = require "pgorch.json"
local s3 = require "pgorch.sandbox.s3"
local vultr = require "pgorch.sandbox.vultr"

describe("the list of faults", function()
  it("names every operation of the stand-ins", function()
    local unknown = {}
    local function check(name)
      if not faults.names[name] then unknown[#unknown + 1] = name end
    end
    for _, name in ipairs(s3.operations()) do check(name) end
    for _, name in ipairs(vultr.operations()) do check(name) end
    for _, module in ipairs { "apps", "addons", "attachments", "data", "transfers" } do
      for _, row in ipairs(require("pgorch.sandbox.heroku." .. module).routes) do check("heroku." .. row[3]) end
    end
    expect(unknown).same {}
  end)
end)

describe("a fault file", function()
  local function with_world(fn)
    return function()
      fs.with_temporary("pgorch-faults-", function(dir) fn({ dir = dir }, dir .. "/faults/") end)
    end
  end

  it("is counted down and removed", with_world(function(world, folder)
    faults.put(world, "s3.put_part", { answer = 503, times = 2, skip = 1 })
    expect(faults.at(world, "s3.put_object")).is_nil()
    expect(faults.at(world, "s3.put_part")).is_nil()
    expect(faults.at(world, "s3.put_part").answer).is(503)
    expect(json.decode(fs.read(folder .. "s3.put_part")).times).is(1)
    expect(faults.at(world, "s3.put_part").answer).is(503)
    expect(fs.exists(folder .. "s3.put_part")).is(false)
    expect(faults.at(world, "s3.put_part")).is_nil()
  end))

  it("stays when it is for always, and a name of its own goes before `any`", with_world(function(world)
    faults.put(world, "s3.any", { answer = 500, times = "always" })
    faults.put(world, "s3.put_part", { answer = 503 })
    expect(faults.at(world, "s3.put_part").answer).is(503)
    for _ = 1, 3 do expect(faults.at(world, "s3.put_part").answer).is(500) end
  end))

  it("that is half written or no JSON does nothing", with_world(function(world, folder)
    fs.mkdir(folder)
    fs.write(folder .. "s3.put_part", "")
    expect(faults.at(world, "s3.put_part")).is_nil()
    expect(fs.exists(folder .. "s3.put_part")).is(true)
  end))

  it("is refused for a place that does not exist", with_world(function(world)
    expect(function() faults.put(world, "s3.put_prat", { answer = 503 }) end).raises "PGO-INVALID"
    faults.put(world, "acme.jobs", { answer = 503 })
  end))
end)
