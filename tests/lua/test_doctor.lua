-- `pgorch doctor`: what is well passes, and each thing that can be wrong is said with its cure.

local doctor    = require "pgorch.doctor"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local http      = require "pgorch.http"
local json      = require "pgorch.json"
local pg_client = require "pgorch.pg_client"
local preflight = require "pgorch.preflight"
local process   = require "pgorch.process"
local skew      = require "pgorch.doctor.skew"

local folder

local function fixture()
  before(function() folder = fs.mkdtemp "pgorch-doctor-" end)
  after(function() fs.remove_tree(folder) end)
end

-- "fail PGO-X what" of each finding of one theme.
local function lines_of(found)
  local lines = {}
  for i, each in ipairs(found.list) do
    lines[i] = ("%s %s"):format(each.level, preflight.lines(each)[1])
  end
  return table.concat(lines, "\n")
end

local function look(theme, o)
  local found = preflight.new()
  require("pgorch.doctor." .. theme)(found, o or {})
  return lines_of(found), found
end

local function pgorch(words)
  words.check, words.stdin = false, ""
  words.env = words.env or {}
  words.env.PGORCH_STATE = words.env.PGORCH_STATE or "sqlite:" .. folder .. "/state/state.db"
  words.env.NO_COLOR = "1"
  return process.run { host.executable(), "doctor", table.unpack(words), check = false, stdin = "", env = words.env }
end

-- Until it is closed, the machine has these.
local function with_clients(list)
  local installed = pg_client.installed
  pg_client.installed = function() return list end
  return setmetatable({}, { __close = function() pg_client.installed = installed end })
end

describe("doctor: programs", function()
  it("without a pg_dump nothing can be dumped", function()
    local _ <close> = with_clients {}
    local said, found = look "programs"
    expect(said).has "fail PGO-PG-VERSION no pg_dump is installed: no database can be dumped"
    expect(lines_of(found)).has "pass child processes can be started"
  end)

  it("says up to which version of the source each can dump, and which cannot be", function()
    local _ <close> = with_clients { { major = 14, version = "14.9", pg_dump = "/x/14/pg_dump" },
                                     { major = 16, version = "16.1", pg_dump = "/x/16/pg_dump" } }
    local said = look "programs"
    expect(said).has "pass pg_dump 14.9 (/x/14/pg_dump, no pg_restore beside it): dumps databases of PostgreSQL 14 and"
    expect(said).has "pass pg_dump 16.1"
    expect(said).has "warn databases of PostgreSQL 17 and newer cannot be dumped"
    local _ <close> = with_clients { { major = 18, version = "18.0", pg_dump = "/x/18/pg_dump" } }
    expect((look "programs")).lacks "warn"
  end)

  it("takes note of what a move does not need", function()
    local ended = process.run { host.executable(), "doctor", env = { PATH = folder or "/nonexistent" }, check = false }
    expect(ended.stdout).has "note  there is no heroku: it is for commands that pgorch suggests"
    expect(ended.stdout).has "note  there is no aws"
  end)
end)

describe("doctor: authorities", function()
  fixture()

  it("counts those of the system, and fails where there are none", function()
    fs.write(folder .. "/ca.pem", ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"):rep(3))
    local places = { folder .. "/none.pem", folder .. "/ca.pem" }
    expect(look("authorities", { authorities = places })).has("pass 3 certificate authorities in " .. places[2])
    expect(look("authorities", { authorities = { places[1] } })).has
      "fail PGO-TLS this machine has no certificate authorities: no server can be verified"
  end)

  it("refuses an AWS_CA_BUNDLE that is none", function()
    local ended = pgorch { "-q", env = { AWS_CA_BUNDLE = folder .. "/none.pem" } }
    expect(ended.code).is(1)
    expect(ended.stdout).has("AWS_CA_BUNDLE names " .. folder .. "/none.pem, which is no file with a PEM certificate")
  end)
end)

describe("doctor: the record", function()
  fixture()

  local function of(path) return { record = "sqlite:" .. path } end

  it("is not there yet, and nothing is made by looking", function()
    local said = look("record", of(folder .. "/new/state.db"))
    expect(said).has("note no record of runs at " .. folder .. "/new/state.db yet")
    expect(said).matches "pass [^\n]* free in [^\n]*, for the record and the files of runs"
    expect(said).lacks "fail"
    expect(#fs.list(folder)).is(0)
  end)

  it("is there, and its runs are counted", function()
    require("pgorch.store").open("sqlite:" .. folder .. "/state.db"):close()
    expect(look("record", of(folder .. "/state.db"))).has "runs in it: 0"
  end)

  it("cannot be read", function()
    fs.write(folder .. "/state.db", ("no record "):rep(1000))
    expect(look("record", of(folder .. "/state.db"))).has "fail PGO-STORE the record of runs cannot be used: "
  end)

  it("is on a server that is not there", function()
    local ended = pgorch { "-q", env = { PGORCH_STATE = "postgres://me:hidden-word@127.0.0.1:1/runs" } }
    expect(ended.code).is(1)
    expect(ended.stdout).has "the record of runs cannot be used"
    expect(ended.stdout .. ended.stderr).lacks "hidden-word"
  end)

  it("stands where this user cannot write", function()
    expect(look("record", of "/proc/state.db")).has "fail PGO-IO no file can be made in /proc"
  end)

  it("is open to others", function()
    fs.chmod(folder, 755)
    fs.write(folder .. "/state.db", "", { mode = 644 })
    local said, found = look("record", of(folder .. "/state.db"))
    expect(said).has(("warn %s is open to other users (mode 0755)"):format(folder))
    expect(said).has(("warn %s/state.db is open to other users (mode 0644)"):format(folder))
    local by_path = {}
    for _, each in ipairs(found.list) do by_path[each.what:match "^(%S+) is open" or ""] = each.cure end
    expect(by_path[folder .. "/state.db"]).is(("chmod go= %s/state.db"):format(folder))
    expect(by_path[folder]).lacks "chmod"               -- it may be /tmp
  end)

  it("has no place that can be understood", function()
    for _, url in ipairs { "mysql://x", "sqlite://me:hidden-word@here/state" } do
      local said = look("record", { record = url })
      expect(said).has "fail PGO-STORE what is given as the record of runs"
      expect(said).lacks "hidden-word"
    end
  end)

  it("has a full disk", function()
    local free = fs.free_space
    local _ <close> = setmetatable({}, { __close = function() fs.free_space = free end })
    fs.free_space = function() return 1000000 end
    expect(look("record", of(folder .. "/state.db"))).has "fail PGO-IO 1.0 MB free in "
    fs.free_space = function() return 500000000 end
    expect(look("record", of(folder .. "/state.db"))).has "warn 500 MB free in "
  end)
end)

describe("doctor: limits", function()
  fixture()

  local function with(text)
    fs.write(folder .. "/limits", text)
    return look("limits", { limits = folder .. "/limits" })
  end

  it("core dumps are off in the program itself", function()
    expect((look "limits")).has "pass core dumps are off"
    expect(with "Max core file size        unlimited            unlimited            bytes     \n").has
      "fail PGO-IO core dumps are on: one would hold every secret"
  end)

  it("tells of few files, few processes and small files", function()
    local said = with("Max core file size        0                    unlimited            bytes     \n"
      .. "Max file size             1000000              unlimited            bytes     \n"
      .. "Max processes             20                   96365                processes \n"
      .. "Max open files            64                   20000                files     \n")
    expect(said).has "warn open files: 64, 256 may be needed"
    expect(said).has "warn processes of this user: 20, 128 may be needed"
    expect(said).has "warn no file may be larger than 1.0 MB"
  end)
end)

describe("doctor: the clock", function()
  local NOON = 1795521600 -- Tue, 24 Nov 2026 12:00:00 GMT

  local function judged(date, off)
    local found = preflight.new()
    skew.judge(found, "x", date, NOON + off)
    return lines_of(found)
  end

  it("is judged by the Date of an answer", function()
    local date = "Tue, 24 Nov 2026 12:00:00 GMT"
    expect(judged(date, 2)).is "pass the clock differs by 2 s from that of x"
    expect(judged(date, -40)).is "warn the clock differs by 40 s from that of x"
    expect(judged(date, 301)).is "fail PGO-S3-CLOCK the clock differs by 301 s from that of x"
    expect(judged(nil, 0)).is "note x does not say what time it is"
  end)

  it("is asked of the host that is named", function()
    local server <close> = http.serve({}, function() return { status = 404 } end)
    expect(look("clock", { host = server.url })).matches "^pass the clock differs by %d s from that of http://127"
    expect(look("clock", { host = "http://127.0.0.1:1" })).has "fail PGO-NET the clock of http://127.0.0.1:1: "
    expect((look "clock")).is ""
  end)
end)

describe("doctor: Heroku's token", function()
  fixture()

  local TOKEN = "a-token-that-is-not-shown"

  local function asked(status, value, token)
    local server <close> = http.serve({}, function(request)
      local good = request.path == "/account" and request.headers.authorization == "Bearer " .. TOKEN
      return { status = good and status or 500, headers = { ["content-type"] = "application/json" },
               body = json.encode(value) }
    end)
    return pgorch { "--online", env = { HEROKU_HOST = server.url, HEROKU_DATA_HOST = "127.0.0.1",
                                        HEROKU_API_KEY = token or TOKEN } }
  end

  it("is not set, or is not asked about", function()
    expect(pgorch({ env = { HEROKU_API_KEY = "" } }).stdout).has "note  HEROKU_API_KEY is not set"
    expect(pgorch({ env = { HEROKU_API_KEY = TOKEN } }).stdout).has "note  HEROKU_API_KEY is set; --online asks"
    local ended = pgorch { "--online", env = { HEROKU_API_KEY = "" } }
    expect(ended.code).is(1)
    expect(ended.stdout).has "PGO-HEROKU-TOKEN HEROKU_API_KEY is not set"
  end)

  it("is valid", function()
    local ended = asked(200, { id = "1", email = "me@example.com" })
    expect(ended.stdout).has "pass  HEROKU_API_KEY is valid: me@example.com"
    expect(ended.stdout).has "s from that of Heroku"
    expect(ended.code).is(0)
    expect(ended.stdout .. ended.stderr).lacks(TOKEN)
  end)

  it("is refused", function()
    local ended = asked(401, { id = "unauthorized", message = "Invalid credentials provided." })
    expect(ended.stdout).has "PGO-HEROKU-TOKEN HEROKU_API_KEY: Heroku: Invalid credentials provided."
    expect(ended.stdout).has "1 thing to mend"
    expect(ended.code).is(1)
    expect(ended.stdout .. ended.stderr).lacks(TOKEN)
  end)
end)

describe("pgorch doctor", function()
  fixture()

  it("is well on a machine that builds pgorch", function()
    local ended = pgorch {}
    expect(ended.stdout).matches "^pgorch %d[^\n]*\n  pass  child processes can be started\n"
    expect(ended.stdout).matches "\n[^\n]*nothing to mend[^\n]*\n$"
    expect(ended.code).is(0)
  end)

  it("speaks JSON Lines", function()
    local events = {}
    for line in pgorch({ "--json" }).stdout:gmatch "[^\n]+" do events[#events + 1] = json.decode(line) end
    expect(events[1].event).is "version"
    expect(events[2].event).is "finding"
    expect(events[2].level).is "pass"
  end)

  it("looks at every theme", function()
    local names = {}
    for _, path in ipairs(require("pgorch.resource").list "pgorch/doctor/") do
      names[path:match "([%w_]+)%.lua$"] = true
    end
    names.skew = nil                                            -- what two of them share
    for _, theme in ipairs(doctor.THEMES) do
      expect(names[theme]).is(true)
      names[theme] = nil
    end
    expect(next(names)).is_nil()
  end)

  it("does not understand other words", function()
    expect(pgorch({ "now" }).code).is(2)
    expect(pgorch({ "--onlin" }).stderr).has "did you mean --online?"
  end)
end)
