-- What a worker says of its rows: a line for each that begins or ends, as a service's log wants it.

local meaning = require "pgorch.runner.meaning"
local term    = require "pgorch.term"
local owner   = require "pgorch.runner.owner"

local Log = {}
Log.__index = Log

---@return table  a board, see batch/worker.lua
function Log.new() return setmetatable({ told = {}, name = owner.this() }, Log) end

local function say(text) term.err(text .. "\n") end

local function words(batch, row)
  local head = ("%s/%s"):format(batch.name, row.id)
  if row.state == "running" then return ("%s begins  run %s"):format(head, row.run) end
  local status = row.exit_status and ("  exit %d: %s"):format(row.exit_status,
    meaning.of(row.exit_status, row.state)) or ""
  local why = row.error and ("  %s %s"):format(row.error.id, row.error.message) or ""
  local again = row.wait and ("  again in %.0f s"):format(row.wait) or ""
  return ("%s %s%s%s%s"):format(head, row.state, status, why, again)
end

---Only what this worker does: the others have logs of their own.
function Log:row(batch, row)
  local own = row.worker == self.name
  local key = batch.name .. "/" .. row.id
  local what = ("%s %d"):format(row.state, row.fence)
  if self.told[key] == nil and not own or self.told[key] == what or row.reason then return end
  self.told[key] = own and row.state == "running" and what or nil
  say(words(batch, row))
end

function Log:batch(batch) -- luacheck: no self
  if batch.state ~= "running" then say(("%s is %s%s"):format(batch.name, batch.state,
    batch.reason and ": " .. batch.reason or "")) end
end

function Log:message(text) say(text) end -- luacheck: no self

function Log:close() end -- luacheck: no self

return Log
