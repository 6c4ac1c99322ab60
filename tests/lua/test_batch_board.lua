-- What is seen of a batch while it goes on. What must hold: the table fits any terminal, also with 500 rows, and shows
-- first what is at work and who is needed; on a real terminal it is drawn in place and survives a change of its size;
-- elsewhere each change is one line; machines get each change, and how far a row is once a second.

local Board   = require "pgorch.batch.board"
local columns = require "pgorch.columns"
local driver  = require "support.board_driver"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local task    = require "pgorch.task"

-- A board that writes into a list, with a clock of its own.
local function board_of(mode, more)
  local out, at = {}, { now = 0 }
  local o = { mode = mode, now = function() return at.now end, put = function(text) out[#out + 1] = text end,
    size = function() return at.width or 80, at.height or 24 end }
  for name, value in pairs(more or {}) do o[name] = value end
  return Board.new(o), out, at
end

local function brief(row, more)
  local made = { id = row.id, batch = row.batch, position = row.position, state = row.state, fence = row.fence,
    recipe = row.recipe, run = row.run }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

-- --- the table ---

local function drawn(width, height, batch)
  local board, out, at = board_of "live"
  at.width, at.height = width, height
  board:batch(batch)
  board:close()
  local list = {}
  for line in out[1]:gsub("\27%[[%d;?]*[A-Za-z]", ""):gmatch "[^\r\n]+" do list[#list + 1] = line end
  return list
end

local function where(list, text)
  for i, line in ipairs(list) do
    if line:find(text, 1, true) then return i end
  end
end

describe("the width of a text", function()
  it("is that of a terminal's columns", function()
    for text, width in pairs { abc = 3, ["é"] = 1, ["e\u{301}"] = 1, ["データ"] = 6, ["한"] = 2, ["✅"] = 2,
      ["👍🏽"] = 2, ["✓"] = 1, ["\xff\xfe"] = 2 } do
      expect({ text, columns.width(text) }).same { text, width }
    end
  end)

  it("is clipped between letters, and filled up", function()
    expect(columns.clip("データベース", 6)).is "デー~"
    expect(columns.fit("データベース", 6)).is "デー~ "
    expect(columns.fit("ab", 4, true)).is "  ab"
    expect(columns.clip("ab", 0)).is ""
    expect(columns.line("a\nb\27[31m\u{85}c\xff")).is "a b?[31m??c?"
  end)
end)

describe("the live table", function()
  it("shows what is at work, then who is needed, then how many wait and why, then the totals", function()
    local list = drawn(80, 40, driver.batch(500))
    local order = { "batch night", "took", "shop-012", "NOT all put back", "waits at its gate", "stopped, state kept",
      "failed, put back", "refused", "waits for room: instance prod-1", "21 of 500 done, 12 running" }
    local last = 0
    for _, text in ipairs(order) do
      local at = where(list, text == "took" and "progress" or text)
      expect({ text, at and at > last }).same { text, true }
      last = at
    end
    expect(list[where(list, "shop-012")]).matches "acme.* %[##    %]  40 %%   47 MB/s +ETA 14 m"
    expect(list[where(list, "waits at its gate")]).has "pgorch batch approve night shop-005"
    expect(where(list, "shop-100")).is_nil()
  end)

  it("fits any terminal", function()
    local batch = driver.batch(500)
    for width = 12, 160, 7 do
      for _, height in ipairs { 2, 3, 4, 6, 8, 12, 24, 60 } do
        local list = drawn(width, height, batch)
        expect({ width, height, #list > 0 and #list < height }).same { width, height, true }
        for _, line in ipairs(list) do
          expect({ width, line, columns.width(line) < width }).same { width, line, true }
        end
      end
    end
  end)

  it("keeps its columns where they are, whatever is wide", function()
    local list = drawn(120, 30, driver.batch(500))
    local function column(text, what) return columns.width(list[where(list, text)]:match("^(.-)" .. what)) end
    expect(column("データ", "Compare")).is(column("shop-004", "Dump"))
    expect(column("émile", "Compare")).is(column("shop-004", "Dump"))
    expect(list[where(list, "émile")]:find "\27").is_nil()
  end)

  it("counts what there is no room for, and leaves a third to those that need somebody", function()
    local list = drawn(80, 14, driver.batch(500))
    for _, text in ipairs { "more at work", "more that need somebody", "NOT all put back" } do
      expect({ text, where(list, text) ~= nil }).same { text, true }
    end
  end)

  it("is drawn at most twice a second", function()
    local board, out, at = board_of "live"
    local batch = driver.batch(20)
    board:batch(batch)
    for i = 1, 100 do
      at.now = i / 20
      board:row(batch, batch.rows[2])
      board:tick()
    end
    expect(#out).is(11)
    board:close()
  end)
end)

-- --- what is known of a row ---

describe("a row", function()
  it("keeps what is not read again: how far it is, its app, its error", function()
    local board = board_of "plain"
    local batch = driver.batch(20)
    board:batch(batch)
    local row = batch.rows[2]
    board:row(batch, brief(row))
    local known = board.batches[1].by_id[row.id]
    expect(known.progress.title).is(row.progress.title)
    expect(known.argv[1]).is "--app=acme-shop-2"
    board:row(batch, brief(row, { state = "failed", error = { id = "PGO-X", message = "m" } }))
    board:row(batch, brief(row, { state = "failed" }))
    known = board.batches[1].by_id[row.id]
    expect(known.error.id).is "PGO-X"
    expect(known.progress).is_nil()
    board:close()
  end)

  it("does not go back to what was read before it went on", function()
    local board = board_of "plain"
    local batch = driver.batch(20)
    board:batch(batch)
    local row = batch.rows[2]
    board:row(batch, brief(row, { state = "done", exit_status = 0 }))
    board:row(batch, brief(row, { state = "running" }))
    board:row(batch, brief(row, { state = "ready", fence = 0 }))
    expect(board.batches[1].by_id[row.id].state).is "done"
    board:row(batch, brief(row, { state = "running", fence = 2 }))
    expect(board.batches[1].by_id[row.id].state).is "running"
    expect(board.batches[1].done).is(1)
    board:close()
  end)
end)

-- --- plain lines ---

local function life(board, at)
  local row = { id = "a", state = "ready", fence = 0, recipe = "vultr" }
  local batch = { name = "b", state = "running", rows = { row, { id = "z", state = "ready", fence = 0 } } }
  board:batch(batch)
  local function now(more)
    for name, value in pairs(more) do row[name] = value end
    board:row(batch, row)
  end
  now { reason = "waits for a slot" }
  now { state = "running", fence = 1, run = "r1", worker = "w1", reason = false }
  now { progress = { step = "dump", title = "Dump", fraction = 0.1 } }
  at.now = 0.2
  now { progress = { step = "dump", title = "Dump", fraction = 0.2 } }
  at.now = 1.5
  now { progress = { step = "dump", title = "Dump", fraction = 0.3 } }
  now { progress = { step = "gate", title = "cut over?", gate = "gate" } }
  at.now = 61
  board:tick()
  now { state = "waiting", progress = false, exit_status = 6, wait = 30, worker = false,
        error = { id = "PGO-NET", message = "gone\nand more" } }
  now { state = "running", fence = 2, error = false, worker = "w1", wait = false, exit_status = false }
  now { state = "done", exit_status = 3, worker = false }
  board:row(batch, brief(row, { state = "done", exit_status = 3, reason = "x" }))
  board:batch { name = "b", state = "stopped", reason = "1 rows did not end well", rows = {} }
  board:close()
end

describe("plain lines", function()
  it("are one for each change, and the totals now and then", function()
    local board, out, at = board_of "plain"
    life(board, at)
    expect(table.concat(out)).is(table.concat({ "b/a begins  run r1", "b/a waits at its gate: pgorch batch approve b a",
      "b: 0 of 2 done, 1 running, 1 ready",
      "b/a waiting  exit 6: trouble outside, state kept  PGO-NET gone  again in 30 s",
      "b/a begins  run r1", "b/a done  exit 3: done, with warnings", "b is stopped: 1 rows did not end well", "" },
      "\n"))
  end)

  it("of a worker are those of its own rows", function()
    local board, out, at = board_of("plain", { own = "w2" })
    life(board, at)
    expect(table.concat(out)).is "b is stopped: 1 rows did not end well\n"
    board, out, at = board_of("plain", { own = "w1" })
    life(board, at)
    expect(out[1]).is "b/a begins  run r1\n"
    expect(out[#out - 1]).is "b/a done  exit 3: done, with warnings\n"
  end)

  it("are few when it is to be quiet", function()
    local board, out, at = board_of("plain", { host = { quiet = true } })
    life(board, at)
    expect(table.concat(out)).is("b/a waits at its gate: pgorch batch approve b a\n"
      .. "b is stopped: 1 rows did not end well\n")
  end)
end)

describe("JSON Lines", function()
  it("tell each change at once, and how far a row is once a second", function()
    local board, out, at = board_of "json"
    life(board, at)
    local told = {}
    for i, line in ipairs(out) do
      local e = json.decode(line)
      told[i] = e.event == "row" and ("%s %s %s"):format(e.row, e.state, e.gate or e.fraction or e.exit_status or "")
        or ("%s %s %s"):format(e.batch, e.state, e.rows)
      expect(e.at).matches "Z$"
    end
    expect(table.concat(told, "\n")).is(table.concat({ "b running 2", "a ready ", "z ready ", "a ready ", "a running ",
      "a running 0.1", "a running 0.3", "a running gate", "b running 2", "a waiting 6", "a running ", "a done 3",
      "b stopped 2" }, "\n"))
    expect(json.decode(out[10]).error.message).is "gone\nand more"
  end)
end)

-- --- a real terminal ---

local function tmux(folder, ...)
  return process.run { "tmux", "-S", folder .. "/socket", "-f", "/dev/null", ... }.stdout
end

local function screen(folder) return tmux(folder, "capture-pane", "-p", "-t", "t") end

local function all(folder) return tmux(folder, "capture-pane", "-p", "-S", "-500", "-t", "t") end

local function wait_for(folder, text)
  task.timeout(20, function()
    while not all(folder):find(text, 1, true) do task.sleep(0.1) end
  end)
end

local SHOW = "load(require[[pgorch.fs]].read[[%s/../support/board_driver.lua]], [[=driver]])().show[[%s/stop]]"

-- fn(folder) while the invented batch is shown on a terminal of 80 columns and 24 lines.
local function on_terminal(environment, fn)
  fs.with_temporary("/tmp/pgorch-board-", function(folder)
    local code = SHOW:format(TEST_FOLDER, folder)
    local command = ("%s '%s' eval '%s'; echo ENDED; sleep 60"):format(environment, host.executable(), code)
    tmux(folder, "new-session", "-d", "-s", "t", "-x", "80", "-y", "24", command)
    local ok, err = pcall(fn, folder)
    tmux(folder, "kill-server")
    if not ok then error(err, 0) end
  end)
end

local function count(text, what)
  local _, n = text:gsub(what:gsub("%p", "%%%0"), "")
  return n
end

describe("on a terminal", function()
  before(function()
    if process.run({ "sh", "-c", "command -v tmux", check = false }).code ~= 0 then
      skip "tmux is not installed: vendor/debian.sh test"
    end
  end)

  it("is drawn in place, follows the size, and is gone at the end", function()
    on_terminal("LANG=C.UTF-8 TERM=screen", function(folder)
      wait_for(folder, "✓ shop-001  done")
      expect(screen(folder)).matches "^before the table\n  ✓ shop%-001  done[^\n]*\nbatch night"
      for _, size in ipairs { { 80, 24 }, { 50, 24 }, { 130, 30 }, { 80, 12 } } do
        tmux(folder, "resize-window", "-t", "t", "-x", size[1], "-y", size[2])
        task.sleep(1.3)
        local seen = screen(folder)
        expect({ size[1], count(seen, "batch night"), count(seen, "of 500 done") }).same { size[1], 1, 1 }
      end
      fs.write(folder .. "/stop", "")
      wait_for(folder, "ENDED")
      expect(count(screen(folder), "batch night")).is(0)
      expect(count(all(folder), "before the table")).is(1)
    end)
  end, { limit = 60 })

  it("is plain lines without colour, and where the terminal can do nothing", function()
    for _, environment in ipairs { "NO_COLOR=1 TERM=screen", "TERM=dumb" } do
      on_terminal(environment, function(folder)
        wait_for(folder, "night/shop-001 done")
        fs.write(folder .. "/stop", "")
        wait_for(folder, "ENDED")
        expect(count(all(folder), "batch night")).is(0)
      end)
    end
  end, { limit = 60 })
end)
