-- The program as a file on disk: what it loads does not depend on where somebody stands.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

describe("the program", function()
  it("loads no library from the folder in which it is started", function()
    fs.with_temporary("pgorch-planted-", function(dir)
      for _, name in ipairs { "libuv.so.1", "libpq.so.5", "libcurl.so.4", "libpgorch.so.0" } do
        fs.write(dir .. "/" .. name, "no library")
      end
      local done = process.run { host.executable(), "version", cwd = dir, check = false }
      expect(done.stderr).is ""
      expect(done.code).is(0)
    end)
  end)
end)
