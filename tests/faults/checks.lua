-- Every check of the fault driver is shown to be able to fail: a fault that is never met, an end that is not allowed,
-- words that say nothing, and a world in which one thing is wrong at a time. One good move is what is spoiled.

local driver  = require "driver"
local fs      = require "pgorch.fs"
local proxied = require "proxied"
local trial   = require "trial"
local verdict = require "verdict"

local function complaints_of(self, how) return table.concat(verdict.of(self, how or "moved"), "; ") end

-- Spoils something, expects that complaint alone, and mends it.
local function spoil(self, complaint, change, mend, how)
  change()
  local said = complaints_of(self, how)
  mend()
  expect(said).has(complaint)
end

local function set(object, field, value)
  local before = object[field]
  return function() object[field] = value end, function() object[field] = before end
end

local function added(list, item) return function() table.insert(list, item) end, function() table.remove(list) end end

local function sql(cluster, dbname, text)
  return function()
    local conn <close> = cluster:connect(dbname)
    conn:exec "set default_transaction_read_only = off"
    conn:exec(text)
  end
end

local function addon_of(self)
  for _, each in ipairs(self.world.heroku.state.addons) do
    if each.app == self:app() then return each end
  end
end

local function copy(object, changes)
  local made = {}
  for name, value in pairs(object) do made[name] = value end
  for name, value in pairs(changes) do made[name] = value end
  return made
end

local function spoil_heroku(self)
  local app, state = self:app(), self.world.heroku.state
  spoil(self, "2 add-ons", added(state.addons, copy(addon_of(self), { name = "second", database = false })))
  spoil(self, "maintenance is on", set(app, "maintenance", true))
  for _, process in ipairs(app.formation) do
    spoil(self, "9 dynos of " .. process.type, set(process, "quantity", 9))
  end
  spoil(self, "OLD_DATABASE_URL is not the source", set(app.config, "OLD_DATABASE_URL", nil))
  local restore
  for _, each in ipairs(app.transfers) do restore = each.to_type == "pg_restore" and each or restore end
  spoil(self, "2 good restores", added(app.transfers, copy(restore, { num = restore.num + 1,
    created_at = "2099-01-01 00:00:00 +0000", finished_at = "2099-01-01 00:01:00 +0000" })))
  spoil(self, "two restores at once", added(app.transfers, copy(restore, { num = restore.num + 1 })))
end

local function spoil_left_overs(self)
  local bucket = self.world.s3.server.buckets[self.bucket]
  spoil(self, "the object left.dump is left", function() bucket.objects["left.dump"] = {} end,
    function() bucket.objects["left.dump"] = nil end)
  spoil(self, "the upload of left.dump is left", function() bucket.uploads.left = { key = "left.dump" } end,
    function() bucket.uploads.left = nil end)
  spoil(self, "the allow list is", added(self.world.recipe.allowed(self.world), "127.0.0.1/32"))
  if self.world.recipe.keys then
    spoil(self, "1 storage keys are left", added(self.world.recipe.keys(self.world), { id = 1 }))
  end
end

local function spoil_data(self)
  local cluster, name = self.world.target.cluster, addon_of(self).database.dbname
  local source = self.world.source
  for _, each in ipairs {
    { "schema_migrations: source 90 rows, ", "insert into public.schema_migrations values ('extra')",
      "delete from public.schema_migrations where version = 'extra'" },
    { "shop.customers: ", "update shop.customers set email = 'x' || email where id = 7",
      "update shop.customers set email = substr(email, 2) where id = 7" },
    { "invoice_number: ", "select setval('shop.invoice_number', last_value + 5) from shop.invoice_number",
      "select setval('shop.invoice_number', last_value - 5) from shop.invoice_number" },
    { "is in the target only", "create table public.extra (i int)", "drop table public.extra" },
    { "large objects", "select lo_from_bytea(999999, 'x')", "select lo_unlink(999999)" },
  } do
    spoil(self, each[1], sql(cluster, name, each[2]), sql(cluster, name, each[3]))
  end
  spoil(self, "target nil", sql(source.cluster, source.dbname, "create table public.only_here (i int)"),
    sql(source.cluster, source.dbname, "drop table public.only_here"))
  local read_only = "alter database " .. source.dbname .. " set default_transaction_read_only = %s"
  spoil(self, "the source is open", sql(source.cluster, source.dbname, read_only:format "off"),
    sql(source.cluster, source.dbname, read_only:format "on"))
end

describe("the fault driver's checks", function()
  it("find one thing wrong at a time in what a good move has left", function()
    proxied.run("linode", {}, function(world)
      local self = trial.new(world)
      verdict.begin(self)
      expect(self:run().code).is(0)
      expect(complaints_of(self)).is ""
      spoil_heroku(self)
      spoil_left_overs(self)
      spoil_data(self)
      local said = complaints_of(self, "as before")          -- it was moved: nothing of it is as before
      for _, text in ipairs { "DATABASE_URL is not the source", "there is an OLD_DATABASE_URL", "source is closed" } do
        expect(said).has(text)
      end
      expect(complaints_of(self)).is ""
    end)
  end)

  it("find a fault that was never met, and an end that is not allowed", function()
    local never = { { inject = "http", place = "s3.put_part", fault = { answer = 503 }, why = "nobody asked" },
      { inject = "http", place = "heroku.app", fault = { answer = 503, times = "always", skip = 500 },
        why = "the record shows no" },
      { inject = "reset", server = "target", share = 9, why = "bytes came by" },
      { inject = "at step", step = "no_such_step", act = "fail over", why = "the step never began" } }
    proxied.run("postgres", {}, function(world)
      for i, case in ipairs(never) do
        case.name, case.ends = case.why, i == 1 and { 6 } or { 0 }
        local row = driver.run_case(case, world, { traffic = { target = 1 << 20 } })
        local said = table.concat(row.complaints, "; ")
        expect(said).has("the fault was not met: ")
        expect(said).has(case.why)
        if i == 1 then expect(said).has "exit status 0" else expect(said).lacks "exit status" end
        for _, name in ipairs(fs.list(world.dir .. "/faults")) do fs.remove(world.dir .. "/faults/" .. name) end
      end
    end)
  end)

  it("find an error that names no id, nor how to go on, and one that is a bug", function()
    local function judged(said, case)
      local complaints = {}
      driver.judge_words({ code = 6, said = said }, { id = "f001" }, case or {},
        function(what, ...) complaints[#complaints + 1] = what:format(...) end)
      return table.concat(complaints, "; ")
    end
    local cure, on = "\n      cure: Look at it.\n", "go on: pgorch resume f001\n"
    expect(judged("\nerror: PGO-NET it is gone" .. cure .. on)).is ""
    expect(judged("\nerror: it is gone" .. cure .. on)).is "no error id is told"
    expect(judged("\nerror: PGO-NET it is gone\n" .. on)).is "no cure is told"
    expect(judged("\nerror: PGO-NET it is gone" .. cure .. on:gsub("1", "2"))).is "it does not say how to go on"
    expect(judged("\nerror: PGO-LUA attempt to index nil" .. cure .. on)).is "it says PGO-LUA"
    expect(judged("\nerror: PGO-NET" .. cure .. on, { id = "PGO-URL" })).is "PGO-URL is not told"
  end)
end)
