-- The recipe for any postgres:// source and any S3 storage: run as it is, and with the steps that Vultr's has.

local certificates = require "support.certificates"
local fs           = require "pgorch.fs"
local load         = require "pgorch.recipe.load"
local shape        = require "pgorch.recipe.shape"

local run = require "support.provider_run"("postgres", { "--bucket", "dumps-of-ours" })

-- A step's options as text, to compare.
local function configured(name)
  local found = {}
  for _, item in ipairs(load.load(name).steps) do
    for _, each in ipairs(item.lists and { table.unpack(item.lists[1]) } or { item }) do
      local options = {}
      for key, value in pairs(each.options or {}) do options[#options + 1] = key .. "=" .. tostring(value) end
      table.sort(options)
      found[#found + 1] = ("%s %s {%s}"):format(each.kind, each.id or each.title, table.concat(options, ","))
    end
  end
  return table.concat(found, "\n")
end

describe("recipes/postgres.lua", function()
  it("has the steps of recipes/vultr.lua, in the same order, under the same headings", function()
    expect(configured "postgres").is(configured "vultr")
    expect(shape.ids(load.load("postgres").steps)).same(shape.ids(load.load("vultr").steps))
  end)

  it("moves what a URL names, through any storage, and verifies with the CA that it is given",
    run.with_world({ source = { scale = 0.02 } }, function(world)
      local function says(status, arguments, text, more)
        local done = run.run(world, arguments, more)
        run.expect_exit(done, status)
        expect(done.all).has(text)
      end
      says(2, {}, "--source is missing", { SOURCE_DATABASE_URL = false })
      says(2, { "--source", world.source.url }, "--source-env")
      says(4, { "--endpoint-url", "http://127.0.0.1:1" }, "PGO-NET")
      says(4, { "--source-ca", world.dir .. "/nothing" }, "is no file with a PEM certificate")
      fs.with_temporary("pgorch-ca-", function(dir)
        says(4, { "--source-ca", certificates.authority(dir, "theirs").dir .. "/ca.pem" }, "certificate verify failed")
      end)
      run.expect_app_as_before(world)
      says(0, { "--source-ca", world.tls.ca_file }, "EQUAL")
      run.expect_moved(world)
      expect(run.objects(world, world.s3.account)).same {}
    end), { limit = 250 })
end)
