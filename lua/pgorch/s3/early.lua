-- A part that is sent while it is still being filled, because the wire has little else to carry. Its MD5 is not known
-- when it is begun, so the ETag of the reply is what tells. Nothing depends on it: whatever becomes of it, the part is
-- there when it is full, and is sent again, whole.

local log = require "pgorch.log"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local early = {}

---@class pgorch.s3.Early
---@field body pgorch.Stream     for Stream:take, which fills it beside the part; it has room for all of it
---@field private size integer
---@field private child table
local Early = {}
Early.__index = Early

local function send(bucket, request)
  local ok, reply = pcall(bucket.request, bucket, request)
  if ok then return ((reply.headers.etag or ""):gsub('"', "")) end
  if task.cancelled(reply) then error(reply, 0) end
  log.debug(("part %s was not stored while it was filled: %s"):format(request.query.partNumber, tostring(reply)))
end

---@param bucket pgorch.s3.Bucket
---@param group table              a task.group's
---@param request pgorch.s3.Request   without a body
---@param size integer             that the part will have
---@return pgorch.s3.Early
function early.begin(bucket, group, request, size)
  local body = stream.new(size)
  request.body, request.length, request.tries = body, size, 1
  return setmetatable({ body = body, size = size, child = group:spawn(send, bucket, request) }, Early)
end

---No more of it comes: a request whose body is shorter than was announced fails.
function Early:stop() self.body:finish() end

---When the part is full, or all of it that there will be.
---@async
---@param block pgorch.Bytes
---@return string|nil etag   as the server has stored it
function Early:etag(block)
  if #block < self.size then self:stop() end
  return self.child:join()
end

return early
