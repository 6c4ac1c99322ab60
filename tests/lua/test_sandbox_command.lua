-- pgorch sandbox as a user starts it: what COMMAND sees, its exit status, and that nothing outlives it.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local function sandbox(script)
  return { host.executable(), "sandbox", "--scale", "0.01", "--", "sh", "-c", script }
end

--- Whether a server of the world in that folder runs.
local function servers(dir)
  local found = 0
  for _, name in ipairs(fs.list "/proc") do
    if name:match "^%d+$" then
      local ok, words = pcall(fs.read, ("/proc/%s/cmdline"):format(name))
      if ok and words:find(dir, 1, true) and words:find("postgres", 1, true) then found = found + 1 end
    end
  end
  return found
end

local function temporary()
  return setmetatable({ path = fs.mkdtemp "/tmp/pgorch-test-" }, { __close = function(self)
    fs.remove_tree(self.path)
  end })
end

describe("pgorch sandbox", function()
  it("gives COMMAND a world, passes its exit status on and takes all down", function()
    local folder <close> = temporary()
    local out = folder.path .. "/out"
    local command = sandbox(([[
      { echo "$PGORCH_SANDBOX"; psql "$SOURCE_DATABASE_URL" -XAtc 'select count(*) from shop.customers'
        curl -s -o /dev/null -w '%%{http_code}\n' -H "Authorization: Bearer $HEROKU_API_KEY" \
          -H 'Accept: application/vnd.heroku+json; version=3' "$HEROKU_HOST/account"
        echo "$HEROKU_DATA_HOST"; echo "$DATABASE_URL"; } >%s; exit 7]]):format(out))
    command.check, command.env = false, { DATABASE_URL = "postgres://somewhere/else" }
    expect(process.run(command).code).is(7)
    local lines = {}
    for line in fs.read(out):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    expect(lines[1]).matches "^/tmp/pgorch%-world%-"
    expect(lines[2]).is "360"
    expect(lines[3]).is "200"
    expect(lines[4]).is "127.0.0.1"
    expect(lines[5]).is ""
    expect(fs.exists(lines[1])).is(false)
    expect(servers(lines[1])).is(0)
  end)

  it("leaves no server behind when it is killed", function()
    local folder <close> = temporary()
    local out = folder.path .. "/out"
    local command = sandbox(("echo \"$PGORCH_SANDBOX\" >%s; sleep 60"):format(out))
    command.stdout, command.stderr, command.check = "null", "null", false
    local proc <close> = process.spawn(command)
    while not (fs.exists(out) and fs.stat(out).size > 0) do task.sleep(0.05) end
    local dir = fs.read(out):match "^%S+"
    expect(servers(dir)).above(1)
    process.run { "kill", "-9", tostring(proc.pid) }
    for _ = 1, 100 do
      if servers(dir) == 0 then break end
      task.sleep(0.05)
    end
    expect(servers(dir)).is(0)
  end)
end)
