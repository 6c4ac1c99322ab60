-- What a database's settings are, and which of them somebody chose. Only reads; what it gives may hold secrets: it is
-- for the moment, never for the record of runs.

local csv    = require "pgorch.csv"
local rules  = require "pgorch.settings.rules"
local source = require "pgorch.source"
local value  = require "pgorch.settings.value"

local read = {}

local COLUMNS = { "name", "setting", "unit", "category", "short_desc", "extra_desc", "context", "vartype", "source",
  "min_val", "max_val", "enumvals", "boot_val", "reset_val", "sourcefile", "sourceline", "pending_restart" }

---@class pgorch.settings.State
---@field rows table[]                    pg_settings, by name
---@field server table<string, table>     its rows, keyed by name
---@field own {role: string|nil, login: boolean, here: boolean, name: string, value: string}[]
---@field chosen table<string, {value: string, origin: string}>  what a session of this login gets that somebody chose

-- Not the server's default, nor what a client brings along.
local NOT_CHOSEN = { default = true, client = true, override = true, ["environment variable"] = true }

local function chosen_of(state)
  local chosen = {}
  for _, row in ipairs(state.rows) do
    if row.reset_val ~= row.boot_val and not NOT_CHOSEN[row.source] and not rules.OURS[row.name] then
      chosen[row.name] = { value = row.reset_val or "", origin = "server" }
    end
  end
  for _, each in ipairs(state.own) do
    if (not each.role or each.login) and not rules.OURS[each.name] then
      chosen[each.name] = { value = each.value, origin = each.login and "login" or "database" }
    end
  end
  return chosen
end

---@param conn pgorch.Connection
---@return pgorch.settings.State
function read.state(conn)
  local state = { rows = conn:query(source.sql "settings_all"), server = {},
                  own = conn:query(source.sql "settings_own") }
  for _, row in ipairs(state.rows) do state.server[row.name] = row end
  state.chosen = chosen_of(state)
  return state
end

---What a session of this login gets.
---@param state pgorch.settings.State
---@param name string
---@return string|nil
function read.effective(state, name)
  local row = state.server[name]
  if row then return row.reset_val or "" end
  return state.chosen[name] and state.chosen[name].value
end

---pg_settings as psql's \copy ... csv header writes it, without what may be a secret.
---@param state pgorch.settings.State
---@return string
function read.csv(state)
  local rows = {}
  for i, row in ipairs(state.rows) do
    rows[i] = row
    if value.is_secret(row.name) then
      rows[i] = setmetatable({ setting = value.HIDDEN, boot_val = value.HIDDEN, reset_val = value.HIDDEN },
        { __index = row })
    end
  end
  return csv.text(rows, COLUMNS)
end

return read
