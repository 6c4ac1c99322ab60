-- What may have changed before a run goes on: the recipe's text, a parameter, pgorch itself. What must hold: it is
-- refused with the difference, --accept-changes records it, and what is no difference is not asked about.

local fs    = require "pgorch.fs"
local host  = require "pgorch.native.host"
local marks = require "support.marks"

local it_with = function(fn)
  return function()
    local m <close> = marks.new()
    fn(m)
  end
end

local RECIPE = [[local recipe, helper = require "pgorch.recipe", require "helper"
  return recipe { name = "%s", summary = "steps", params = { key = { secret = true, required = true } },
    steps = { %s } }]]

local function step(id, fields)
  return ('recipe.step { id = "%s", effect = "read", run = function(ctx) %s end }'):format(id, fields or "")
end

local function write(m, steps, o)
  fs.mkdir(m.folder .. "/lua", { parents = true })
  fs.write(m.folder .. "/own.lua", RECIPE:format(o and o.name or "own", table.concat(steps, ", ")))
  fs.write(m.folder .. "/lua/helper.lua", o and o.helper or "return 1")
  return m.folder .. "/own.lua"
end

local STOPPED = { step "a", step "b", step "c", step "d" }

-- A run that is stopped after its first step.
local function stopped(m)
  fs.write(m.folder .. "/key", "a secret value")
  local path = write(m, STOPPED)
  expect(m:pgorch("run", path, "--run-id", "r1", "--until", "a", "--key-file", m.folder .. "/key").code).is(0)
  return path
end

local function refused(m, ...)
  local r = m:pgorch(...)
  expect(r.code).is(2)
  expect(r.stderr).has "PGO-CHANGED"
  expect(r.stderr).has "add --accept-changes"
  return r.stderr
end

describe("a recipe that changed", function()
  it("is refused by resume, rollback and cleanup, with its files and steps that differ", it_with(function(m)
    stopped(m)
    write(m, { step "b", step "a", step "new", step "d" }, { helper = "return 2" })
    for _, command in ipairs { "resume", "rollback", "cleanup" } do
      local said = refused(m, command, "r1")
      expect(said).has "its text changed"
      expect(said).has "file own.lua changed"
      expect(said).has "file lua/helper.lua changed"
      expect(said).has "steps added: new"
      expect(said).has "steps removed: c"
      expect(said).matches "steps moved: [ab]\n"
    end
  end))

  it("is recorded when it is accepted, and not asked about again", it_with(function(m)
    stopped(m)
    write(m, { step "a", step "b", step("c", "error 'stop here'") })
    expect(m:pgorch("resume", "r1", "--accept-changes", "--on-failure", "keep").code).is(8)
    local changed
    for _, event in ipairs(m:status().events) do
      if event.kind == "changed" then changed = table.concat(event.data.differences, "\n") end
    end
    expect(changed).has "steps removed: d"
    expect(m:pgorch("resume", "r1").code).is(8)
    write(m, { step "a", step "b", step "c" })
    expect(refused(m, "resume", "r1")).lacks "steps removed: d"
    expect(m:pgorch("resume", "r1", "--accept-changes").code).is(0)
  end))

  it("is a clear error when its file is gone", it_with(function(m)
    local path = stopped(m)
    fs.rename(path, path .. ".gone")
    for _, command in ipairs { "resume", "rollback", "cleanup" } do
      local r = m:pgorch(command, "r1")
      expect(r.code).is(2)
      expect(r.stderr).has("the recipe of run r1 is gone: there is no file " .. path)
      expect(r.stderr).has "Put it back there"
    end
    expect(m:pgorch("cancel", "r1").stdout).has "what stands cannot be told"
    expect(m:pgorch("status", "r1").code).is(0)
    fs.rename(path .. ".gone", path)
    expect(m:pgorch("resume", "r1").code).is(0)
  end))
end)

describe("another pgorch", function()
  local function version(m, text)
    m:record(function(record)
      local versions = record:run("r1").versions
      versions.pgorch = text
      record:update_run("r1", { versions = versions })
    end)
  end

  it("of another minor version is refused until it is accepted; a patch is not asked about", it_with(function(m)
    stopped(m)
    local major, minor = host.version:match "^(%d+)%.(%d+)"
    version(m, ("%d.%d.77"):format(major, minor))
    expect(m:pgorch("resume", "r1", "--until", "b").code).is(0)
    expect(m:record(function(record) return record:run("r1").versions.pgorch end)).is(host.version)
    local other = ("%d.%d.0"):format(major, minor + 1)
    version(m, other)
    expect(refused(m, "resume", "r1")).has(("pgorch: version %s, was %s"):format(host.version, other))
    expect(m:pgorch("resume", "r1", "--accept-changes").code).is(0)
    expect(m:record(function(record) return record:run("r1").versions.pgorch end)).is(host.version)
  end))
end)

describe("a secret", function()
  it("may come from another place", it_with(function(m)
    stopped(m)
    fs.rename(m.folder .. "/key", m.folder .. "/elsewhere")
    expect(m:pgorch("resume", "r1", "--key-file", m.folder .. "/elsewhere").code).is(0)
  end))
end)

describe("pgorch run with the id of a run that exists", function()
  it("goes on with it; once it is done, says so", it_with(function(m)
    expect(m:run("--fail", "two", "--error", "PGO-NET", "--yes-cut-over").code).is(6)
    fs.write(m.log .. ".mended", "")
    local r = m:run("--fail", "two", "--error", "PGO-NET")
    expect(r.code).is(0)
    expect(r.stderr).has "resuming r1: 1 steps done"
    expect(m:count "do one").is(1)
    local again = m:run("--fail", "two", "--error", "PGO-NET")
    expect(again.code).is(0)
    expect(again.stderr).has "run r1 is done"
    expect(m:count "do one").is(1)
    expect(#m:runs()).is(1)
  end))

  it("refuses other parameters, those that are left out included, and another recipe", it_with(function(m)
    expect(m:run("--fail", "two", "--error", "PGO-NET").code).is(6)
    local said = refused(m, "run", marks.RECIPE, "--log", m.log, "--run-id", "r1", "--app", "shop", "--error",
      "PGO-NET")
    expect(said).has "--fail: not set, was two"
    expect(said).has "--app: shop, was not set"
    expect(said).lacks "--error"
    fs.write(m.folder .. "/key", "a secret value")
    said = refused(m, "run", write(m, STOPPED), "--run-id", "r1", "--key-file", m.folder .. "/key")
    expect(said).has "recipe: own, was marks"
    fs.write(m.log .. ".mended", "")
    expect(m:run("--fail", "two", "--error", "PGO-NET", "--yes-cut-over").code).is(0)
    expect(refused(m, "run", marks.RECIPE, "--log", m.log, "--run-id", "r1")).has "--fail: not set, was two"
  end))

  it("begins a new one where the id is only the beginning of another's", it_with(function(m)
    expect(m:pgorch("run", marks.RECIPE, "--log", m.log, "--run-id", "r12", "--yes-cut-over").code).is(0)
    expect(m:run("--yes-cut-over").code).is(0)
    expect(#m:runs()).is(2)
  end))
end)

describe("a command on a run", function()
  it("refuses the flags that it has no use for, all at once", it_with(function(m)
    expect(m:run("--until", "one").code).is(0)
    for command, flags in pairs {
      rollback = { "--until", "two", "--deadline", "+2h", "--yes-cut-over", "--run-id", "r2", "--no-input" },
      cleanup = { "--only", "two", "--lose-writes", "--on-failure", "keep" },
      resume = { "--run-id", "r2" }, cancel = { "--lose-writes" }, approve = { "--until", "two" },
    } do
      local r = m:pgorch(command, "r1", table.unpack(flags))
      expect(command .. " " .. r.code).is(command .. " 2")
      for _, flag in ipairs(flags) do
        if flag:match "^%-%-" then expect(r.stderr).has(flag) end
      end
    end
    expect(m:status().state).is "stopped"
  end))
end)
