-- Completion of the command line: what the program offers, and a real bash on a terminal of its own that types it out.

local completion = require "pgorch.completion"
local fs         = require "pgorch.fs"
local host       = require "pgorch.native.host"
local marks      = require "support.marks"
local process    = require "pgorch.process"

local function offered(...) return table.concat(completion.of { ... }, " ") end

describe("what can be typed next", function()
  it("commands", function()
    expect(offered "").matches "^apply approve .*cancel check"
    expect(offered "ro").is "rollback"
    expect(offered "destroy").is "destroy-source"
    expect(offered "zz").is ""
    expect(offered("help", "ve")).is "verify version"
    expect(offered("help", "vul")).is "vultr"
  end)

  it("recipes, and files where a recipe may be one", function()
    expect(offered("run", "")).is "digitalocean linode postgres vultr @recipes"
    expect(offered("check", "v")).is "vultr @recipes"
    expect(offered("lint", "")).is "@recipes"
    expect(offered("apply", "")).is "@files"
    expect(offered("run", "vultr", "")).is ""
  end)

  it("flags of a command, and of a recipe", function()
    expect(offered("doctor", "--o")).is "--online"
    expect(offered("copy", "--index")).is "--index-jobs"
    expect(offered("sandbox", "--fault")).is "--fault --faults"
    expect(offered("run", "vultr", "--keep")).is "--keep-dump"
    expect(offered("run", "vultr", "--token")).is "--token-command --token-env --token-fd --token-file"
    expect(offered("run", marks.RECIPE, "--lin")).is "--linger"
    expect(offered("run", "--on-f")).is "--on-failure"
    expect(offered("zz", "--")).is ""
    expect(offered("run", "/nonexistent.lua", "--until")).is "--until"
  end)

  it("values", function()
    expect(offered("run", "vultr", "--via", "")).is "archive direct heroku auto"
    expect(offered("run", "vultr", "--via", "=", "d")).is "direct"
    expect(offered("run", "vultr", "--via", "=")).is "archive direct heroku auto"
    expect(offered("run", "vultr", "--freeze", "maintenance,r")).is "maintenance,read-only"
    expect(offered("run", "vultr", "--plan", "ess")).is "essential-0 essential-1 essential-2"
    expect(offered("run", "vultr", "--on-failure", "")).is "keep rollback"
    expect(offered("run", "vultr", "--until", "fin")).is "fingerprint"
    expect(offered("run", "vultr", "--only", "size,dump")).is "size,dump_to_store"
    expect(offered("run", "vultr", "--state-env", "PG")).is "@variables"
    expect(offered("run", "vultr", "--token-env", "")).is "@variables"
    expect(offered("run", "vultr", "--token-file", "")).is "@files"
    expect(offered("run", "vultr", "--spool", "/t")).is "@files"
    expect(offered("report", "x", "--html", "")).is "@files"
    expect(offered("run", "vultr", "--app", "")).is ""
    expect(offered("run", "vultr", "--keep-dump", "")).is ""
    expect(offered("dump", "-o", "")).is "@files"
    expect(offered("sandbox", "--", "p")).is "@files"
  end)

  it("ids of runs, from the record", function()
    local m <close> = marks.new()
    expect(m:run("--yes-cut-over").code).is(0)
    local function ids(...) return m:pgorch("help", "--complete", "--", ...).stdout end
    expect(ids("resume", "")).is "r1\n"
    expect(ids("status", "r")).is "r1\n"
    expect(ids("report", "x")).is ""
    expect(ids("report", "r1", "")).is ""
    fs.write(m.folder .. "/state.db", "no record at all, but a text that is long enough")
    local broken = m:pgorch("help", "--complete", "--", "resume", "")
    expect(broken.stdout .. broken.stderr).is ""
    expect(broken.code).is(0)
  end)
end)

describe("bash", function()
  local folder

  before(function()
    folder = fs.mkdtemp "pgorch-bash-"
    fs.write(folder .. "/mine.lua", "")
    fs.write(folder .. "/mine.txt", "")
  end)
  after(function() fs.remove_tree(folder) end)

  -- Types `keys` into a new bash, then makes an echo of the line, runs that, and leaves. Gives what the line was.
  local function typed(keys)
    local script = host.cwd() .. "/host/cli/pgorch.bash"
    fs.write(folder .. "/rc", ("PS1=\nbind 'set enable-bracketed-paste off'\nPATH='%s':$PATH\n. '%s'\ncd '%s'\n"
      .. "echo READY\n"):format(host.executable():match "^(.*)/", script, folder))
    local terminal <close> = process.spawn { "script", "-qefc", ("exec bash --rcfile '%s/rc' -i"):format(folder),
      "/dev/null", check = false, stdin = "stream", stdout = "stream",
      env = { TERM = "dumb", SHELL = "/bin/sh", HISTFILE = "", PGORCH_STATE = "sqlite:" .. folder .. "/state.db",
              HOME = folder, VULTR_API_KEY = "x" } }
    local said, line, sent = "", nil, false
    while not line do
      local chunk = terminal.stdout:read()
      if not chunk then break end
      said = said .. chunk:gsub("\r", "")
      if not sent and said:find("READY\n", 1, true) then
        sent = true
        terminal.stdin:write(keys .. "\1echo '<<\5>>'\n")
      end
      line = said:match "\n<<([^\n]*)>>"
    end
    terminal.stdin:write "exit\n"
    return line and line:gsub("%s+$", "") or said
  end

  it("completes commands, recipes, flags, values and files", function()
    if not pcall(process.run, { "bash", "--version" }) then skip "there is no bash" end
    expect(typed "pgorch rollb\t").is "pgorch rollback"
    expect(typed "pgorch run vul\t--keep\t").is "pgorch run vultr --keep-dump"
    expect(typed "pgorch run vultr --via di\t").is "pgorch run vultr --via direct"
    expect(typed "pgorch run vultr --via=di\t").is "pgorch run vultr --via=direct"
    expect(typed "pgorch run mi\t").is "pgorch run mine.lua"
    expect(typed "pgorch apply mine.t\t").is "pgorch apply mine.txt"
    expect(typed "pgorch run vultr --token-env VULTR_API_K\t").is "pgorch run vultr --token-env VULTR_API_KEY"
  end)
end)
