-- Builds the XML documents that the S3 stand-in answers with. An element's content is text (escaped here) or
-- a list of elements that were built before.

local document = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\r"] = "&#13;" }
local NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

---@param name string
---@param content string|number|boolean|string[]
---@param attributes? string written as it is
---@return string
function document.element(name, content, attributes)
  local inner
  if type(content) == "table" then
    inner = table.concat(content)
  else
    inner = tostring(content):gsub('[&<>"\r]', ENTITIES)
  end
  return ("<%s%s>%s</%s>"):format(name, attributes and " " .. attributes or "", inner, name)
end

--- Whose something is.
---@param account { id: string, name: string }
---@return string
function document.owner(account)
  local element = document.element
  return element("Owner", { element("ID", account.id), element("DisplayName", account.name) })
end

--- An answer that holds a document.
---@param status integer
---@param root string
---@param content string|string[]
---@param plain? boolean without the S3 namespace (error documents have none)
---@return table answer
function document.answer(status, root, content, plain)
  local attributes = not plain and ('xmlns="%s"'):format(NAMESPACE) or nil
  return {
    status = status,
    headers = { ["content-type"] = "application/xml" },
    body = '<?xml version="1.0" encoding="UTF-8"?>' .. document.element(root, content, attributes),
  }
end

return document
