-- What the stand-ins of providers have in common: they serve on loopback, with every request logged and faults asked
-- for, and the databases that they stand for have gates of their own, which are closed with them.

local faults = require "pgorch.sandbox.faults"
local http_server = require "pgorch.http_server"
local request_log = require "pgorch.sandbox.request_log"

local account = {}

local function close(self)
  self.listener:close()
  for _, entry in ipairs(self.made) do entry.server:close() end
end

--- One more database of the account.
local function keep(self, entry)
  table.insert(self.state.databases, entry)
  if entry.server then table.insert(self.made, entry) end
  return entry
end

--- The class of a stand-in: `close`, and `keep(entry)` for databases {object, server?}. Its objects have `state` and
--- `made`.
---@return table
function account.class()
  local Api = { close = close, __close = close, keep = keep }
  Api.__index = Api
  return Api
end

--- Begins to serve.
---@param api table of such a class, with its world
---@param o { name: string, prefix: string, port: integer?, operation: function, handle: function,
---  fault_answer: function } prefix: "/v2"
---@return table api with listener, port and url
function account.serve(api, o)
  local handler = faults.wrap(api.world, o.operation, o.handle, o.fault_answer)
  api.listener = http_server.serve({ host = "127.0.0.1", port = o.port or 0 },
    request_log.wrap(o.name, handler, api.world))
  api.port = api.listener.port
  api.url = ("http://127.0.0.1:%d%s"):format(api.port, o.prefix)
  return api
end

return account
