-- In a sandbox alone: a process that dies, as by kill -9, right after one of its writes to the record of runs, for
-- tests of what comes after. PGORCH_SANDBOX_DEATHS names a file that both sides read and write, a line for each write:
-- `write LABEL`, and `died LABEL` where it was the last one. Nobody dies of the same write twice. How large a share of
-- the writes is deadly, and which ones, is said by PGORCH_SANDBOX_DEATHS_SHARE and ..._SEED.

local crypto  = require "pgorch.crypto"
local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local poll    = require "pgorch.poll"
local testing = require "pgorch.native.testing"

local deaths = {}

local LARGEST = 1 << 22

-- What an event's statement tells of; nil for other statements.
local function event_of(statement)
  if not statement[1]:find "^insert into event " then return nil end
  local step = statement[5]:match '"step":"([^"]*)"' or statement[5]:match '"name":"(%a+)'
  return step and ("%s %s"):format(statement[4], step) or statement[4]
end

-- A write in words: the events that it tells of, or else what its statements change.
local function label_of(statements)
  local told, changed = {}, {}
  for _, statement in ipairs(statements) do
    local event = event_of(statement)
    local verb = statement[1]:match "^%s*(%a+%s+%a+%s*%a*)"
    if event then told[#told + 1] = event elseif verb then changed[#changed + 1] = verb end
  end
  return table.concat(#told > 0 and told or changed, ", ")
end

---A number from 0 to 1, the same for the same seed and write.
local function draw(seed, label)
  return tonumber(crypto.sha256(("%s %s"):format(seed, label)):sub(1, 13), 16) / 16 ^ 13
end

-- The same words again in one process are another write.
local function numbered(self, label)
  local count = (self.seen[label] or 0) + 1
  self.seen[label] = count
  return count == 1 and label or ("%s (%d)"):format(label, count)
end

local Db = {}

function Db:__index(name)
  local method = Db[name] or self.db[name]
  return Db[name] or function(_, ...) return method(self.db, ...) end
end

function Db:batch(statements)
  local rows, changes = self.db:batch(statements)
  local label = numbered(self, label_of(statements))
  local died = fs.exists(self.file) and fs.read(self.file, LARGEST):find(("died %s\n"):format(label), 1, true)
  local dies = not died and draw(self.seed, label) < self.share
  fs.append(self.file, ("%s %s\n"):format(dies and "died" or "write", label))
  if dies then testing.die() end
  return rows, changes
end

---The record's connection, as it is wanted to be.
---@param db table
---@return table db
function deaths.around(db)
  local file = env.get "PGORCH_SANDBOX_DEATHS"
  if not file or not env.get "PGORCH_SANDBOX" or not poll.is_loopback(env.get "HEROKU_HOST") then return db end
  return setmetatable({ db = db, file = file, seen = {}, seed = env.get "PGORCH_SANDBOX_DEATHS_SEED" or "1",
    share = tonumber(env.get "PGORCH_SANDBOX_DEATHS_SHARE") or 0 }, Db)
end

return deaths
