-- pgorch test acme_test.lua: the recipe, run for real. Each `it` has a world of its own: PostgreSQL servers, an object
-- store, Heroku, and Acme's stand-in. A test fails, too, when a run leaves something behind in it.

describe("acme", function()
  local world = sandbox { standin = "standin/acme.lua", source = "fixtures/acme.sql",
                          app = { name = "shop", dynos = { web = 2, worker = 1 } } }

  it("moves the data and puts the app back to work", function()
    local r = world:run("acme.lua", { cluster = "shop", app = "shop" })
    expect(r.exit).is(0)
    expect(r.verified.tables).is(4)
    expect(world.app.shop.dynos).same { web = 2, worker = 1 }
    expect(world.app.shop:value "select count(*) from shop.customers where email <> lower(email)").is(0)
    expect(world.acme.jobs.nightly.state).is "running"
    expect(world.acme.firewall).same { "198.51.100.7/32" }      -- our address is gone again
  end)

  it("resumes billing when the restore fails", function()
    world:fault { at = "heroku.restore", answer = 503, times = "always" }
    local r = world:run("acme.lua", { cluster = "shop", app = "shop", on_failure = "rollback" })
    expect(r.exit).is(1)
    expect(r.error.step).is "restore"
    expect(world.acme.jobs.nightly.state).is "running"
    expect(world.app.shop.dynos).same { web = 2, worker = 1 }
  end)

  it("says what is wrong when there is no such cluster", function()
    local r = world:run("acme.lua", { cluster = "shopp", app = "shop" })
    expect(r.error.step).is "credentials"
    expect(r.output).has "no such thing"
  end)

  it("comes to the same end wherever it is killed", function()
    -- At about ten of its writes to the record of runs; after every one of them: pgorch test --kills all
    world:kill_everywhere("acme.lua", { cluster = "shop", app = "shop" }, { limit = 10 })
  end)
end)
