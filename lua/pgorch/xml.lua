-- XML replies as trees of tables. A document type is refused, so nothing can expand.

local native = require "pgorch.native.xml"

local xml = {}

---@class pgorch.XmlNode: { [integer]: pgorch.XmlNode }
---@field name string
---@field text string  its own text, without that of its children
---@field attributes table<string, string>
local Node = {}
Node.__index = Node

---The first element of that name below this one, at any depth.
---@param name string
---@return pgorch.XmlNode|nil
function Node:find(name)
  for _, child in ipairs(self) do
    local found = child.name == name and child or child:find(name)
    if found then return found end
  end
end

---The text of the first element of that name; nil when there is none.
---@param name string
---@return string|nil
function Node:text_of(name)
  local found = self:find(name)
  return found and found.text
end

---The children of that name, in order.
---@param name string
---@return pgorch.XmlNode[]
function Node:all(name)
  local found = {}
  for _, child in ipairs(self) do
    if child.name == name then found[#found + 1] = child end
  end
  return found
end

---@param text string
---@return pgorch.XmlNode root  raises PGO-XML
function xml.parse(text)
  return native.parse(text, Node)
end

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&apos;" }

---Text as it stands between tags or in an attribute.
---@param text string
---@return string
function xml.escape(text)
  return (text:gsub("[&<>\"']", entities))
end

return xml
