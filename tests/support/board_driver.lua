-- Shows an invented batch of 500 rows on the terminal that it is started on, for the tests of the live table: rows at
-- work, rows that need somebody, and names that take more columns than they have letters. Ends once there is a file.

local Board = require "pgorch.batch.board"
local fs    = require "pgorch.fs"
local store = require "pgorch.store"
local task  = require "pgorch.task"

local driver = {}

local TITLES = { "Dump", "Restore into the new database", "Checksums of the source", "Compare" }

local function row_of(i)
  return { id = ("shop-%03d"):format(i), batch = "night", position = i, state = "ready", fence = 0, recipe = "vultr",
    argv = { "--app=acme-shop-" .. i }, attempt = 0, estimate = 300,
    reason = i > 450 and "waits for its turn" or "waits for room: instance prod-1" }
end

local function begin(row, i, now)
  row.fence, row.state, row.run, row.started_at, row.reason = 1, "running", ("%04x"):format(i * 997),
    now - math.floor(i * 61e6), nil
  row.progress = { step = "s", title = TITLES[i % 4 + 1], bytes = i * 100000000, total = 3000000000, rate = 47000000,
    eta = i * 70, fraction = i / 30 }
end

local function finish(row, i, status, state, err)
  begin(row, i, store.now())
  row.state, row.exit_status, row.error, row.progress = state or "done", status, err, nil
end

---A batch of so many rows: twelve at work, of which one waits at its gate; of many rows some are done, and one is of
---each other kind.
---@param count integer
---@return table batch
function driver.batch(count)
  local batch = { name = "night", state = "running", rows = {}, options = {} }
  for i = 1, count do batch.rows[i] = row_of(i) end
  local rows = batch.rows
  rows[3].id, rows[7].id = "データベース-生産-東京-ショップ", "émile/cafe\u{301}\27[31m"
  for i = 1, 12 do begin(rows[i], i, store.now()) end
  rows[5].progress = { step = "gate", title = "cut over?", gate = "gate" }
  if count < 64 then return batch end
  for i = 20, 40 do finish(rows[i], i, i % 9 == 0 and 3 or 0) end
  finish(rows[61], 61, 1, "failed", { id = "PGO-RESTORE-LOSSY", message = "1 lossy of 1812 lines\nmore" })
  finish(rows[62], 62, 11, "attention", { id = "PGO-VULTR", message = ("could not open the list again "):rep(5) })
  finish(rows[63], 63, 8, "stopped")
  finish(rows[64], 64, 4, "refused", { id = "PGO-POLICY-ROLE", message = "policy orders_own names role report" })
  return batch
end

---@param stop string   file that ends it
function driver.show(stop)
  local batch = driver.batch(500)
  local board <close> = Board.new { host = {} }
  board:message "before the table"
  board:batch(batch)
  finish(batch.rows[1], 1, 0)
  board:row(batch, batch.rows[1])
  while not fs.exists(stop) do
    for i = 2, 12 do
      local at = batch.rows[i].progress
      if at.fraction then at.bytes = at.bytes + 1000000 end
      board:row(batch, batch.rows[i])
    end
    board:tick()
    task.sleep(0.1)
  end
end

return driver
