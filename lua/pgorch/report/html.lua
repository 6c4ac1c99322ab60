-- Markup that cannot be forgotten to escape: h.TAG { attribute = ..., child, ... } makes an element, and every text in
-- it, as a child or as an attribute, is escaped. Pure.

local html = {}

---@class pgorch.Markup
---@field text string   markup as it is written
local Markup = {}
Markup.__index = Markup

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- What no document may hold, and what would turn the direction of all that follows, is shown as what it is.
local function visible(text)
  text = text:gsub("[%z\1-\8\11\12\14-\31\127]", function(c)
    return c == "\127" and "\u{2421}" or utf8.char(0x2400 + c:byte())
  end)
  text = text:gsub("\xE2\x80[\xAA-\xAE]", "\u{FFFD}"):gsub("\xE2\x81[\xA6-\xA9]", "\u{FFFD}")
  return text
end

---@param value any
---@return string
function html.escape(value)
  local text = tostring(value)
  if not utf8.len(text) then text = text:gsub("[\x80-\xFF]", "\u{FFFD}") end
  return (visible(text):gsub("[&<>\"']", ENTITIES))
end

---Markup from elsewhere, taken as it is: the style sheet.
---@param text string
---@return pgorch.Markup
function html.raw(text) return setmetatable({ text = text }, Markup) end

local function is_markup(value) return getmetatable(value) == Markup end

-- A list may have holes: what is not there is written as `x and ...`.
local function last_index(list)
  local last = 0
  for key in pairs(list) do
    if math.type(key) == "integer" and key > last then last = key end
  end
  return last
end

local function write(out, child)
  if is_markup(child) then
    out[#out + 1] = child.text
  elseif type(child) == "table" then
    for i = 1, last_index(child) do write(out, child[i]) end
  elseif child then
    out[#out + 1] = html.escape(child)
  end
end

local VOID = { meta = true, link = true, br = true, hr = true }

local function attributes(node)
  local names, out = {}, {}
  for name in pairs(node) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, written = node[name], name:gsub("_", "-")
    if value == true then out[#out + 1] = " " .. written
    elseif value then out[#out + 1] = (' %s="%s"'):format(written, html.escape(value)) end
  end
  return table.concat(out)
end

---h.p { class = "x", "text", h.b { "bold" } }; `false` and nil are nothing, a list is its
---elements; an underscore in an attribute's name is a hyphen.
html.h = setmetatable({}, { __index = function(h, tag)
  local function element(node)
    local out = { "<", tag, attributes(node), ">" }
    if not VOID[tag] then
      write(out, node)
      out[#out + 1] = ("</%s>"):format(tag)
    end
    return html.raw(table.concat(out))
  end
  h[tag] = element
  return element
end })

---@param node pgorch.Markup|any[]
---@return string
function html.text(node)
  local out = {}
  write(out, node)
  return table.concat(out)
end

return html
