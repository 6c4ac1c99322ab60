-- Not a test: what tests/integration/test_real_stores.lua kills. Starts the store that HOLD_STORE names, writes its
-- processes' ids and its folder to the file HOLD_SAYS, and waits.

local env  = require "pgorch.env"
local fs   = require "pgorch.fs"
local task = require "pgorch.task"

describe("a store", function()
  it("is held", function()
    local store <close> = require("support." .. env.get "HOLD_STORE").start()
    local lines = { store.dir }
    for _, daemon in ipairs(store.daemons) do lines[#lines + 1] = tostring(daemon.pid) end
    local path = env.get "HOLD_SAYS"
    fs.write(path .. ".new", table.concat(lines, "\n"))
    fs.rename(path .. ".new", path)
    task.sleep(60)
  end, { limit = 100 })
end)
