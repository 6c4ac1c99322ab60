-- The end of a batch in words and for machines: each row with what came of it, and for those that need somebody what
-- can be typed. From a real record.

local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local store   = require "pgorch.store"
local summary = require "pgorch.batch.summary"

local folder, st

local function submit(ids)
  local rows = {}
  for i, id in ipairs(ids) do
    rows[i] = { id = id, recipe = "vultr", recipe_path = "vultr", recipe_hash = "abc", argv = { "--app=acme-" .. id },
      scopes = {} }
  end
  st:submit_batch { name = "night", options = { attempts = 3 }, rows = rows }
end

local function create_run(id)
  st:create_run { id = id, recipe = "vultr", recipe_path = "vultr", recipe_hash = "abc", versions = {},
    params = { values = { app = "acme-a" }, secrets = {}, host = {} } }
end

local function claim(id)
  local batch = st:schedule "night"
  for _, row in ipairs(batch.rows) do
    if row.id == id then return st:claim_rows(batch, { row }, "w")[1] end
  end
end

local function finish(id, fields)
  local row = claim(id)
  st:release_row("night", id, row.fence, fields)
  return row.run
end

local function of() return summary.of(st, st:batch "night") end

describe("what came of a batch", function()
  before(function()
    folder = fs.mkdtemp "pgorch-batches-"
    st = store.open("sqlite:" .. folder .. "/state.db")
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
  end)

  it("is said row by row, with what can be typed for each that needs somebody", function()
    submit { "a", "b", "c", "d", "e", "f" }
    finish("a", { state = "done", exit_status = 0, stands = false })
    finish("b", { state = "done", exit_status = 3, stands = false })
    finish("c", { state = "failed", exit_status = 1, stands = false,
      error = { id = "PGO-PREFLIGHT", message = "no such app\nand more" } })
    local row = claim "d"
    st:update_row("night", "d", row.fence, { progress = { step = "gate", title = "cut over?", gate = "gate" } })
    row = claim "e"
    st:update_row("night", "e", row.fence, { progress = { step = "dump", title = "Dump", fraction = 0.25 } })
    local text = summary.text(of())
    expect(text).matches "\n  a +done +0 s\n  b +done, with warnings +0 s\n  c +failed, nothing touched +0 s\n"
    expect(text).matches "\n  d +waits at its gate: cut over%? +%d+ s\n  e +running: Dump 25 %% +%d+ s\n"
    expect(text).matches "\n  f +not begun\n"
    expect(text).has(table.concat({ "c: failed, nothing touched", "  PGO-PREFLIGHT no such app",
      "  again: pgorch batch retry night c", "d: waits at its gate",
      "  past its gate: pgorch batch approve night d", "" }, "\n"))
    expect(text).matches "2 done, 2 running, 1 ready, 1 failed\n$"
  end)

  it("names the run, and what goes on with it", function()
    submit { "a" }
    local row = claim "a"
    create_run(row.run)
    st:release_row("night", "a", row.fence, { state = "stopped", exit_status = 8, stands = true })
    local it = of()
    expect(it.rows[1].run).is(row.run)
    expect(it.rows[1].outcome).is "stopped, state kept"
    local text = summary.text(it)
    for _, line in ipairs { "  again: pgorch batch retry night a", "go on: pgorch resume " .. row.run,
      "give up: pgorch rollback " .. row.run, "  what it did: pgorch status " .. row.run } do
      expect(text).has(line)
    end
  end)

  it("is the last of the JSON Lines", function()
    submit { "a", "b" }
    finish("a", { state = "attention", exit_status = 11, stands = true, error = { id = "PGO-X", message = "m" } })
    local it = json.decode(summary.line(of(), 11))
    expect({ it.event, it.batch, it.status, #it.rows, it.counts.attention }).same { "ended", "night", 11, 2, 1 }
    expect(it.rows[1].outcome).is "NOT all put back"
    expect(it.rows[1].app).is "acme-a"
    expect(it.rows[2].next).same {}
  end)
end)
