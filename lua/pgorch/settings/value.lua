-- A setting's value: as it is shown, without what may be a secret, and as SQL that sets it to exactly what it was.

local pg    = require "pgorch.pg"
local rules = require "pgorch.settings.rules"

local value = {}

---What stands in the place of a value that is not shown.
value.HIDDEN = "(not shown)"

---Whether the value may be a secret: an app's own settings (app.jwt_secret), commands with keys in them.
---@param name string
---@return boolean
function value.is_secret(name)
  if rules.SECRET[name] then return true end
  if not name:find(".", 1, true) then return false end
  for _, prefix in ipairs(rules.MODULES) do
    if name:sub(1, #prefix) == prefix then return false end
  end
  return true
end

---@param name string
---@param text string|nil
---@param unit? string
---@return string
function value.shown(name, text, unit)
  if text == nil then return "" end
  if value.is_secret(name) then return value.HIDDEN end
  return unit and text .. " " .. unit or text
end

-- A name in double quotes, which are doubled inside it; `at` is on the first of them.
local function quoted_name(text, at)
  local name, after = "", at
  repeat
    local part
    part, after = text:match('^"([^"]*)"()', after)
    if not part then return nil end
    name = name .. part
    local is_doubled = text:sub(after, after) == '"'
    if is_doubled then name = name .. '"' end
  until not is_doubled
  return name, after
end

local function next_name(text, at)
  at = text:find("[^%s,]", at)
  if not at then return nil end
  if text:sub(at, at) == '"' then return quoted_name(text, at) end
  local bare, after = text:match("^([^,]*)()", at)
  return bare:match "^(.-)%s*$", after
end

local function list(text)
  local literals, at = {}, 1
  while true do
    local name, after = next_name(text, at)
    if not name then break end
    literals[#literals + 1], at = pg.literal(name), after
  end
  return #literals > 0 and table.concat(literals, ", ") or "''"
end

---The right side of SET. The server keeps lists already quoted ("$user", public): one literal around them would be one
---name.
---@param name string
---@param text string
---@return string sql
function value.sql(name, text)
  return rules.LISTS[name] and list(text) or pg.literal(text)
end

return value
