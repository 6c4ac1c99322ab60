-- Statements as they may be shown and kept. Definitions hold passwords: of foreign servers and user mappings (OPTIONS),
-- of subscriptions (CONNECTION), of connection strings in a function or view. Changes what is shown, never what is
-- judged or run: a text that is cut off is masked to its end.

local masked = {}

local MASK = "***"

-- Where the literal ends whose first quote stands at `at`. In a literal within a literal all quotes are doubled.
local function literal_end(text, at, limit)
  local is_doubled = text:find("^''[^',)%s]", at)
  local backslashes = text:sub(at - 1, at - 1) == "E"
  local i = at + (is_doubled and 2 or 1)
  while true do
    local found = text:find(backslashes and "['\\]" or "'", i)
    if not found or found >= limit then return limit - 1 end
    local quotes = #text:match("^'*", found)
    if quotes == 0 then i = found + 2                                        -- a backslash, and what it stands before
    elseif is_doubled and quotes % 4 == 2 then return found + quotes - 1
    elseif not is_doubled and quotes % 2 == 1 then return found + quotes - 1
    else i = found + quotes end
  end
end

-- A statement ends at the latest where a program says the next thing.
local function limit_of(text, at)
  return text:find("\n[^\n']*pg_%l+: ", at) or #text + 1
end

-- From behind "OPTIONS (": its literals are masked up to the closing parenthesis, names in quotes stay.
local function options(text, at, limit, parts)
  local from = at
  while at < limit do
    local found, _, what = text:find("(['\")])", at)
    if not found or found >= limit or what == ")" then break end
    if what == '"' then
      at = (text:find('"', found + 1, true) or limit) + 1
    else
      parts[#parts + 1] = text:sub(from, found - 1) .. "'" .. MASK .. "'"
      at = literal_end(text, found, limit) + 1
      from = at
    end
  end
  return from
end

local function connection(text, at, limit, parts)
  parts[#parts + 1] = "'" .. MASK .. "'"
  return literal_end(text, at, limit) + 1
end

-- Whatever stands behind a word, up to where it ends.
local function behind(text, pattern, mask)
  local parts, from = {}, 1
  while true do
    local first, last = text:find(pattern, from)
    if not first then break end
    parts[#parts + 1] = text:sub(from, last)
    from = mask(text, last + 1, limit_of(text, last + 1), parts)
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

local WORD = "([Pp][Aa][Ss][Ss][Ww]%a*%s*=%s*"

---@param text string   statements, and what programs and servers say around them
---@return string
function masked.text(text)
  text = behind(text, "[Oo][Pp][Tt][Ii][Oo][Nn][Ss]%s*%(", options)
  text = behind(text, "CONNECTION%s+E?%f[']", connection)
  text = text:gsub("(://[^/%s:@\"']*):[^%s\"']-@", "%1:" .. MASK .. "@")
  text = text:gsub(WORD .. "'+)[^']+", "%1" .. MASK)
  return (text:gsub(WORD .. ")[^%s'\"]+", "%1" .. MASK))
end

return masked
