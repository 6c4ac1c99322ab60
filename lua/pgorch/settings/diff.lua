-- Which settings differ between source and target, and what can be done about each. Pure: decides, does nothing.

local read  = require "pgorch.settings.read"
local rules = require "pgorch.settings.rules"
local value = require "pgorch.settings.value"

local diff = {}

---@class pgorch.settings.Difference
---@field name string
---@field role string|nil       another role of the source that it is for
---@field origin "server"|"database"|"login"|"role"
---@field value string          to be set; may be a secret
---@field source string         as shown
---@field target string         as shown
---@field class "carry"|"command"|"may"|"never"|"cannot"|"role"
---@field can string            what can be done, for a person

---@class pgorch.settings.Plan
---@field app string
---@field database string      the add-on's name: it stays, whatever the app calls the database
---@field essential boolean

-- Contexts of settings that a database's owner may set for its sessions.
local OWNERS = { user = true }

local function never(name)
  for _, rule in ipairs(rules.NEVER) do
    if name:find(rule[1]) then return rule[2] end
  end
end

-- What a setting's name, and who may set it, allow. `row` is the target's; none: an app's own, or unknown there.
local function judge(name, text, origin, row, plan)
  local command = rules.COMMANDS[name]
  if command then
    if plan.essential then return "cannot", "not on Essential plans" end
    return "command", ("heroku pg:settings:%s %s %s --app %s"):format(command, plan.database, text, plan.app)
  end
  if rules.CARRY[name] then return "carry", "set on the database" end
  local why = never(name)
  if why then return "never", why end
  local is_an_apps = not row and origin ~= "server" and name:find(".", 1, true) ~= nil
  if is_an_apps then return "carry", "set on the database" end
  if not row then return "cannot", "the target does not know it" end
  if not OWNERS[row.context] then return "cannot", "only Heroku can set it" end
  return "may", "--settings all sets it"
end

local function compare(name, chosen, from, to, plan)
  local row, have = to.server[name], read.effective(to, name)
  local wanted = from.server[name] and read.effective(from, name) or chosen.value
  if have == wanted then return nil end
  local unit = from.server[name] and from.server[name].unit
  local class, can = judge(name, wanted, chosen.origin, row, plan)
  -- What was written for the database is set as it was written, what the server says in its own unit.
  return { name = name, origin = chosen.origin, class = class, can = can,
           value = chosen.origin == "server" and wanted or chosen.value,
           source = value.shown(name, wanted, unit), target = value.shown(name, have, row and row.unit) }
end

local function sql_for(role, name, text)
  return ("alter role %s set %s = %s"):format(role, name, value.is_secret(name) and "..." or value.sql(name, text))
end

-- Roles of the source are not carried: for each that somebody makes again, the SQL is told.
local function of_roles(from, list)
  for _, each in ipairs(from.own) do
    if each.role and not each.login and not never(each.name) then
      list[#list + 1] = { name = each.name, role = each.role, origin = "role", class = "role", value = each.value,
        source = value.shown(each.name, each.value), target = "", can = sql_for(each.role, each.name, each.value) }
    end
  end
end

---All that differs of what was chosen on the source, by name.
---@param from pgorch.settings.State
---@param to pgorch.settings.State
---@param plan pgorch.settings.Plan
---@return pgorch.settings.Difference[]
function diff.list(from, to, plan)
  local list = {}
  for name, chosen in pairs(from.chosen) do list[#list + 1] = compare(name, chosen, from, to, plan) end
  table.sort(list, function(a, b) return a.name < b.name end)
  of_roles(from, list)
  return list
end

---Names of what may have to be set on a target that nobody has looked at yet.
---@param from pgorch.settings.State
---@param how string
---@return string[]
function diff.candidates(from, how)
  local names = {}
  for name, chosen in pairs(from.chosen) do
    local by_itself = name:find(".", 1, true) and chosen.origin ~= "server" or how == "all"
    local carried = rules.CARRY[name] or by_itself and not never(name)
    if how ~= "none" and carried and not rules.COMMANDS[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

---Whether `how` ("safe", "all", "none") wants it to be set.
---@param each pgorch.settings.Difference
---@param how string
---@return boolean
function diff.is_wanted(each, how)
  if how == "none" then return false end
  return each.class == "carry" or how == "all" and each.class == "may"
end

return diff
