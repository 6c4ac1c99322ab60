-- The judge of restore logs: what must be called harmless, what lossy, and that silence is not taken for consent.
-- Each rule is held against the log of a real pg_restore (tests/fixtures/restore_logs/capture.lua makes them).

local fs          = require "pgorch.fs"
local restore_log = require "pgorch.restore_log"
local rules       = require "pgorch.restore.rules"

local LOGS = "tests/fixtures/restore_logs/"
local scenarios = assert(load(fs.read(LOGS .. "scenarios.lua")))()

-- The logs in a file, one for each server: {server = its version, text}.
local function logs_of(id)
  local list = {}
  local path = LOGS .. id .. ".log"
  if not fs.exists(path) then error(("the rule %s has no log in %s"):format(id, LOGS), 0) end
  for line in fs.read(path):gmatch "([^\n]*\n)" do
    local server = line:match "^### .*server ([%d.]+)"
    if server then list[#list + 1] = { server = server, text = "" } else list[#list].text = list[#list].text .. line end
  end
  return list
end

-- The steps that mend, as a recipe has them.
local MENDS = { refresh_matviews = true }

local function ids_of(judged)
  local set = {}
  for _, list in ipairs { judged.harmless, judged.mended, judged.lossy } do
    for _, each in ipairs(list) do set[each.rule or "none"] = true end
  end
  return set
end

-- The same log with each command, or each message of the server, being about something else.
local function with_other_command(text)
  return (text:gsub("\nCommand was: [^\n]*", "\nCommand was: CREATE TABLE public.t (a integer);"))
end

local function with_other_error(text)
  return (text:gsub("query: ERROR:  [^\n]*", "query: ERROR:  out of shared memory"))
end

local function whys(list)
  local all = {}
  for i, each in ipairs(list) do all[i] = each.why end
  return table.concat(all, "; ")
end

describe("restore_log", function()
  it("finds nothing in a clean verbose log", function()
    local judged = restore_log.classify {
      { level = "info", message = "pg_restore: connecting to database for restore" },
      { level = "info", message = 'pg_restore: creating TABLE "public.error"' },
      { level = "info", message = 'pg_restore: processing data for table "public.warning: errors"' },
      { level = "info", message = "restore done" },
    }
    expect(#judged.harmless).is(0)
    expect(#judged.lossy).is(0)
    expect(judged.lines).is(4)
  end)

  for _, rule in ipairs(rules) do
    it(("judges what a real pg_restore said by the rule %s alone"):format(rule.id), function()
      local logs = logs_of(rule.id)
      expect(#logs).above(0)
      for _, log in ipairs(logs) do
        local judged = restore_log.classify(log.text, MENDS)
        local ids = ids_of(judged)
        for _, also in ipairs((scenarios[rule.id] or {}).also or {}) do ids[also] = nil end
        expect(ids).same { [rule.id] = true }
        local all = #judged.harmless + #judged.mended + #judged.lossy
        expect(#judged[rule.class]).is(all)
        if judged.ignored then expect(all).is(judged.ignored) end
        expect(judged.transient).is(rule.transient == true)
      end
    end)
  end

  for _, rule in ipairs(rules) do
    if rule.class ~= "lossy" then
      it(("finds the near misses of the rule %s lossy"):format(rule.id), function()
        for _, log in ipairs(logs_of(rule.id)) do
          for _, near in ipairs { with_other_command(log.text), with_other_error(log.text) } do
            expect(near ~= log.text).is_true()
            local judged = restore_log.classify(near, MENDS)
            expect(#judged.harmless + #judged.mended).is(0)
            expect(#judged.lossy).is(judged.ignored)
            expect(judged.transient).is(false)
          end
        end
      end)
    end
  end

  it("names what a later step mends, and calls it lossy in a recipe without that step", function()
    local log = logs_of "matview"[1].text
    local judged = restore_log.classify(log, MENDS)
    local names = {}
    for i, each in ipairs(judged.mended) do names[i] = each.name end
    table.sort(names)
    expect(names).same { '"public"."by_operator"', '"public"."how_many"', '"public"."of_type"', '"public"."of_words"',
      '"public"."Über ""all"" %"' }
    expect(#judged.lossy).is(0)
    for _, mends in ipairs { {}, { verify = true } } do
      judged = restore_log.classify(log, mends)
      expect(#judged.mended).is(0)
      expect(#judged.lossy).is(5)
      expect(judged.lossy[1].why).has "materialized view"
      expect(judged.lossy[1].cure).has "SET search_path"
    end
  end)

  it("has a rule for each log, and each id once", function()
    local known = {}
    for _, rule in ipairs(rules) do
      expect(known[rule.id]).is_nil()
      known[rule.id] = true
    end
    for _, name in ipairs(fs.list(LOGS)) do
      local id = name:match "^(.*)%.log$"
      if id then expect(known[id]).is_true() end
    end
  end)

  it("reads commands of several lines, with text in them that looks like pg_restore's other lines", function()
    local log = logs_of "foreign-key"[1].text
    local judged = restore_log.classify(log)
    expect(judged.lossy[1].text).has 'FOREIGN KEY ("user_id") REFERENCES "public"."users"("id")'
    expect(judged.lossy[1].text).has "Key (user_id)=(7) is not present"
    expect(judged.lossy[1].cure).has "orders_user_id_fkey"
  end)

  it("is not led astray by what Heroku writes around pg_restore's lines", function()
    for _, rule in ipairs { "extension-comment", "unique-index" } do
      local log = logs_of(rule)[1].text .. "waiting for restore to complete\nrestore done\n"
      expect(ids_of(restore_log.classify(log))).same { [rule] = true }
    end
  end)

  it("takes one lossy line among what passes for lasting", function()
    local both = logs_of "connection-lost"[1].text .. logs_of "unique-index"[1].text
    expect(restore_log.classify(both).transient).is(false)
  end)

  it("does not count a warning as one of the errors that a cut log shows", function()
    local judged = restore_log.classify(logs_of "extension-comment"[1].text:gsub("restore: 1", "restore: 2")
      .. "pg_restore: warning: archive is compressed, but this installation does not support compression\n")
    expect(judged.lossy[#judged.lossy].why).has "shows only 1 of them"
  end)

  it("calls a comment on an extension harmless", function()
    local judged = restore_log.classify {
      "pg_restore: while PROCESSING TOC:",
      "pg_restore: from TOC entry 4567; 0 0 COMMENT EXTENSION hstore ",
      "pg_restore: error: could not execute query: ERROR:  must be owner of extension hstore",
      "Command was: COMMENT ON EXTENSION hstore IS 'data type for storing sets of (key, value) pairs';",
      "pg_restore: warning: errors ignored on restore: 1",
    }
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(0)
    expect(judged.ignored).is(1)
  end)

  it("calls the newer pg_restore's setting harmless", function()
    local judged = restore_log.classify(table.concat({
      "pg_restore: while INITIALIZING:",
      'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"',
      "Command was: SET transaction_timeout = 0;",
      "pg_restore: warning: errors ignored on restore: 1",
    }, "\n"))
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(0)
  end)

  it("calls grants to roles that do not exist harmless, policies for them lossy", function()
    local judged = restore_log.classify {
      'pg_restore: error: could not execute query: ERROR:  role "report" does not exist',
      "Command was: GRANT SELECT ON TABLE public.users TO report;",
      "pg_restore: from TOC entry 3344; 3256 16550 POLICY users orders_own app",
      'pg_restore: error: could not execute query: ERROR:  role "report" does not exist',
      "Command was: CREATE POLICY orders_own ON public.users TO report USING (true);",
      "pg_restore: warning: errors ignored on restore: 2",
    }
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(1)
    expect(whys(judged.lossy)).has "row security policy"
  end)

  it("says what a duplicate costs, with the server's own detail", function()
    local judged = restore_log.classify {
      "pg_restore: from TOC entry 3201; 1259 16407 INDEX users_email_key app",
      'pg_restore: error: could not execute query: ERROR:  could not create unique index "users_email_key"',
      "DETAIL:  Key (email)=(a@b) is duplicated.",
      "Command was: CREATE UNIQUE INDEX users_email_key ON public.users USING btree (email);",
    }
    expect(#judged.lossy).is(1)
    expect(judged.lossy[1].text).has "Key (email)=(a@b) is duplicated."
    expect(judged.lossy[1].why).has "unique index is missing"
  end)

  it("says of a full disk that a larger plan is needed", function()
    for _, log in ipairs(logs_of "disk-full") do
      for _, each in ipairs(restore_log.classify(log.text).lossy) do expect(each.cure).has "Choose a larger plan" end
    end
  end)

  it("calls what no rule knows lossy", function()
    local judged = restore_log.classify {
      "pg_restore: error: could not execute query: ERROR:  the moon is not in the right phase",
      "pg_restore: warning: something nobody has seen before",
    }
    expect(#judged.lossy).is(2)
    expect(whys(judged.lossy)).has "no rule knows"
  end)

  it("calls an extension harmless that --clean could not drop, for it stays", function()
    local judged = restore_log.classify {
      "pg_restore: dropping EXTENSION pg_stat_statements",
      "pg_restore: error: could not execute query: ERROR:  must be owner of extension pg_stat_statements",
      "Command was: DROP EXTENSION IF EXISTS pg_stat_statements;",
      "pg_restore: warning: errors ignored on restore: 1",
    }
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(0)
  end)

  it("does not call errors harmless that a cut log does not show", function()
    local judged = restore_log.classify {
      "pg_restore: error: could not execute query: ERROR:  must be owner of extension plpgsql",
      "Command was: COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';",
      "pg_restore: warning: errors ignored on restore: 7",
    }
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(1)
    expect(judged.lossy[1].why).has "shows only 1"
  end)

  it("shows no passwords of definitions, and judges all that comes behind them", function()
    local judged = restore_log.classify {
      'pg_restore: error: could not execute query: ERROR:  server "elsewhere" does not exist',
      'Command was: CREATE USER MAPPING FOR "app" SERVER "elsewhere" OPTIONS (',
      "    \"password\" 'hunter2',",
      "    \"user\" 'hunter3",
      "pg_restore: error: could not execute query: ERROR:  the moon is not in the right phase",
      "Command was: CREATE VIEW v AS SELECT * FROM dblink('password=hunter4');",
    }
    expect(#judged.lossy).is(2)
    expect(judged.lossy[1].rule).is "foreign-server"
    expect(judged.lossy[1].text).has "OPTIONS (\n    \"password\" '***',\n"
    for _, each in ipairs(judged.lossy) do expect(each.text).lacks "hunter" end
  end)

  it("calls an archive that cannot be read lossy", function()
    for _, line in ipairs {
      "pg_restore: error: unsupported version (1.16) in file header",
      "pg_restore: error: input file does not appear to be a valid archive",
      "pg_restore: error: could not read from input file: end of file",
    } do
      expect(#restore_log.classify { line }.lossy).is(1)
    end
  end)

  it("reads the message of older versions, and of messages with several lines", function()
    local judged = restore_log.classify {
      { message = 'pg_restore: [archiver (db)] Error from TOC entry 9; 0 0 COMMENT EXTENSION plpgsql \n'
        .. "pg_restore: [archiver (db)] could not execute query: ERROR:  must be owner of extension plpgsql\n"
        .. "    Command was: COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';\n\n" },
    }
    expect(#judged.harmless).is(1)
    expect(#judged.lossy).is(0)
  end)

  it("takes no log for an empty one", function()
    expect(restore_log.classify(nil).lines).is(0)
  end)
end)
