-- Faults that a test asks a stand-in for. A fault is a file in $PGORCH_SANDBOX/faults with a JSON object. Its name says
-- where: the operation's (faults/places.lua), or any other when the object has a `match`. The next request there gets
-- it. Every stand-in gets them the same way, through faults.wrap. The file is counted down and removed when it is used
-- up, so it shows what is still to come. What a fault may hold: faults/fields.lua.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local fail = require "pgorch.error"
local fields = require "pgorch.sandbox.faults.fields"
local fs = require "pgorch.fs"
local json = require "pgorch.json"
local log = require "pgorch.log"
local task = require "pgorch.task"

local faults = {}

-- Finding ------------------------------------------------------------------------------------------------------

--- "POST /apps/*/addons" as Lua patterns: `*` is anything but a slash, `**` anything.
local function patterns(match)
  local method, path = match:match "^(%S+)%s+(/%S*)$"
  if not method then return nil end
  path = path:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*+", function(stars)
    return stars == "*" and "[^/]*" or ".*"
  end)
  return method == "*" and "^.*$" or "^" .. method .. "$", "^" .. path .. "$"
end

--- Is a fault with a `match` for this request? Its query counts only where the pattern has one.
local function is_for(fault, standin, req)
  if not req or fault.standin and fault.standin ~= standin then return false end
  local method, path = patterns(fault.match)
  if not method or not req.method:find(method) then return false end
  local asked = path:find("%?", 1, true) and ("%s?%s"):format(req.path, req.query or "") or req.path
  return asked:find(path) ~= nil
end

--- The fault in a file. Half-written files count as not there yet.
local function read(path)
  local text = fs.exists(path) and fs.read(path) or ""
  if not text:find "%S" then return nil end
  local ok, fault = pcall(json.decode, text)
  if ok and type(fault) == "table" then return fault end
  log.warn("a fault file is not a JSON object", { path = path })
end

--- The files that may hold this request's fault, the most particular first.
local function candidates(folder, name, standin, req)
  local ok, names = pcall(fs.list, folder)
  local there, found = {}, {}
  if not ok then return found end
  table.sort(names)
  for _, each in ipairs(names) do there[each] = true end
  if there[name] then found[1] = name end
  for _, each in ipairs(names) do
    local fault = each ~= name and read(folder .. each)
    if fault and fault.match and is_for(fault, standin, req) then found[#found + 1] = each end
  end
  if there[standin .. ".any"] and name ~= standin .. ".any" then found[#found + 1] = standin .. ".any" end
  return found
end

-- Counting -----------------------------------------------------------------------------------------------------

--- Whether the fault's chance falls on this request: the same for the same seed, fault and number of the request.
local function falls(world, name, fault)
  fault.seen = (fault.seen or 0) + 1
  local draw = crypto.sha256(("%s %s %d"):format(world.seed or 1, name, fault.seen)):sub(1, 13)
  return tonumber(draw, 16) / 16 ^ 13 < fault.chance
end

--- Reads, counts and gives back the fault of this file; nil when it lets this request pass.
local function take(world, folder, name)
  local path = folder .. name
  local fault = read(path)
  if not fault then return nil end
  if (fault.skip or 0) > 0 then
    fault.skip = fault.skip - 1
    fs.write(path, json.encode(fault))
    return nil
  end
  local played = not fault.chance or falls(world, name, fault)
  local always = fault.times == "always" or fault.chance and not fault.times
  if played and not always then fault.times = (fault.times or 1) - 1 end
  if not always and fault.times == 0 then
    fs.remove(path)
  elseif not always or fault.chance then
    fs.write(path, json.encode(fault))
  end
  return played and fault or nil
end

--- The fault that is asked for at this place, counted; nil when there is none.
---@param world { dir: string, seed: integer? }
---@param name string STANDIN.PLACE, see faults/places.lua
---@param req? { method: string, path: string, query: string? } for faults that name method and path
---@return table|nil fault
function faults.at(world, name, req)
  local folder, standin = world.dir .. "/faults/", name:match "^[^.]+"
  world.fault_lock = world.fault_lock or task.semaphore(1) -- two requests must not count the same file at once
  return world.fault_lock:with(function()
    for _, each in ipairs(candidates(folder, name, standin, req)) do
      local fault = take(world, folder, each)
      if fault then return fault end
    end
  end)
end

--- The requests of each operation, from a table of calls {METHOD, PATH, NAME}; a path's variable parts are shown as *.
---@param standin string
---@param calls table[] paths as Lua patterns, or with :names
---@return table<string, string> STANDIN.NAME -> "METHOD /path/*, METHOD /other"
function faults.operations(standin, calls)
  local found = {}
  for _, call in ipairs(calls) do
    local path = call[2]:gsub("%([^)]*%)", "*"):gsub("/:[%w_]+", "/*"):gsub("%%(.)", "%1")
    local name, request = ("%s.%s"):format(standin, call[3]), ("%s %s"):format(call[1], path)
    found[name] = found[name] and ("%s, %s"):format(found[name], request) or request
  end
  return found
end

-- Asking -------------------------------------------------------------------------------------------------------

--- A file name for a fault that says by itself which requests it is for.
local function new_name(folder)
  local number = 1
  while fs.exists(("%smatch-%03d"):format(folder, number)) do number = number + 1 end
  return ("match-%03d"):format(number)
end

--- Raises when a fault would be waited for in vain: a pattern, a field or a value that nobody knows.
---@param at string|nil a place; nil for a fault with a `match`
---@param fault table
function faults.check(at, fault)
  if not at and not (fault.match and patterns(fault.match)) then
    fail.raise("PGO-INVALID", "a fault needs a place, or a match such as \"POST /apps/*/addons\"")
  end
  fields.check(fault, at)
end

--- Asks for a fault, as a test would by writing the file.
---@param world { dir: string }
---@param at string|nil a place; nil for a fault with a `match`
---@param fault table
---@return string name of the file; removing it lifts the fault
function faults.put(world, at, fault)
  faults.check(at, fault)
  local folder = world.dir .. "/faults/"
  fs.mkdir(folder)
  local name = at or new_name(folder)
  fs.write(folder .. name, json.encode(fault))
  return name
end

-- Playing ------------------------------------------------------------------------------------------------------

local function render(fault, answer_of, req)
  local answer = answer_of and answer_of(fault, req) or { status = fault.answer }
  answer.status, answer.headers = fault.answer, answer.headers or {}
  if type(fault.body) == "table" then
    answer.body, answer.headers["content-type"] = json.encode(fault.body), "application/json"
  elseif fault.body then
    answer.body = fault.body
  end
  if fault.retry_after then answer.headers["retry-after"] = tostring(fault.retry_after) end
  for name, value in pairs(fault.headers or {}) do answer.headers[name] = tostring(value) end
  return answer
end

--- Lets so many bytes of the request's body come.
local function swallow(body, bytes)
  while body and bytes > 0 do
    local chunk = body:read()
    if not chunk then return end
    bytes = bytes - #chunk
  end
end

local function instead(fault, answer_of, req)
  if fault.cut_request then swallow(req.body, fault.cut_request) end
  if fault.drop or fault.cut_request then return { drop = true } end
  return fault.answer and render(fault, answer_of, req)
end

--- A handler that does what the faults ask for and is the given handler otherwise. `req.skew` tells it by how much
--- its clock is wrong.
---@param world { dir: string }
---@param name_of fun(req: table): string
---@param handler fun(req: table): table
---@param answer_of? fun(fault: table, req: table): table the stand-in's usual error for fault.answer
---@return fun(req: table): table
function faults.wrap(world, name_of, handler, answer_of)
  return function(req)
    local fault = faults.at(world, name_of(req), req)
    if not fault then return handler(req) end
    log.debug("a fault is played", { at = name_of(req), time = clock.iso() })
    if fault.delay then task.sleep(fault.delay) end
    req.skew, req.fault = fault.skew, fault -- what else it asks for is the stand-in's to read
    local planned = instead(fault, answer_of, req)
    if planned and not fault.after then
      if req.body and not planned.drop then req.body:drain() end
      return planned
    end
    local answer = handler(req)
    if fault.hold then task.sleep(fault.hold) end
    if fault.after then
      if type(answer.body) == "userdata" then answer.body:close() end
      return planned or { drop = true }
    end
    answer.cut_after = fault.cut_after -- the server stops there
    return answer
  end
end

return faults
