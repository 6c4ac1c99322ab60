-- What the tests of the Heroku stand-in share: one request at a time, a database that is provisioned, a transfer that
-- is waited for, and a server that gives a file as an object store gives it by a signed URL.

local fs      = require "pgorch.fs"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local M = {}

local V3 = "application/vnd.heroku+json; version=3"

---One request as the account. Returns status, decoded body, headers.
function M.ask(world, method, path, body, headers)
  local all = { Authorization = "Bearer " .. world.heroku.token, Accept = V3,
    ["Content-Type"] = body and "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  local reply = http.request { method = method, url = world.heroku.url .. path, headers = all, check = false,
    body = body and json.encode(body) or nil }
  local ok, value = pcall(json.decode, reply.body)
  return reply.status, ok and value or reply.body, reply.headers
end

---"404 not_found": how a request is refused.
function M.refusal(world, ...)
  local status, body = M.ask(world, ...)
  return ("%d %s"):format(status, type(body) == "table" and body.id or "")
end

---A world with this Heroku and little data.
function M.in_world(heroku, fn)
  sandbox.run({ source = { scale = 0.01 }, heroku = heroku }, fn)
end

---A database on demo-app, attached as TARGET.
function M.provision(world, plan, name, attachment)
  local status, addon = M.ask(world, "POST", "/apps/demo-app/addons", { plan = { name = "heroku-postgresql:" .. plan },
    name = name, attachment = { name = attachment or "TARGET" }, config = {} })
  if status ~= 201 or addon.state ~= "provisioning" then error(("%d %s"):format(status, addon.message), 0) end
  for _ = 1, 10 do
    local _
    _, addon = M.ask(world, "GET", "/apps/demo-app/addons/" .. addon.name)
    if addon.state ~= "provisioning" then break end
  end
  if addon.state ~= "provisioned" then error("the add-on is " .. addon.state, 0) end
  return addon
end

---A transfer once it has ended, with its log.
function M.wait(world, transfer)
  for _ = 1, 600 do
    local _, seen = M.ask(world, "GET", "/client/v11/apps/demo-app/transfers/" .. transfer.uuid .. "?verbose=true")
    if seen.finished_at then return seen end
    task.sleep(0.05)
  end
  error "the transfer does not finish"
end

---Serves a file as an object store serves a signed GET URL: no HEAD, ranges. Returns what was asked, and the server.
function M.serve(path)
  local asked = {}
  return asked, http.serve({ host = "127.0.0.1", port = 0 }, function(req)
    asked[#asked + 1] = req.method .. " " .. (req.headers.range or "")
    if req.method ~= "GET" then return { status = 403, headers = {}, body = "" } end
    local size = fs.stat(path).size
    local from, to = (req.headers.range or ""):match "bytes=(%d+)-(%d+)"
    from, to = math.tointeger(tonumber(from)), math.min(math.tointeger(tonumber(to)), size - 1)
    return { status = 206, headers = { ["Content-Range"] = ("bytes %d-%d/%d"):format(from, to, size) },
      body = fs.source(path, { offset = from, length = to - from + 1 }), length = to - from + 1 }
  end)
end

---Dumps the source into a file.
function M.dump(world, path)
  local source = world.source
  process.run { world.server.client .. "/pg_dump", "-Fc", "-b", "--no-acl", "--no-owner", "-f", path, "-h", source.host,
    "-p", tostring(source.port), "-U", source.user, "-d", source.dbname,
    env = { PGPASSWORD = source.password, PGSSLMODE = "require" } }
end

return M
