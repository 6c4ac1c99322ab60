-- The judge of restore logs: what must be called harmless, what lossy, and that silence is not taken for consent.

local restore_log = require "pgorch.restore_log"

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

  it("calls a comment on an extension harmless, by its command or by its entry", function()
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
