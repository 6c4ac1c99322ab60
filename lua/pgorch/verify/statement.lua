-- The one statement of a file, without the semicolon, the blanks and the comments that it may end with. What stands in
-- strings, quoted names and comments is not looked into. Whether it is one statement, and right, the server says.

local M = {}

-- The end of what begins and ends with `quote`. A doubled quote is two quoted parts side by side.
local function quoted(sql, at, quote, escapes)
  local stop = at + 1
  while stop <= #sql do
    local c = sql:sub(stop, stop)
    if c == quote then return stop end
    stop = stop + (escapes and c == "\\" and 2 or 1)
  end
  return #sql
end

-- Comments in /* */ may stand in each other.
local function comment(sql, at)
  local depth, stop = 1, at + 1
  while depth > 0 do
    local first, last = sql:find("[/*][*/]", stop + 1)
    if not first then return #sql end
    local mark = sql:sub(first, last)
    if mark == "/*" then depth, stop = depth + 1, last
    elseif mark == "*/" then depth, stop = depth - 1, last
    else stop = first end
  end
  return stop
end

local function dollars(sql, at)
  local tag = sql:match("^%$[%a_\x80-\xff]?[%w_\x80-\xff]*%$", at)
  if not tag then return at end
  return select(2, sql:find(tag, at + #tag, true)) or #sql
end

-- The end of what begins at `at`, and whether it is of the statement.
local function part(sql, at)
  local c, two = sql:sub(at, at), sql:sub(at, at + 1)
  if two == "--" then return (sql:find("[\r\n]", at) or #sql), false end
  if two == "/*" then return comment(sql, at), false end
  if c == "'" or c == '"' then return quoted(sql, at, c), true end
  if two:find "^[eE]'" then return quoted(sql, at + 1, "'", true), true end
  if c == "$" then return dollars(sql, at), true end
  local word = select(2, sql:find("^[%w_\x80-\xff][%w_$\x80-\xff]*", at))   -- no $ in it begins a string
  return word or at, not c:find "[%s;]"
end

---@param sql string
---@return string
function M.alone(sql)
  local at, last = 1, 0
  while at <= #sql do
    local stop, counts = part(sql, at)
    if counts then last = stop end
    at = stop + 1
  end
  return sql:sub(1, last)
end

return M
