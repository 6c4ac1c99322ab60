-- No secret is written down. A whole run, stopped once and resumed, with its record, its files, what it printed in both
-- forms, and every command line and environment that was there meanwhile, is searched for every secret that was used.

local fs      = require "pgorch.fs"
local leaks   = require "support.leaks"
local moves   = require "support.moves"
local process = require "pgorch.process"
local task    = require "pgorch.task"

-- Known once the run has begun: the new database's password, and the signature of the URL that Heroku was given.
local function secrets_of(move)
  local world = move.world
  local signed = move:restores()[1].from_url
  return {
    ["Vultr's key"] = world.vultr.api_key, ["Heroku's token"] = world.heroku.token,
    ["S3's secret key"] = world.s3.secret_key, ["the source's password"] = world.source.password,
    ["the target's password"] = move:addons()[1].database.password,
    ["the signature"] = signed:match "X%-Amz%-Signature=(%x+)",
  }
end

local function program(each) return each.program:match "[^/]*$" end

-- pg_dump has the source's password in its environment, and the user's own acceptance test the target's URL; pgorch
-- itself was given its keys there (a child of it is still pgorch for a moment, and it was pgorch-exec itself before).
-- Nobody else of ours may have any.
local function may_have(each, name)
  if program(each) == "pgorch" then return true end
  if each.argv:find("^[^%z]*/pgorch%-exec%z.*/pgorch%z") then return true end
  if program(each) == "pg_dump" or each.argv:find("pg_dump", 1, true) then return name == "the source's password" end
  return each.argv:find("acceptance", 1, true) ~= nil and name == "the target's password"
end

local function search_processes(seen, watched, pid)
  local found, programs = {}, {}
  for _, each in pairs(seen) do
    programs[program(each)] = true
    leaks.in_text(watched, each.argv, "command line of " .. each.program, found)
    if each.env and (each.pid == tostring(pid) or leaks.descends(seen, each, pid)) then
      for _, one in ipairs(watched) do
        if each.env:find(one.form, 1, true) and not may_have(each, one.name) then
          found[#found + 1] = ("environment of %s: %s"):format(each.program, one.name)
        end
      end
    end
  end
  return found, programs
end

local function sampled(seen, fn)
  return task.group(function(group)
    group:spawn(leaks.sample, seen)
    local result = fn()
    group:cancel "done"
    return result
  end)
end

local function show(found) return table.concat(found, "\n") end

describe("secrets", function()
  it("are in no file, no output, no command line and no other program's environment", function()
    moves.world({}, function(_, lanes)
      -- The world tells more than a user of this recipe would have in the environment.
      local env = { AWS_SECRET_ACCESS_KEY = false, SOURCE_DATABASE_URL = false }
      local move, seen = moves.new(lanes[1], { env = env }), {}
      local more = { "--yes-cut-over", "-v", "--accept", "sleep 0.2; : acceptance", "--on-freeze", "sleep 0.2" }
      local pids = {}
      local function note(step)
        return function(line, child)
          pids[#pids + 1] = #pids == 0 and child.pid or nil
          if moves.begun(line) == step then child:kill "INT" end
        end
      end
      local first = sampled(seen, function() return move:run(more, { on_line = note "verify" }) end)
      moves.expect_exit(first, 8)
      local second = sampled(seen, function() return move:resume({ "--yes-cut-over", "-v" }, { plain = true }) end)
      moves.expect_exit(second, 0)
      local status, failed = move:pgorch({ "status", move.id }), moves.new(lanes[1], { env = { VULTR_API_KEY = "?" } })
      local watched, found = leaks.watch(secrets_of(move)), {}
      for where, ended in pairs { run = first, resume = second, status = status, refused = failed:run() } do
        leaks.in_text(watched, ended.out, where .. ", stdout", found)
        leaks.in_text(watched, ended.err, where .. ", stderr", found)
      end
      leaks.in_folder(watched, move.dir, found)
      expect(show(found)).is ""
      local in_processes, programs = search_processes(seen, watched, pids[1])
      expect(show(in_processes)).is ""
      -- What was to be looked at was there to be seen.
      for _, name in ipairs { "pg_dump", "sleep" } do expect(programs[name]).is(true) end
      local files = move.dir .. "/pgorch/runs/" .. move.id
      for _, name in ipairs { "pg_dump.log", "restore.log" } do expect(fs.exists(files .. "/" .. name)).is(true) end
    end)
  end, { limit = 200 })

  it("would be found: this search finds planted ones in every form", function()
    local dir = fs.mkdtemp "/tmp/pgorch-leaks-"
    local secret = "p@ss/w%rd:'\"\\ ü?&=+#1234"
    local watched = leaks.watch { planted = secret }
    local forms = leaks.forms(secret)
    expect(#forms).above(8)
    fs.mkdir(dir .. "/below")
    for i, form in ipairs(forms) do fs.write(("%s/below/%d"):format(dir, i), "before " .. form .. " after") end
    local found = {}
    leaks.in_folder(watched, dir, found)
    expect(#found >= #forms).is(true)
    fs.remove_tree(dir)

    local seen = {}
    sampled(seen, function()
      process.run { "sh", "-c", "sleep 0.3", secret, env = { PLANTED = secret } }
    end)
    local in_processes = search_processes(seen, watched, require("pgorch.native.host").pid())
    expect(show(in_processes)).has "command line of"
    expect(show(in_processes)).has "environment of"
  end)
end)
