-- Manifests: CSV, JSON and Lua give the same batch, and every mistake in one is said at once with its place.

local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local json      = require "pgorch.json"
local manifest  = require "pgorch.batch.manifest"
local process   = require "pgorch.process"
local relations = require "pgorch.batch.relations"

local folder

local function write(name, text)
  local path = folder .. "/" .. name
  fs.write(path, text)
  return path
end

local function read(name, text, argv) return manifest.read(write(name, text), argv or { "--yes-cut-over" }) end

local function refusal(name, text, argv)
  local ok, err = pcall(read, name, text, argv)
  if ok then return "it was taken" end
  if not fail.is(err) then error(err, 0) end
  return ("%s: %s\n%s"):format(err.id, err.message, err.detail or "")
end

local function ids(batch)
  local list = {}
  for i, row in ipairs(batch.rows) do list[i] = row.id end
  return table.concat(list, " ")
end

local CSV = "id,recipe,instance,app,priority,labels\n"
  .. "one,vultr,a,app-one,3,x;y\n"
  .. 'two,vultr,b,app-two,,\n'

local LUA = [[
local batch = require "pgorch.batch"
return batch {
  name = "nightly", summary = "two", limits = { jobs = 7, per_account = { heroku = 2 } },
  canary = { first = 1, then_wait = "10m" }, stop_after = { failures = 2 }, yes_cut_over = true,
  params = { prefix = { help = "of the apps", default = "app" }, key = { env = "SOME_KEY", secret = true } },
  rows = function(p)
    require("pgorch.task").sleep(0.01)
    return { { id = "one", recipe = "vultr", instance = "a", app = p.prefix .. "-one", priority = 3,
               labels = { "x", "y" } },
             { id = "two", recipe = "vultr", instance = "b", app = p.prefix .. "-two" } }
  end,
}
]]

local function fixture()
  before(function() folder = fs.mkdtemp "pgorch-manifest-" end)
  after(function() fs.remove_tree(folder) end)
end

describe("a manifest", function()
  fixture()

  it("is CSV, JSON or Lua, and means the same", function()
    local csv = read("nightly.csv", CSV)
    local rows = '[{"id":"one","recipe":"vultr","instance":"a","app":"app-one","priority":3,"labels":["x","y"]},'
      .. '{"id":"two","recipe":"vultr","instance":"b","app":"app-two"}]'
    local list = read("nightly.json", rows)
    local object = read("other.json", ('{"name":"nightly","yes_cut_over":true,"rows":%s}'):format(rows), {})
    local lua = read("x.lua", LUA, {})
    for _, batch in ipairs { csv, list, object, lua } do
      expect(batch.name).is "nightly"
      expect(ids(batch)).is "one two"
      expect(batch.rows[1].params).same(csv.rows[1].params)
      expect(batch.rows[1].labels).same { "x", "y" }
      expect(batch.rows[1].priority).is(3)
      expect(batch.rows[2].params.values.app).is "app-two"
      expect(batch.options.yes_cut_over).is(true)
    end
  end)

  it("has options, which flags are over", function()
    local lua = read("x.lua", LUA, { "--jobs", "3", "--prefix", "shop", "--opens", "22:00" })
    expect(lua.options.limits).same { jobs = 3, per_account = { heroku = 2 } }
    expect(lua.options.canary).same { first = 1, then_wait = 600 }
    expect(lua.options.window).same { opens = "22:00" }
    expect(lua.options.attempts).is(3)
    expect(lua.rows[1].params.values.app).is "shop-one"
    local csv, flags = read("a.csv", CSV, { "--yes-cut-over", "--canary", "1", "--stop-after=2", "--skip-refused",
      "--name", "b", "--json" })
    expect(csv.name).is "b"
    expect(csv.options.canary).same { first = 1, then_wait = "approve" }
    expect(csv.options.stop_after).same { failures = 2 }
    expect(csv.options.on_refused).is "skip"
    expect(flags.json).is(true)
  end)

  it("tells all mistakes at once with their places, a common one once", function()
    local said = refusal("m.csv", "id,recipe,instance,app,color,app\n"
      .. "one,vultr,a,app-one,red,\ntwo,vultr,a,app-two,red,\n"
      .. "two,vulrt,b,,,,,\nthree,vultr,c,app-one,red,\nfour,vultr,d,app-four,red,\n")
    expect(said).has "PGO-BATCH: "
    expect(said).has "m.csv, line 1: column app is there twice"
    expect(said).has "m.csv, line 2, 3, 5 and 1 more: color: recipe vultr has no such parameter"
    expect(said).has "m.csv, line 4: 8 cells, but 6 columns have names"
    expect(said).has "m.csv, line 4: recipe: there is no recipe vulrt, did you mean vultr?"
    expect(said).has "m.csv, line 4: the id two is taken by m.csv, line 3"
  end)

  it("refuses two rows for one database, on either side", function()
    local said = refusal("m.csv", "id,recipe,instance,dbname,app,as\n"
      .. "one,vultr,a,x,app-one,\ntwo,vultr,a,y,app-one,DATABASE\nthree,vultr,a,x,app-three,\n"
      .. "four,vultr,a,z,app-one,OTHER\n")
    expect(said).has "line 3: two would be moved into DATABASE of app app-one, as one is"
    expect(said).has "line 4: three moves the same database as one"
    expect(said).lacks "line 5"
  end)

  it("refuses what waits for itself, for nothing, or in a circle of groups", function()
    local head = "id,recipe,instance,app,group,depends_on\n"
    local function said(...)
      local lines = { head }
      for i, each in ipairs { ... } do
        lines[#lines + 1] = ("%s,vultr,i%d,app-%d,%s\n"):format(each[1], i, i, each[2])
      end
      return refusal("m.csv", table.concat(lines))
    end
    expect(said { "a", ",zz" }).has "depends_on: there is no row zz"
    expect(said { "a", ",a" }).has "a row cannot wait for itself"
    expect(said({ "a", "g," }, { "b", "g,a" })).has "b and a are of one group"
    expect(said({ "a", "g,c" }, { "b", "g," }, { "c", ",b" })).matches "in a circle: .*group g"
    expect(said({ "a", ",b" }, { "b", ",c" }, { "c", "," })).is "it was taken"
  end)

  it("warns of a group that is larger than what may be at work", function()
    local batch = read("m.csv", "id,recipe,instance,app,group\na,vultr,i1,app-1,g\nb,vultr,i2,app-2,g\n",
      { "--gates", "ask", "--jobs", "1" })
    expect(relations.warnings(batch.rows, batch.options)[1]).has "group g has 2 rows, which is more than 1"
    batch.options.limits.jobs = 2
    expect(relations.warnings(batch.rows, batch.options)).same {}
  end)

  it("asks what becomes of the gates", function()
    expect(refusal("m.csv", CSV, {})).has "say yes_cut_over (--yes-cut-over) for the batch, or gates"
    expect(#read("m.csv", CSV, { "--gates", "ask" }).rows).is(2)
    expect(refusal("m.csv", CSV, { "--gates", "maybe" })).has "gates: ask"
  end)

  it("is refused by its shape", function()
    expect(refusal("m.csv", 'id\n"x')).has "m.csv: line 2, cell 1: the quote"
    expect(refusal("m.csv", "id,recipe\n")).has "m.csv: there are no rows"
    expect(refusal("m.json", '{"rows":[1,{"id":"x"}],"windows":{}}')).has "field `windows`, did you mean `window`?"
    expect(refusal("m.json", "{")).has "PGO-BATCH: m.json: "
    expect(refusal("m.txt", "x")).has "a manifest is a .csv, .json or .lua file"
    expect(refusal("my batch.csv", CSV)).has "`my batch` cannot be the name of a batch"
    expect(refusal("m.csv", CSV, { "--jbos", "2" })).has "did you mean --jobs?"
    expect(refusal("m.json", '{"rows":[{"id":"x"}],"limits":{"job":1},"canary":{"first":0}}')).matches(
      "canary.first: a whole number.*limits: there is no job, did you mean jobs")
    expect(refusal("m.lua", 'return require "pgorch.batch" { nmae = "x", rows = {} }')).has "did you mean `name`?"
    expect(refusal("m.lua", "return 1")).has "returns no batch { ... }"
    expect(refusal("m.lua", 'return require "pgorch.batch" { rows = function() error "no such luck" end }')).has
      "m.lua:1: no such luck"
  end)

  it("in Lua: its secrets are there for rows(), and must not stand in a row", function()
    local text = LUA:gsub("app = p.prefix .. \"%-one\"", "app = p.key")
    local done = process.run { host.executable(), "batch", "rows", write("x.lua", text), check = false,
      env = { SOME_KEY = "hunter2-hunter2" } }
    expect(done.code).is(0)
    local said = json.decode(done.stdout)
    expect(said.error.message).is "x.lua, row 1: app is a secret: a secret is given by where it is, as app_env"
    expect(done.stdout .. done.stderr).lacks "hunter2"
  end)

  it("in Lua: has its own parameters beside the flags of pgorch", function()
    expect(refusal("x.lua", LUA, { "--prefx", "y" })).has "did you mean --prefix?"
    expect(refusal("x.lua", LUA, { "--key", "y" })).has "--key: a secret is never given on the command line"
  end)

  it("names its batch without making its rows", function()
    local path = write("x.lua", (LUA:gsub("require%(\"pgorch.task\"%)", "error 'rows were made'")))
    expect(manifest.name_of(path)).is "nightly"
    expect(manifest.name_of(write("y.csv", CSV))).is "y"
    expect(manifest.name_of(write("z.json", '{"name":"q","rows":[]}'))).is "q"
  end)
end)
