-- One row of a manifest: what it may hold, what is refused unseen, and the words that its process gets.

local loader       = require "pgorch.recipe.load"
local rows         = require "pgorch.batch.row"
local surroundings = require "pgorch.batch.surroundings"
local words        = require "pgorch.batch.words"

local SECRET = "hunter2-hunter2"

local function read(fields, o)
  local all = { id = "shop", recipe = "vultr", instance = "demo", app = "shop-app", token_env = "VULTR_API_KEY" }
  for name, value in pairs(fields or {}) do all[name] = value end
  for name, value in pairs(all) do
    if value == "" then all[name] = nil end
  end
  return rows.read({ place = "m.csv, line 2", fields = all }, o or { folder = "/manifests" })
end

local function problems(fields) return table.concat(select(2, read(fields)), "\n") end

local function command_line(row, verb)
  return table.concat(words.of(loader.load(row.recipe_path), row, { verb = verb }), " ")
end

describe("a row", function()
  it("has the recipe's own types, its defaults, and names with - or _", function()
    local row, wrong = read { ["keep-dump"] = "yes", watch = "2h", uplink = "4MB", priority = "7", labels = "x; y",
      depends_on = "a;b", group = "g", estimate = "15m", ["yes-cut-over"] = "yes" }
    expect(wrong).same {}
    expect(row.params.values.keep_dump).is(true)
    expect(row.params.values.watch).is(7200)
    expect(row.params.values.uplink).is(4000000)
    expect(row.params.values.as).is "DATABASE"
    expect({ row.priority, row.group, row.estimate }).same { 7, "g", 900 }
    expect(row.labels).same { "x", "y" }
    expect(row.depends_on).same { "a", "b" }
    expect(row.asks).is(false)
    expect(read().asks).is(true)
    expect(#row.recipe_hash).is(64)
  end)

  it("refuses a secret that is written down, without showing it", function()
    for _, fields in ipairs { { token = SECRET }, { heroku_api_key = SECRET }, { token_env = "$" .. SECRET },
                              { plan = "postgres://user:" .. SECRET .. "@db.example.com/shop" },
                              { source = SECRET }, { id = "postgres://u:" .. SECRET .. "@h/d" } } do
      local said = problems(fields)
      expect(said).is_not ""
      expect(said).lacks(SECRET)
    end
    expect(problems { token = SECRET }).is
      "token: a secret is never written down: name where it is, by token_env or token_file"
  end)

  it("takes a secret from a variable or a file alone", function()
    expect(problems { token_command = "op read x" }).is
      "token_command: each machine would run it: use token_env or token_file"
    expect(problems { token_fd = "3" }).has "use token_env or token_file"
    local row = read { token_env = "", token_file = "keys/vultr" }
    expect(row.params.secrets.token).same { file = "/manifests/keys/vultr" }
    expect(row.scopes.account.vultr).is "file:/manifests/keys/vultr"
  end)

  it("never takes the databases that its surroundings name", function()
    local fields = { recipe = "postgres", instance = "", token_env = "", bucket = "dumps" }
    expect(problems(fields)).is("source is missing (URL of the database to move: "
      .. "postgres://USER:PASSWORD@HOST:PORT/DATABASE): source_env")
    fields.source_env = "SOURCE_DATABASE_URL"
    expect(problems(fields)).has "no row sees SOURCE_DATABASE_URL of its surroundings"
    fields.source_env = "SHOP_URL"
    local row, wrong = read(fields)
    expect(wrong).same {}
    expect(row.scopes.instance).is "env:SHOP_URL"
    local env = surroundings.env { PGORCH_STATE = "x" }
    expect({ env.SOURCE_DATABASE_URL, env.TARGET_DATABASE_URL, env.PGPASSWORD, env.PGORCH_STATE }).same {
      false, false, false, "x" }
  end)

  it("refuses what is no row's: flags of one run, what somebody has to look at", function()
    for _, name in ipairs { "only", "until", "run-id", "no_input", "state-env", "json", "accept_changes",
                            "lose-writes" } do
      expect(problems { [name] = "x" }).has((name:gsub("-", "_")) .. ": a row cannot have it: ")
    end
  end)

  it("says everything that is wrong, and what was probably meant", function()
    local said = problems { instanse = "demo", instance = "", app = "Bad App", priority = "high", on_failure = "stop",
                            deadline = "soon", via = "pigeon" }
    for _, part in ipairs { "instanse: recipe vultr has no such parameter, did you mean instance?", "app: `Bad App`",
                            "priority is no whole number", "on_failure: keep or rollback", "deadline: `soon`",
                            "via: `pigeon` is not one of: archive" } do
      expect(said).has(part)
    end
    expect(said).lacks "instance is missing"
    expect(problems { recipe = "vulrt" }).has "did you mean vultr?"
    expect(problems { id = "" }).has "id is missing"
    expect(problems { id = "a;b" }).has "id: `a;b`: a name"
    expect(problems { id = "a\u{9b}31m" }).has "a name has no comma, semicolon or control character"
    expect(problems { ["keep-dump"] = "yes", keep_dump = "no" }).is "keep_dump is there twice"
    expect(problems { app = { "a" } }).has "app is a list: one value is needed"
    expect(problems { app = true }).has "app is yes or no"
  end)

  it("is counted by where its tokens are, its instance and its storage", function()
    local one = read { token_env = "OTHER_KEY", heroku_api_key_env = "TEAM_KEY", storage = "cold" }
    expect(one.scopes).same { provider = "vultr", instance = "vultr/demo", storage = "vultr/cold",
                              account = { vultr = "env:OTHER_KEY", heroku = "env:TEAM_KEY" } }
    expect(read({ via = "direct" }).scopes.storage).is(nil)
    expect(read().scopes.account.heroku).is "env:HEROKU_API_KEY"
  end)
end)

describe("the words of a row", function()
  it("are made of the recipe's parameters, each with its value", function()
    local row = read { accept = "--x 'y'", keep_dump = "no", again = "yes", yes_cut_over = "yes", deadline = "+2h",
                       open_allow_list = "yes" }
    local said = command_line(row)
    for _, part in ipairs { "vultr ", "--accept=--x 'y'", "--no-keep-dump", "--again ", "--app=shop-app",
                            "--freeze=maintenance,read-only", "--hook-limit=1800", "--token-env=VULTR_API_KEY",
                            "--yes-cut-over", "--deadline=+2h" } do
      expect(said).has(part)
    end
    expect(said).lacks "--open-allow-list"
    local checked = command_line(row, "check")
    expect(checked).has "--open-allow-list"
    expect(checked).lacks "--yes-cut-over"
    expect(checked).lacks "--deadline"
  end)

  it("refuse a record that names what the recipe does not have", function()
    local row = read()
    row.params.values.state_file = "/etc/passwd"
    expect(function() command_line(row) end).raises "PGO-BATCH"
    row = read()
    row.params.secrets.token = { command = "touch /tmp/x" }
    expect(function() command_line(row) end).raises "PGO-BATCH"
  end)
end)
