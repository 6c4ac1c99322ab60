-- An HTTP server on loopback: each request runs handler(request) as a task. For stand-ins and tests, so an answer
-- may also be broken on purpose (cut_after, drop). A server must be closed: `local server <close> = serve(...)`.

local native = require "pgorch.native.http_server"
local event = require("pgorch.native.task").event
local task = require "pgorch.task"
local fail = require "pgorch.error"
local log = require "pgorch.log"

local http_server = {}

---@class pgorch.HttpServer
---@field port integer
---@field url string "http://127.0.0.1:4321"
local Server = {}
Server.__index = Server

-- What a handler's error looks like to the client and in the log. Errors hold no secrets.
local function failed(server, request, err)
  server.on_error(err, request)
  return { status = 500, headers = { ["content-type"] = "text/plain" }, body = tostring(err) .. "\n" }
end

local function complain(err, request)
  log.error(("%s %s: %s"):format(request.method, request.path, tostring(err)))
end

-- The answer goes out even if the handler broke; what cannot be sent (a bad header) becomes a 500 too.
local function respond(server, exchange, request, reply)
  local ok, err = pcall(exchange.respond, exchange, reply)
  if ok then return end
  if task.cancelled(err) then error(err, 0) end
  exchange:respond(failed(server, request, err))
end

local function handle(server, exchange)
  local _ <close> = setmetatable({}, { __close = function() exchange:cut() end })
  local request = exchange:request()
  local ok, reply = xpcall(server.handler, fail.handler, request)
  task.check()
  if exchange:over() then return end -- the client left: there is nobody to answer
  if ok and type(reply) ~= "table" then
    ok, reply = false, fail.new("PGO-INVALID", "the handler gave no answer {status, headers, body}")
  end
  respond(server, exchange, request, ok and reply or failed(server, request, reply))
end

-- Runs as a task of its own until the group is cancelled, by close or from above. Never raises.
local function accept_all(server)
  pcall(task.group, function(group)
    server.group = group
    if server.closing then group:cancel("the server closed") end
    while true do
      local exchange = server.native:accept()
      if not exchange then return end
      group:spawn(handle, server, exchange)
    end
  end)
  pcall(task.shield, 60, server.native.close, server.native)
  server.ended:set()
end

---Stops accepting, cancels the handlers that still run and waits for them, cuts what is not over.
function Server:close()
  self.closing = true
  if self.group then self.group:cancel("the server closed") end
  task.shield(60, self.ended.wait, self.ended)
end

Server.__close = Server.close

---Serves until it is closed. The handler gets {method, path, query, headers, raw_headers, body, remote}: path and
---query as they were sent, undecoded; headers by lower-case name (repeated ones joined with ", "), raw_headers as
---{name, value} in order; body a stream. It returns {status = 200, headers, body = string|bytes|stream, length}
---(length of a stream, or what a HEAD stands for), `cut_after` (bytes of the body, then the connection ends) or
---`drop = true` (no answer at all). A handler that raises is a 500, and goes to options.on_error(err, request).
---@param options {host?: string, port?: integer, cert_pem?: string, key_pem?: string, on_error?: function}
---@param handler fun(request: table): table
---@return pgorch.HttpServer
function http_server.serve(options, handler)
  task.check() -- a task, and not a cancelled one: what listens must be closed by somebody
  local listening = native.listen(options)
  local host, port = options.host or "127.0.0.1", listening:port()
  local server = setmetatable({
    native = listening, handler = handler, ended = event(), port = port, on_error = options.on_error or complain,
    url = ("%s://%s:%d"):format(options.cert_pem and "https" or "http", host == "::1" and "[::1]" or host, port),
  }, Server)
  native.spawn(accept_all, server)
  return server
end

return http_server
