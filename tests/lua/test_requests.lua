-- `pgorch cancel` and `pgorch rollback` from another terminal, while a process works on the run, after it is gone, and
-- while it puts back. What must hold: the process stops safely or puts back, the one that asked says how it ended, and
-- no request reaches a process that it was not meant for.

local fs    = require "pgorch.fs"
local json  = require "pgorch.json"
local marks = require "support.marks"
local postgres = require "support.postgres"
local process = require "pgorch.process"
local task  = require "pgorch.task"

local it_with = function(fn)
  return function()
    local m <close> = marks.new()
    fn(m)
  end
end

describe("pgorch cancel", function()
  it("stops the process that works on the run, and says what stands and what to type", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "two" }
    m:wait_for "hang two"
    local r = m:pgorch("cancel", "r1")
    expect(r.code).is(0)
    expect(r.stderr).matches(("process %d on %%S+ is asked to stop"):format(worker.pid))
    expect(r.stdout).has "run r1  stopped"
    expect(r.stdout).has "still so: step two; step one"
    expect(r.stdout).has "go on: pgorch resume r1   give up: pgorch rollback r1"
    local ended = marks.ended(worker)
    expect(ended.code).is(8)
    expect(ended.stderr).has "`pgorch cancel` asks to stop: stopping safely"
    expect(ended.stdout).has "still so: step two; step one"
    expect(m:status().error.message).is "stopped, as `pgorch cancel` asked"
    expect(table.concat(m:lines(), " ")).lacks "undo"
    expect(m:pgorch("resume", "r1", "--hang", "none", "--accept-changes", "--yes-cut-over").code).is(0)
    expect(m:count "do one").is(1)
  end))

  it("stops one that waits at a gate, which says where the point of no return is", it_with(function(m)
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    expect(m:pgorch("cancel", "r1").code).is(0)
    local ended = marks.ended(worker)
    expect(ended.code).is(8)
    expect(ended.stderr).has "the point of no return comes after this: until here `pgorch rollback r1`"
    expect(m:status().state).is "stopped"
    expect(m:pgorch("resume", "r1", "--yes-cut-over").code).is(0)
  end))

  it("says so when no process works on the run, whatever became of it", it_with(function(m)
    expect(m:run("--kill", "two:remembered").signal).is "KILL"
    local r = m:pgorch("cancel", "r1")
    expect(r.code).is(0)
    expect(r.stderr).has "run r1: no process works on it"
    expect(r.stdout).has "run r1  interrupted"
    expect(r.stdout).has "still so: step two; step one"
    expect(r.stdout).has "pgorch rollback r1"
    local told = json.decode(m:pgorch("cancel", "r1", "--json").stdout)
    expect(told.standing).same { "step two", "step one" }
    expect(told.asked).is(false)
    expect(m:pgorch("rollback", "r1").code).is(0)
    expect(m:pgorch("cancel", "r1").stdout).has "try again: pgorch resume r1"
    expect(m:pgorch("cancel", "r9").code).is(2)
  end))

  it("says that the request stands when it is not waited for", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "two" }
    m:wait_for "hang two"
    worker:kill "STOP"                             -- it cannot answer
    local asking <close> = m:spawn { "cancel", "r1" }
    while not m:record(function(record) return record:run("r1").request end) do task.sleep(0.05) end
    task.sleep(0.3)
    asking:kill "INT"
    local told = marks.ended(asking)
    expect(told.code).is(8)
    expect(told.stderr).has "run r1 stays asked to stop"
    expect(told.stderr).has "`pgorch status r1` says what came of it"
    worker:kill "CONT"
    expect(marks.ended(worker).code).is(8)
  end))

  it("does not stop what is being put back, and tells its end", it_with(function(m)
    local worker <close> = m:spawn { "--fail", "borrowed", "--error", "PGO-IO", "--linger", "two" }
    m:wait_for "linger two"
    local asking <close> = m:spawn { "cancel", "r1" }
    while m:record(function(record)
      for _, event in ipairs(record:events "r1") do
        if event.kind == "requested" then return false end
      end
      return true
    end) do task.sleep(0.05) end
    while m:record(function(record) return record:run("r1").request end) do task.sleep(0.1) end  -- it was read
    fs.write(m.log .. ".go", "")
    local ended = marks.ended(worker)
    expect(ended.code).is(1)
    expect(ended.stderr).has "`pgorch cancel` asks to stop: not now"
    local told = marks.ended(asking)
    expect(told.code).is(0)
    expect(told.stderr).has "is putting it back, which is not stopped"
    expect(told.stdout).has "run r1  put back"
    expect(m:count "undo one one").is(1)
  end))
end)

describe("pgorch rollback, while a process works on the run,", function()
  it("has it put everything back, and ends as that ends", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "two" }
    m:wait_for "hang two"
    local r = m:pgorch("rollback", "r1")
    expect(r.code).is(0)
    expect(r.stderr).has "asked to stop and to put everything back"
    expect(r.stderr).has "step one: put back"
    expect(r.stdout).has "run r1  put back"
    expect(r.stdout).has "try again: pgorch resume r1"
    local ended = marks.ended(worker)
    expect(ended.code).is(1)
    expect(ended.stdout).has "exit 1: failed, put back"
    expect(m:status().error.message).is "put back, as `pgorch rollback` asked"
    expect({ table.unpack(m:lines(), 4) }).same { "undo two two", "undo one one" }
  end))

  it("has it put back at a gate, too, whatever --on-failure says", it_with(function(m)
    local worker <close> = m:spawn { "--on-failure", "keep" }
    m:wait_for_state "waiting"
    expect(m:pgorch("rollback", "r1").code).is(0)
    expect(marks.ended(worker).code).is(1)
    expect(m:status().state).is "put_back"
  end))

  it("lists what it could not put back, with status 11; status knows it as well", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "two", "--stuck", "one" }
    m:wait_for "hang two"
    local r = m:pgorch("rollback", "r1")
    expect(r.code).is(11)
    for _, text in ipairs { "NOT put back: one  (PGO-IO", "by hand: rm one", "pgorch rollback r1" } do
      expect(r.stdout).has(text)
      expect(m:pgorch("status", "r1").stdout).has(text)
      expect(m:pgorch("cancel", "r1").stdout).has(text)
    end
    expect(marks.ended(worker).code).is(11)
  end))

  it("does it itself when that process dies on the way", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "borrowed", "--linger", "two" }
    m:wait_for "hang borrowed"
    local asking <close> = m:spawn { "rollback", "r1", "--linger", "none", "--accept-changes" }
    m:wait_for "linger two"
    worker:kill "KILL"
    expect(marks.ended(worker).signal).is "KILL"
    expect(marks.ended(asking).code).is(0)
    expect(m:count "undo borrowed borrowed").is(1)
    expect(m:count "undo two two").is(1)
    expect(m:count "undo one one").is(1)
    expect(m:status().state).is "put_back"
  end))

  it("is refused after the cut-over without disturbing it, and with --lose-writes is done", it_with(function(m)
    local worker <close> = m:spawn { "--hang", "after", "--yes-cut-over" }
    m:wait_for "hang after"
    local refused = m:pgorch("rollback", "r1")
    expect(refused.code).is(2)
    expect(refused.stderr).has "PGO-PAST-CUT-OVER"
    expect(m:record(function(record) return record:run("r1").request end)).is_nil()
    expect(m:status().state).is "running"
    expect(m:pgorch("status", "r1").stdout).has "the point of no return was passed 2"
    expect(m:pgorch("rollback", "r1", "--lose-writes").code).is(0)
    local ended = marks.ended(worker)
    expect(ended.code).is(8)
    expect(ended.stdout).has "the point of no return is passed"
    expect(m:count "undo cut cut").is(1)
    expect(m:count "undo one one").is(1)
    expect(m:pgorch("status", "r1").stdout).lacks "point of no return"
  end))
end)

describe("a request", function()
  it("that was meant for a process that is gone stops no other", it_with(function(m)
    expect(m:run("--kill", "left:start").signal).is "KILL"
    local gone = m:record(function(record)
      local run = record:run "r1"
      record:update_run("r1", { request = "rollback " .. run.owner })
      return run.owner
    end)
    local worker <close> = m:spawn { "resume", "r1" }
    m:wait_for_state "waiting"
    m:record(function(record) record:update_run("r1", { request = "stop " .. gone }) end)
    task.sleep(1.5)                                     -- it looks each second
    expect(m:status().state).is "waiting"
    expect(m:pgorch("approve", "r1").code).is(0)
    expect(marks.ended(worker).code).is(0)
    expect(table.concat(m:lines(), " ")).lacks "undo one"
  end))
end)

-- What sees neither the processes nor the files of the worker's machine: another name of the machine is enough.
local function has_namespaces()
  return process.run { "unshare", "--uts", "true", check = false }.code == 0
end

local function under_another_name(m)
  return setmetatable({ prefix = { "unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh" } },
    { __index = m })
end

-- Two containers with one volume.
describe("with a record in a file, under another name of the machine,", function()
  it("a run that is alive is not given away; one that was killed is", it_with(function(m)
    if not has_namespaces() then return skip "unshare --uts is not allowed here" end
    local other = under_another_name(m)
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    expect(other:status().state).is "waiting"
    local refused = other:pgorch("resume", "r1")
    expect(refused.code).is(7)
    expect(refused.stderr).has "is being worked on by process"
    expect(m:status().owner).is(other:status().owner)
    process.run { "kill", "-KILL", tostring(worker.pid) }
    expect(marks.ended(worker).signal).is "KILL"
    expect(other:status().state).is "interrupted"
    expect(other:pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    expect(m:count "do one").is(1)
  end))

  it("rollback asks the process that works", it_with(function(m)
    if not has_namespaces() then return skip "unshare --uts is not allowed here" end
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    local r = under_another_name(m):pgorch("rollback", "r1")
    expect(r.code).is(0)
    expect(r.stderr).has "asked to stop and to put everything back"
    expect(marks.ended(worker).code).is(1)
    expect(m:count "undo one one").is(1)
  end))
end)

describe("at a gate", function()
  it("approve is refused when the process is gone, and says what goes on", it_with(function(m)
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    process.run { "kill", "-KILL", tostring(worker.pid) }
    marks.ended(worker)
    local r = m:pgorch("approve", "r1")
    expect(r.code).is(2)
    expect(r.stderr).has "no process is there"
    expect(r.stderr).has "pgorch resume r1"
    expect(m:record(function(record) return record:run("r1").approved end)).is_nil()
  end))

  it("an outage of the record is waited out, and told once", it_with(function(m)
    local function rename(from, to)
      m:record(function(record) record.db:batch { { ("alter table %s rename to %s"):format(from, to) } } end)
    end
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    rename("run", "run_away")
    task.sleep(2.5)                                     -- it looks each second
    rename("run_away", "run")
    expect(m:pgorch("approve", "r1").code).is(0)
    local ended = marks.ended(worker)
    expect(ended.code).is(0)
    expect(select(2, ended.stderr:gsub("asked again each second", ""))).is(1)
  end))

  it("a process from which the run was taken stops", it_with(function(m)
    local worker <close> = m:spawn {}
    m:wait_for_state "waiting"
    m:record(function(record)
      record.db:batch { { "update run set owner = 'far/away:1:1', fence = fence + 1 where id = 'r1'" } }
    end)
    local ended = marks.ended(worker)
    expect(ended.code).is(7)
    expect(ended.stderr).has "PGO-FENCED"
  end))
end)

describe("with a record on a server, from another machine,", function()
  local function elsewhere(m, server)
    m.state = server.uri
    return under_another_name(m)
  end

  it("cancel stops the process, and rollback has it put back", it_with(function(m)
    if not has_namespaces() then return skip "unshare --uts is not allowed here" end
    local server <close> = postgres.start()
    local other = elsewhere(m, server)
    local worker <close> = m:spawn { "--hang", "two" }
    m:wait_for "hang two"
    expect(other:pgorch("resume", "r1").code).is(7)
    local r = other:pgorch("cancel", "r1")
    expect(r.code).is(0)
    expect(r.stderr).matches "process %d+ on %S+ is asked to stop"
    expect(marks.ended(worker).code).is(8)
    local again <close> = m:spawn { "resume", "r1" }
    while m:count "hang two" < 2 do task.sleep(0.05) end
    expect(other:pgorch("rollback", "r1").code).is(0)
    expect(marks.ended(again).code).is(1)
    expect(m:count "undo one one").is(1)
  end))
end)
