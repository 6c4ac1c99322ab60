-- The recipe in the README is a recipe: it is cut out and run, word for word.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"

describe("the README's recipe", function()
  it("moves the sandbox's database", function()
    local source = fs.read("README.md"):match "```lua\n(.-)```"
    sandbox.run({ source = { scale = 0.05 } }, function(world)
      fs.write(world.dir .. "/ours.lua", source)
      local environment = sandbox.environment(world)
      environment.PGORCH_POLL_SCALE = "0.05"
      local done = process.run { host.executable(), "run", world.dir .. "/ours.lua", "--app", "demo-app",
        "--yes-cut-over", env = environment, env_clear = true, check = false }
      expect(done.stderr .. done.stdout).has "Verified, source = target"
      expect(done.code).is(0)
      expect(done.stderr).has "Rebuild the largest table's indexes"
    end)
  end)
end)
