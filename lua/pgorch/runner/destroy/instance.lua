-- What goes with an instance besides the database that was moved: its other databases, and who uses any of them.
-- One that was moved by another run of this record may go, if nothing was written to it since. Reads only.

local detector = require "pgorch.detector"
local source   = require "pgorch.source"
local task     = require "pgorch.task"

local instance = {}

-- Providers make them with the server; they are nobody's as long as nothing is in them.
local function is_the_providers(from, name)
  return name == "postgres" or name == (from.default_dbname or "defaultdb")
end

-- The same server, another database of it.
local function beside(from, name) return setmetatable({ dbname = name }, { __index = from }) end

local function holds_data(from, name)
  local ok, answer = pcall(function()
    local conn <close> = from:connect { dbname = name }
    return conn:value(source.sql "holds_data")
  end)
  if not ok and task.cancelled(answer) then error(answer, 0) end
  return not ok or answer
end

local MOVED = { "window_opens", "verify", "nothing_was_written", "cut_over" }

-- What a run has found of a database that it has moved away from; nil when it has not.
local function moved(store, run, identity)
  local rows = {}
  for _, row in ipairs(store:steps(run.id)) do rows[row.id] = row end
  for _, id in ipairs(MOVED) do
    if not rows[id] or rows[id].state ~= "done" then return nil end
  end
  local fingerprint = rows.fingerprint and rows.fingerprint.result
  if (rows.window_opens.result or {}).source ~= identity or not fingerprint then return nil end
  return { run = run.id, mark = fingerprint.mark }
end

local function find_move(session, from, name)
  local identity = beside(from, name):identity()
  for _, run in ipairs(session.store:runs()) do
    local over = run.state == "done" and run.kind ~= "rehearsal" and run.id ~= session.run.id
    local found = over and moved(session.store, run, identity)
    if found then return found end
  end
end

-- A name that only the provider's API lists counts too.
local function listed(from)
  local conn <close> = from:connect()
  local list, known = conn:query(source.sql "instance_databases"), {}
  for _, each in ipairs(list) do known[each.name] = true end
  for _, name in ipairs(from.databases and from.databases() or {}) do
    if not known[name] and not name:find "^_aiven" then list[#list + 1] = { name = name, open = false } end
  end
  return list
end

-- Nobody but the provider gets into a `postgres` that is not open to the owner of the instance.
local function is_empty(from, each)
  if not is_the_providers(from, each.name) then return false end
  if not each.open then return each.name == "postgres" end
  return not holds_data(from, each.name)
end

-- Why it may go with the rest; nil: it may not.
local function excuse(session, from, each)
  local move = find_move(session, from, each.name)
  if move then return "moved by run " .. move.run, move.mark end
  return is_empty(from, each) and "empty" or nil
end

---The other databases of the instance: those that nobody has moved, and those that may go.
---@param session table
---@param from pgorch.Source
---@return string[] unmoved   names
---@return {name: string, why: string, mark: table|nil}[] others
function instance.others(session, from)
  local unmoved, others = {}, {}
  for _, each in ipairs(listed(from)) do
    if each.name ~= from.dbname then
      local why, mark = excuse(session, from, each)
      if why then others[#others + 1] = { name = each.name, why = why, mark = mark }
      else unmoved[#unmoved + 1] = each.name end
    end
  end
  return unmoved, others
end

---What was written to one of them since it was moved, as the detector answers.
---@param from pgorch.Source
---@param other {name: string, mark: table|nil}
---@return table|nil
function instance.written(from, other)
  return other.mark and detector.ask(beside(from, other.name), other.mark, { settle = 0 }) or nil
end

---Who uses any database of it. The provider itself looks into `postgres`.
---@param from pgorch.Source
---@return {database: string, application: string|nil, user: string|nil, address: string|nil, sessions: integer}[]
function instance.clients(from)
  local conn <close> = from:connect()
  local list = {}
  for _, each in ipairs(conn:query(source.sql "instance_clients")) do
    if each.database ~= "postgres" or from.dbname == "postgres" then list[#list + 1] = each end
  end
  return list
end

return instance
