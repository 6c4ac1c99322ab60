-- How fast bodies flow when a fault asks for it: `rate` bytes a second, in both directions.

local stream = require "pgorch.stream"
local task = require "pgorch.task"

local pace = {}

local STEPS = 10 -- a second's bytes go in so many pieces

--- Moves everything from one stream to the other at that rate, and then passes on its end.
---@param from pgorch.Stream
---@param to pgorch.Stream
---@param rate number bytes a second
local function trickle(from, to, rate)
  local piece = math.max(1, math.floor(rate / STEPS))
  local ok, why = pcall(function()
    for text in function() return from:read(piece) end do
      task.sleep(#text / rate)
      to:write(text)
    end
  end)
  if ok then return to:finish() end
  to:fail(why)
  from:close()
end

local function paced(request, body)
  local rate = request.fault and request.fault.rate
  if not rate or not body then return body end
  local slow = stream.new(16 * 1024)
  request.group:spawn(trickle, body, slow, rate)
  return slow
end

--- A request's body on its way in.
---@param request table
---@return pgorch.Stream|nil
function pace.writing(request) return paced(request, request.body) end

--- An object's bytes on their way out.
---@param request table
---@param body pgorch.Stream
---@return pgorch.Stream
function pace.reading(request, body) return paced(request, body) end

return pace
