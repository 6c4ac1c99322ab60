-- pgorch sandbox as a user starts it: what COMMAND sees, its exit status, and that nothing outlives it, whoever dies.

local faults  = require "pgorch.sandbox.faults"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local program = require "support.program"
local task    = require "pgorch.task"

--- `pgorch sandbox` with a small source. Without a script it has no COMMAND.
local function sandbox(script, o)
  o = o or {}
  local list = { o.program or host.executable(), "sandbox", "--scale", "0.01" }
  for _, word in ipairs(o.options or {}) do list[#list + 1] = word end
  if script then table.move({ "--", "sh", "-c", script }, 1, 4, #list + 1, list) end
  list.check, list.env, list.user, list.cwd, list.timeout = false, o.env, o.user, o.cwd, 100
  return list
end

--- The processes that work in a folder: PostgreSQL's servers and their own children do.
local function servers(dir)
  local links = process.run { "sh", "-c", [[find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1/*" 2>/dev/null]], "sh", dir,
    check = false }.stdout
  local pids = {}
  for pid in links:gmatch "/proc/(%d+)/cwd" do pids[#pids + 1] = pid end
  return pids
end

local function wait_until(what, test)
  for _ = 1, 600 do
    if test() then return end
    task.sleep(0.05)
  end
  error("waited in vain until " .. what, 0)
end

local function no_server(dir)
  wait_until("the servers are gone", function() return #servers(dir) == 0 end)
end

local function kill(pid)
  process.run { "kill", "-9", tostring(pid) }
end

local function temporary()
  return setmetatable({ path = fs.mkdtemp "/tmp/pgorch-test-" }, { __close = function(self)
    fs.remove_tree(self.path)
  end })
end

--- Starts a sandbox whose COMMAND says where it is and stays, and calls fn(its process, its folder, COMMAND's pid).
local function while_it_runs(fn, o)
  local folder <close> = temporary()
  fs.chmod(folder.path, 777)
  local out = folder.path .. "/out"
  local options = sandbox(("echo \"$PGORCH_SANDBOX $$\" >%s; exec sleep 60"):format(out), o)
  options.stdout, options.stderr = "null", "stream"
  local proc <close> = process.spawn(options)
  wait_until("COMMAND runs", function() return fs.exists(out) and fs.read(out):find "\n" end)
  local dir, pid = fs.read(out):match "^(%S+) (%d+)"
  expect(#servers(dir)).above(2)
  return fn(proc, dir, pid)
end

--- What 16 requests that anybody else would be refused get by a chance of one half and this seed.
local function chances(seed)
  local statuses, folder <close> = {}, temporary()
  local world = { dir = folder.path, seed = seed }
  faults.put(world, "heroku.regions", { answer = 418, chance = 0.5 })
  for i = 1, 16 do statuses[i] = faults.at(world, "heroku.regions") and "418" or "401" end
  return table.concat(statuses, " ")
end

describe("the options of pgorch sandbox", function()
  local function parsed(...) return (require("pgorch.command.sandbox").parse { ... }) end

  it("about one side are kept beside each other", function()
    expect(parsed("--scale", "0.5", "--source-postgres", "/a", "--target-postgres=/b", "--", "true")).same {
      source = { scale = 0.5, postgres = "/a" }, target = { postgres = "/b" } }
  end)
end)

describe("pgorch sandbox", function()
  it("gives COMMAND a world, passes its exit status on and takes all down", function()
    local folder <close> = temporary()
    local out = folder.path .. "/out"
    local command = sandbox(([[
      { echo "$PGORCH_SANDBOX"; psql "$SOURCE_DATABASE_URL" -XAtc 'select count(*) from shop.customers'
        curl -s -o /dev/null -w '%%{http_code}\n' -H "Authorization: Bearer $HEROKU_API_KEY" \
          -H 'Accept: application/vnd.heroku+json; version=3' "$HEROKU_HOST/account"
        echo "$HEROKU_DATA_HOST"; echo "$DATABASE_URL"; } >%s; exit 7]]):format(out),
      { env = { DATABASE_URL = "postgres://somewhere/else" } })
    expect(process.run(command).code).is(7)
    local lines = {}
    for line in fs.read(out):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    expect(lines[1]).matches "^/tmp/pgorch%-world%-"
    expect(lines[2]).is "360"
    expect(lines[3]).is "200"
    expect(lines[4]).is "127.0.0.1"
    expect(lines[5]).is ""
    expect(fs.exists(lines[1])).is(false)
    expect(#servers(lines[1])).is(0)
  end)

  it("leaves no server behind when it is killed, and its folder only until the next one starts", function()
    local left = while_it_runs(function(proc, dir)
      kill(proc.pid)
      no_server(dir)
      return dir
    end)
    expect(fs.exists(left)).is(true)
    expect(process.run(sandbox "true").code).is(0)
    expect(fs.exists(left)).is(false)
  end, { limit = 120 })

  it("survives the death of its servers and of COMMAND, and takes the rest down", function()
    while_it_runs(function(proc, dir, command)
      for _, pid in ipairs(servers(dir)) do
        if fs.exists("/proc/" .. pid) then process.run { "kill", "-9", pid, check = false } end
      end
      no_server(dir)
      kill(command)
      expect(proc:wait().code).is(137)
      expect(fs.exists(dir)).is(false)
    end)
  end, { limit = 120 })

  it("does not get in the way of another one that starts at the same moment", function()
    local cache <close> = temporary()                  -- both make the sample database, and both want to keep it
    local seen = task.map({ 1, 2, 3 }, { limit = 3 }, function()
      local done = process.run(sandbox([[psql "$SOURCE_DATABASE_URL" -XAtc 'select count(*) from shop.customers'
        echo "$PGORCH_SANDBOX $HEROKU_HOST $AWS_ENDPOINT_URL $VULTR_API_URL $SOURCE_DATABASE_URL"]],
        { env = { XDG_CACHE_HOME = cache.path } }))
      expect(done.code).is(0)
      expect(done.stdout).matches "^360\n"
      return done.stdout
    end)
    local owner = {}
    for i, text in ipairs(seen) do
      for word in text:gsub("^360", ""):gmatch "%S+" do
        expect(owner[word] == nil).is(true)
        owner[word] = i
      end
    end
  end, { limit = 120 })

  it("without COMMAND prints what to export and stays until Ctrl-C", function()
    local folder <close> = temporary()
    local options = sandbox()
    options.stdout, options.stderr = "stream", "stream"
    local proc <close> = process.spawn(options)
    local told = ""
    wait_until("it says how to use it", function()
      told = told .. (proc.stderr:read() or "")
      return told:find "/env\n"
    end)
    local file = told:match "%.%s+(%S+/env)\n"
    local printed = ""
    wait_until("it prints what to export", function()
      printed = printed .. (proc.stdout:read() or "")
      return #printed >= fs.stat(file).size
    end)
    expect(printed).is(fs.read(file))
    local script = folder.path .. "/exports"
    fs.write(script, printed)
    local rows = process.run { "sh", "-c",
      [[. "$1"; psql "$SOURCE_DATABASE_URL" -XAtc 'select count(*) from shop.customers']], "sh", script }
    expect(rows.stdout).is "360\n"
    expect(proc:alive()).is(true)
    proc:kill "INT"
    expect(proc:wait().code).is(0)
    no_server(file:match "^(.*)/env$")
    expect(fs.exists(file)).is(false)
  end, { limit = 120 })

  it("runs for a user without a home that can be written, and for root", function()
    local uid = host.user().uid
    if uid ~= 0 then skip "only root can become another user" end
    local folder <close> = temporary()
    local done = process.run(sandbox([[id -u; psql "$SOURCE_DATABASE_URL" -XAtc 'select count(*) from shop.customers']],
      { program = program.for_all(folder.path), user = "nobody", cwd = "/", env = { HOME = "/nonexistent" } }))
    expect(done.stderr).is ""
    expect(done.code).is(0)
    expect(done.stdout).matches "^%d+\n360\n$"
    expect(done.stdout:match "^%d+" ~= "0").is(true)
  end, { limit = 120 })

  it("plays the faults that the command line asks for, and refuses those that nobody knows", function()
    local done = process.run(sandbox([[
      status() { curl -s -o /dev/null -w '%{http_code} ' "$1"; }
      for i in 1 2 3 4; do status "$HEROKU_HOST/apps/demo-app"; done
      for i in 1 2; do status "$AWS_ENDPOINT_URL/anything/at/all"; done
      echo; for i in $(seq 16); do status "$HEROKU_HOST/regions"; done]],
      { options = { "--seed", "2", "--fault", "heroku.app answer=503 times=2", "--fault=GET /*/at/** answer=418",
        "--fault", "heroku.any answer=502", "--fault", "s3.any answer=507",
        "--fault", "heroku.regions answer=418 chance=0.5" } }))
    -- A fault of the operation goes before that of a match, and this before one of any request.
    local first, by_chance = done.stdout:match "^(.*) \n(.*) $"
    expect(first).is "503 503 502 401 418 507"
    expect(by_chance).is(chances(2))
    expect(by_chance).is_not(chances(1))
    for _, fault in ipairs { "heroku.ap answer=503", "heroku.app", "heroku.app anwser=503" } do
      local refused = process.run(sandbox("true", { options = { "--fault", fault } }))
      expect(refused.code).is(2)
      expect(refused.stderr).has "pgorch sandbox --faults"
    end
  end, { limit = 120 })
end)
