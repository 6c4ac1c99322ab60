-- A source that is not the sandbox's own: `pgorch sandbox --source-url-env VAR` moves a database of any server to the
-- Heroku stand-in, and never shows its password.

local host     = require "pgorch.native.host"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local source   = require "pgorch.sandbox.source"

local PASSWORD = "we ird@/:%"

describe("pgorch sandbox with a source of one's own", function()
  it("moves it", function()
    local server <close> = postgres.start { tls = true, password = PASSWORD }
    do
      local conn <close> = server:connect()
      conn:exec "create table public.goods as select generate_series(1, 1000) as n"
    end
    local done = process.run { host.executable(), "sandbox", "--source-url-env", "OURS", "--", "pgorch", "run", "vultr",
      "--instance", "demo", "--app", "demo-app", "--yes-cut-over", "--no-input", check = false, timeout = 100,
      env = { OURS = server.uri .. "?sslmode=require", PGORCH_POLL_SCALE = "0.05" } }
    local said = done.stdout .. done.stderr
    if done.code ~= 0 then error(said, 0) end
    expect(said).matches '"public"%."goods"%s+1000%s+%d+%s+equal'
    for _, form in ipairs { PASSWORD, "we%20ird%40%2F%3A%25" } do expect(said).lacks(form) end
    local conn <close> = server:connect()
    expect(conn:value "show default_transaction_read_only").is "on"   -- closed for writing, as the recipe says
  end, { limit = 150 })

  it("says when the variable is not set or no URL", function()
    for name, value in pairs { PGORCH_TEST_UNSET = false, PGORCH_TEST_ODD = "not a URL",
      PGORCH_TEST_HALF = "postgres://127.0.0.1/d" } do
      local done = process.run { host.executable(), "sandbox", "--source-url-env", name, "--", "true", check = false,
        env = { [name] = value or nil } }
      expect(done.code).is(2)
      expect(done.stderr).has(name)
    end
  end)

  it("takes every spelling of a URL that libpq takes", function()
    local made = source.from_url "postgresql://o%27neil:p%40ss@[::1]:5433/my%20db?sslmode=require"
    expect({ made.user, made.password, made.host, made.port, made.dbname })
      .same { "o'neil", "p@ss", "::1", 5433, "my db" }
    expect(source.from_url("postgres://u:p@h/d").port).is(5432)
  end)
end)
