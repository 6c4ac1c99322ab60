-- Writes what the stand-ins were asked and what they answered to $PGORCH_SANDBOX/requests.jsonl, one JSON object a
-- line, with the fault that was played. Secrets are masked before anything is written; bodies are shown when they are
-- JSON and small. Large bodies go past it untouched.

local clock = require "pgorch.clock"
local fail = require "pgorch.error"
local fs = require "pgorch.fs"
local json = require "pgorch.json"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local request_log = {}

local MASK = "***"
local SMALL = 16 * 1024
local MAX_JSON = 4 * 1024 * 1024

--- The headers worth seeing.
local SHOWN = { "host", "accept", "accept-expansion", "accept-inclusion", "authorization", "content-length",
  "content-md5", "content-type", "date", "expect", "if-none-match", "next-range", "range", "request-id", "retry-after",
  "user-agent", "x-amz-acl", "x-amz-content-sha256", "x-amz-date", "x-filter" }

--- Words that make a JSON field a secret whatever it holds: `database_password`, `s3_secret_key`, `access_token`.
local SECRET_WORDS = { "password", "secret", "token", "bearer", "api_key", "private_key" }

local function is_secret(field)
  field = tostring(field):lower()
  for _, word in ipairs(SECRET_WORDS) do
    if field:find(word, 1, true) then return true end
  end
  return false
end

--- Text without passwords of URLs, signatures and tokens.
---@param text string
---@return string
function request_log.mask_text(text)
  text = text:gsub("(%a[%w+.-]*://[^/%s:@\"']*):[^%s\"']-@", "%1:" .. MASK .. "@")
  text = text:gsub("(X%-Amz%-Signature=)[^&%s\"']+", "%1" .. MASK)
  return (text:gsub("([?&]Signature=)[^&%s\"']+", "%1" .. MASK):gsub("^(Signature=)[^&%s\"']+", "%1" .. MASK))
end

local function mask_header(name, value)
  if name ~= "authorization" then return request_log.mask_text(value) end
  local signed = value:match("^AWS4%-HMAC%-SHA256")
  if signed then return (value:gsub("(Signature=)%x+", "%1" .. MASK)) end
  return (value:match("^%S+") or "") .. " " .. MASK
end

--- A copy of a JSON value without its secrets. The query of a backup's URL goes as a whole: it is a bearer secret.
---@param value any
---@param field? string the name under which it stands
---@return any
function request_log.mask_value(value, field)
  if type(value) == "table" and value ~= json.null then
    local copy = {}
    for k, v in pairs(value) do copy[k] = request_log.mask_value(v, k) end
    return setmetatable(copy, getmetatable(value))
  end
  if type(value) ~= "string" then return value end
  if is_secret(field) then return MASK end
  if field == "backup_url" or field == "from_url" or field == "public_url" then
    value = value:gsub("%?.*$", "?" .. MASK)
  end
  return request_log.mask_text(value)
end

--- Config vars may be anything, and most are secrets: their names are shown, and which are removed.
local function mask_config(vars)
  local names = {}
  for name, value in pairs(vars) do names[name] = value == json.null and value or MASK end
  return names
end

local function mask_json(text, path)
  if #text == 0 or #text > SMALL then return nil end
  local ok, value = pcall(json.decode, text, { nulls = true })
  if not ok then return nil end
  if path:find "/config%-vars$" and type(value) == "table" then return mask_config(value) end
  return request_log.mask_value(value)
end

local function is_json(headers)
  for name, value in pairs(headers or {}) do
    if name:lower() == "content-type" then return tostring(value):find("json", 1, true) ~= nil end
  end
  return false
end

--- Reads a JSON body for the log and puts it back in front of the handler.
local function body_of(req)
  if not req.body or not is_json(req.headers) then return nil end
  local text = req.body:read_all(MAX_JSON)
  local again = stream.new(#text + 1)
  if #text > 0 then again:write(text) end
  again:finish()
  req.body = again
  return mask_json(text, req.path)
end

local function shown_headers(headers)
  local found = {}
  for _, name in ipairs(SHOWN) do
    if headers[name] then found[name] = mask_header(name, headers[name]) end
  end
  return found
end

local function entry_of(name, req, began, body)
  return {
    time = clock.iso(), standin = name, method = req.method, path = req.path,
    query = req.query and req.query ~= "" and request_log.mask_text(req.query) or nil,
    headers = shown_headers(req.headers), request = body, seconds = math.floor((task.now() - began) * 1e6) / 1e6,
  }
end

local function complete(entry, path, answer)
  entry.status = answer.status
  entry.code = answer.code
  entry.dropped = answer.drop
  entry.cut_after = answer.cut_after
  if type(answer.body) == "string" then
    entry.bytes = #answer.body
    if is_json(answer.headers) then entry.answer = mask_json(answer.body, path) end
  else
    entry.bytes = answer.length or 0
  end
  return entry
end

--- A handler that logs what it is asked and what it answers; a handler's error is logged as a 500 and goes on,
--- unless it is that the client has left.
---@param name string the stand-in's name
---@param handler fun(req: table): table
---@param world { dir: string }
---@return fun(req: table): table
function request_log.wrap(name, handler, world)
  local path = world.dir .. "/requests.jsonl"
  return function(req)
    local began, body = task.now(), body_of(req)
    local ok, answer = pcall(handler, req)
    local entry = entry_of(name, req, began, body)
    local left = not ok and fail.is(answer, "PGO-NET") -- the client went away in mid-body: nobody to answer
    if left then ok, answer = true, { drop = true } end
    if ok then
      complete(entry, req.path, answer)
    else
      entry.status, entry.error = 500, request_log.mask_text(tostring(answer))
    end
    entry.client_left, entry.fault = left or nil, req.fault
    fs.append(path, json.encode(entry) .. "\n")
    if not ok then error(answer, 0) end
    return answer
  end
end

return request_log
