-- pgorch batch approve BATCH [ROW ...]: the next wave after a canary; with the names of rows or groups, the gates at
-- which their runs wait.

local approval = require "pgorch.runner.approval"
local clock    = require "pgorch.clock"
local eligible = require "pgorch.batch.eligible"
local fail     = require "pgorch.error"
local named    = require "pgorch.batch.named"
local term     = require "pgorch.term"

local word = {}

local USAGE = "pgorch batch approve BATCH [ROW ...]"

local function gate_of(st, row)
  local run = row.run and row.state == "running" and st:run(row.run)
  return run and run.state == "waiting" and run.gate and run or nil
end

-- Rows by the words; a group's name stands for all of its rows.
local function rows_of(batch, words)
  local list, named_here = {}, {}
  for _, each in ipairs(words) do named_here[each] = "unknown" end
  for _, row in ipairs(batch.rows) do
    local by = named_here[row.id] and row.id or row.grp and named_here[row.grp] and row.grp
    if by then
      named_here[by] = "found"
      list[#list + 1] = row
    end
  end
  for _, each in ipairs(words) do
    if named_here[each] == "unknown" then
      fail.raise("PGO-USAGE", ("batch %s has no row and no group %s"):format(batch.name, each))
    end
  end
  return list
end

local function approve_gates(st, batch, rows, must)
  local ids = {}
  for _, row in ipairs(rows) do
    local run = gate_of(st, row)
    if run then
      approval.give(st, run)
      ids[#ids + 1] = row.id
    elseif must then
      fail.raise("PGO-USAGE", ("row %s waits at no gate: it is %s"):format(row.id, row.state),
        { cure = ("`pgorch batch status %s` shows each row."):format(batch.name) })
    end
  end
  return ids
end

local function approve_wave(st, batch)
  if batch.state ~= "running" or not eligible.awaits_approval(batch, clock.time()) then
    fail.raise("PGO-USAGE", ("batch %s does not wait for approval: %s"):format(batch.name,
      batch.state == "running" and "the rows before it are not all at their end" or "it is " .. batch.state),
      { cure = "To pass the gates at which rows wait, name the rows." })
  end
  st:approve_wave(batch.name)
  term.out(("batch %s: the next rows may begin\n"):format(batch.name))
end

local function approve_all(st, batch)
  local canary = batch.options.canary
  if canary and canary.then_wait == "approve" then return approve_wave(st, batch) end
  local ids = approve_gates(st, batch, batch.rows, false)
  if #ids == 0 then fail.raise("PGO-USAGE", ("nothing of batch %s waits for approval"):format(batch.name)) end
  term.out(("past their gates: %s\n"):format(table.concat(ids, ", ")))
end

function word.run(argv)
  local words, host = named.words(argv, {}, USAGE)
  local st <close>, name = named.open(words, host, USAGE)
  local batch = st:batch(name)
  if #words == 0 then
    approve_all(st, batch)
  else
    local ids = approve_gates(st, batch, rows_of(batch, words), true)
    term.out(("past their gates: %s\n"):format(table.concat(ids, ", ")))
  end
  return 0
end

return word
