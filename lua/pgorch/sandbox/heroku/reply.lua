-- Answers of the Heroku stand-in: JSON bodies, the error shapes of the Platform API.
-- A refusal is raised from anywhere in a handler and becomes an answer in one place.

local json = require "pgorch.json"

local reply = {}

---@param status integer
---@param value any what json.encode takes
---@param headers? table<string, string>
function reply.json(status, value, headers)
  local all = { ["Content-Type"] = "application/json;charset=utf-8" }
  for name, text in pairs(headers or {}) do all[name] = text end
  return { status = status, headers = all, body = json.encode(value) }
end

--- Ends the handling of a request with an error answer.
---@param status integer
---@param id string e.g. "not_found"
---@param message string
---@param more? table further keys of the body
---@param headers? table<string, string>
function reply.refuse(status, id, message, more, headers)
  local body = { id = id, message = message }
  for name, value in pairs(more or {}) do body[name] = value end
  error({ refusal = reply.json(status, body, headers) }, 0)
end

function reply.not_found(resource, message)
  reply.refuse(404, "not_found", message or ("Couldn't find that %s."):format((resource:gsub("_", "-"))), {
    resource = resource })
end

function reply.invalid(message)
  reply.refuse(422, "invalid_params", message)
end

--- Something that exists but does not work so: "You can't perform this operation on Essential-tier databases."
function reply.unprocessable(message)
  reply.refuse(422, "unprocessable_entity", message)
end

--- A list without paging, as the Data API gives it.
---@param items table[]
---@param shape fun(item: table): table
function reply.list(items, shape)
  local shown = json.array {}
  for i, item in ipairs(items) do shown[i] = shape(item) end
  return reply.json(200, shown)
end

--- A parameter that JSON may give as null.
function reply.given(value)
  if value ~= json.null then return value end
end

return reply
