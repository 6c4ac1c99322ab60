-- One form for the text of a view, whatever major wrote it. Until 15 the columns of a query over one relation are
-- written `t.name`, since 16 `name`: the prefix goes. A query over more has it in every major, and keeps it.
-- Works on what pg_get_viewdef gives, not on SQL at large.

local M = {}

-- What may end the FROM clause of the outermost query.
local AFTER_FROM = { WHERE = true, GROUP = true, HAVING = true, WINDOW = true, ORDER = true, LIMIT = true,
                     OFFSET = true, FETCH = true, FOR = true }
local COMBINES = { UNION = true, INTERSECT = true, EXCEPT = true }
local SUBQUERY = { SELECT = true, VALUES = true, WITH = true }

local QUOTED = { ["'"] = "^'[^']*'", ['"'] = '^"[^"]*"' }

-- A quote inside quotes is doubled, so that two quoted parts side by side are one.
local function quoted(text, at, quote)
  local stop = at - 1
  repeat
    local _, last = text:find(QUOTED[quote], stop + 1)
    if not last then return #text end
    stop = last
  until text:sub(stop + 1, stop + 1) ~= quote
  return stop
end

-- Words and quoted identifiers, strings, single other characters; white space is kept as it is.
local function tokens(text)
  local list, at, depth = {}, 1, 0
  while at <= #text do
    local c, stop = text:sub(at, at), at
    local kind = "other"
    if QUOTED[c] then
      stop, kind = quoted(text, at, c), c == '"' and "name" or "string"
    elseif c:find "[%a_\x80-\xff]" then
      stop, kind = select(2, text:find("^[%w_$\x80-\xff]+", at)), "name"
    elseif c:find "%s" then
      stop, kind = select(2, text:find("^%s+", at)), "space"
    elseif c == ")" then
      depth = depth - 1
    end
    list[#list + 1] = { text = text:sub(at, stop), kind = kind, depth = depth }
    if c == "(" then depth = depth + 1 end
    at = stop + 1
  end
  return list
end

-- Where the outermost FROM clause is: its first and last token. Nil where there is none, or several queries.
local function from_clause(list)
  local first, last, before
  for i, token in ipairs(list) do
    if token.depth == 0 and token.kind == "name" then
      if COMBINES[token.text] then return nil end
      if token.text == "FROM" and not first and before ~= "DISTINCT" then first = i + 1 end
      if first and not last and AFTER_FROM[token.text] then last = i - 1 end
    end
    if token.kind ~= "space" then before = token.text end
  end
  return first, last or #list
end

-- `(a JOIN b ON ...)` stands in parentheses, and so does `( SELECT ...) alias`.
local function is_join(list, first, last)
  local seen = {}
  for i = first, last do
    if list[i].kind ~= "space" then seen[#seen + 1] = list[i].text end
    if #seen == 2 then break end
  end
  return seen[1] == "(" and not SUBQUERY[seen[2]]
end

-- What the one relation of the FROM clause goes by; nil where there are more.
local function alias_of(list)
  local first, last = from_clause(list)
  if not first or is_join(list, first, last) then return nil end
  local alias
  for i = first, last do
    local token = list[i]
    if token.depth == 0 then
      if token.text == "," or token.text == "JOIN" then return nil end
      if token.text == "TABLESAMPLE" then break end
      if token.kind == "name" then alias = token.text end
    end
  end
  return alias
end

-- The word before this place, with what is put to it: `:` of a cast, COLLATE.
local function before(list, i)
  local token = list[i - 1]
  if token and token.kind == "space" then token = list[i - 2] end
  return token and token.text
end

-- Of `word.` only what the relation's column follows: the same word may be a schema, that of a function, a type, a
-- collation or an operator; and `t.*` is written with its prefix by every major.
local NAMES_NO_COLUMN = { ["."] = true, [":"] = true, COLLATE = true }

local function is_prefix(list, i, alias)
  local dot, column, after = list[i + 1], list[i + 2], list[i + 3]
  return list[i].text == alias and dot and dot.text == "." and column and column.kind == "name"
    and not (after and after.text == "(") and not NAMES_NO_COLUMN[before(list, i)]
end

---@param text string  of pg_get_viewdef
---@return string
function M.normal(text)
  local list = tokens(text)
  local alias = alias_of(list)
  if not alias then return text end
  local parts, i = {}, 1
  while i <= #list do
    if is_prefix(list, i, alias) then i = i + 2 end
    parts[#parts + 1] = list[i].text
    i = i + 1
  end
  return table.concat(parts)
end

return M
