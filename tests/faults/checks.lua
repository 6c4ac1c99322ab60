-- Every check of the fault driver itself is shown to be able to fail: a fault that is never met, an end that is not
-- allowed, words that say nothing. What the judge of a world must see is test_judge.lua's.

local driver  = require "driver"
local fs      = require "pgorch.fs"
local proxied = require "proxied"

describe("the fault driver's checks", function()
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
