-- `pgorch new NAME`: what it writes passes its own test under any name, and it never writes over what is there.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

local function pgorch(dir, ...)
  local words = { host.executable(), ... }
  words.check, words.cwd = false, dir
  local done = process.run(words)
  done.all = done.stdout .. done.stderr
  return done
end

local function in_folder(fn)
  return function() fs.with_temporary("pgorch-new-", fn) end
end

describe("pgorch new", function()
  it("writes a recipe under another name, which passes its test", in_folder(function(dir)
    expect(pgorch(dir, "new", "my_cloud").code).is(0)
    local function text(name) return fs.read(("%s/my_cloud/%s"):format(dir, name)) end
    expect(text "my_cloud.lua").has 'summary = "Move a database of My Cloud to Heroku Postgres"'
    expect(text "my_cloud.lua").has 'env = "MY_CLOUD_TOKEN"'
    expect(text "lua/my_cloud.lua").has '"https://api.my-cloud.example/v1"'
    expect(text "standin/my_cloud.lua").has 'host = "api.my-cloud.example"'
    expect(text "README.md").has "`lua/my_cloud.lua`"
    for _, name in ipairs { "my_cloud.lua", "lua/my_cloud.lua", "standin/my_cloud.lua", "my_cloud_test.lua" } do
      expect(text(name):lower()).lacks "acme"
    end
    local done = pgorch(dir .. "/my_cloud", "test", "--only", "moves the data")
    expect(done.stdout).has "ok 1 - my_cloud moves the data and puts the app back to work\n"
    expect(done.code).is(0)
    expect(pgorch(dir .. "/my_cloud", "run", "my_cloud.lua", "--help").stdout).has "--billing-job"
  end), { limit = 200 })

  it("writes into a folder that is there, beside another one's files, and over none", in_folder(function(dir)
    expect(pgorch(dir, "new", "one", "--dir", "recipes/").code).is(0)
    expect(pgorch(dir, "new", "--dir=recipes", "two").code).is(0)
    expect(fs.list(dir .. "/recipes")).same { "README.md", "fixtures", "lua", "one.lua", "one_test.lua", "standin",
      "two.lua", "two.md", "two_test.lua" }
    fs.remove(dir .. "/recipes/two.lua")
    fs.write(dir .. "/recipes/lua/two.lua", "mine")
    local done = pgorch(dir, "new", "two", "--dir", "recipes")
    expect(done.code).is(2)
    expect(done.stderr).has "nothing is written over what is there: recipes/lua/two.lua, recipes/standin/two.lua"
    expect(fs.exists(dir .. "/recipes/two.lua")).is(false)
    expect(fs.read(dir .. "/recipes/lua/two.lua")).is "mine"
  end))

  it("refuses names that would not work", in_folder(function(dir)
    for name, told in pairs { Acme = "is no name", ["a-b"] = "is no name", ["1a"] = "is no name", ["../x"] = "is no",
      ["end"] = "means something else", ["source"] = "means something else", ["postgres"] = "built in",
      ["--what"] = "does not know --what" } do
      local done = pgorch(dir, "new", name)
      expect(name .. " " .. done.code).is(name .. " 2")
      expect(done.stderr).has(told)
    end
    expect(pgorch(dir, "new").stderr).has "no provider is named"
    expect(pgorch(dir, "new", "a", "b").stderr).has "does not know b"
    expect(fs.list(dir)).same {}
  end))
end)
