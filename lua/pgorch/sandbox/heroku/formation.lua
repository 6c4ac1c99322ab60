-- Process types of the stand-in's apps and the dynos that run of them (Platform API v3).

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local page   = require "pgorch.sandbox.heroku.page"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"

local formation = {}

local function shape_process(app)
  return function(process)
    return { id = process.id, type = process.type, quantity = process.quantity, size = process.size,
      command = process.command, app = { id = app.id, name = app.name }, dyno_size = { name = process.size },
      created_at = app.created_at, updated_at = app.updated_at }
  end
end

local function list(server, request)
  local app = server.state:app(request.at.app)
  return page.of(request, app.formation, { keys = { "type", "id" }, page = server.page, shape = shape_process(app) })
end

--- The CLI sends quantities as strings, and relative ones with a sign.
local function new_quantity(process, wanted)
  local number = math.tointeger(tonumber(wanted))
  if not number then reply.invalid "Quantity must be an integer." end
  if type(wanted) == "string" and wanted:match "^[+-]" then number = process.quantity + number end
  if number < 0 then reply.invalid "Quantity must be at least 0." end
  return number
end

local function dyno(app, process, number)
  return { id = crypto.uuid(), name = ("%s.%d"):format(process.type, number), type = process.type, size = process.size,
    command = process.command, state = "up", attach_url = json.null, app = { id = app.id, name = app.name },
    release = { id = app.releases[#app.releases].id, version = #app.releases }, created_at = clock.iso(),
    updated_at = clock.iso() }
end

local function scale(app, kind, change)
  for _, process in ipairs(app.formation) do
    if process.type == kind or process.id == kind then
      local before = process.quantity
      if reply.given(change.quantity) ~= nil then process.quantity = new_quantity(process, change.quantity) end
      process.size = reply.given(change.size) or process.size
      app.stopping = app.stopping or {}
      for i = process.quantity + 1, before do app.stopping[#app.stopping + 1] = dyno(app, process, i) end
      return process
    end
  end
  reply.not_found("formation", ("Couldn't find that process type (%s)."):format(tostring(kind)))
end

local function update(server, request)
  local app, changed = server.state:app(request.at.app), {}
  if type(request.json.updates) ~= "table" then reply.invalid "Updates must be an array." end
  for _, change in ipairs(request.json.updates) do changed[#changed + 1] = scale(app, change.type, change) end
  app.updated_at = clock.iso()
  return reply.list(changed, shape_process(app))
end

local function update_one(server, request)
  local app = server.state:app(request.at.app)
  return reply.json(200, shape_process(app)(scale(app, request.at.type, request.json)))
end

--- Those that should run, and those that were scaled away: they are still there at the first look, with 30 seconds to
--- end.
local function dynos(server, request)
  local app = server.state:app(request.at.app)
  local running = app.stopping or {}
  app.stopping = nil
  for _, process in ipairs(app.formation) do
    for i = 1, process.quantity do running[#running + 1] = dyno(app, process, i) end
  end
  return page.of(request, running, { keys = { "name", "id" }, page = server.page,
    shape = function(each) return each end })
end

--- A stopped dyno is started again at once, as the formation asks for it.
local function stop(server, request)
  server.state:app(request.at.app)
  return reply.json(202, {})
end

formation.routes = {
  { "GET", "/apps/:app/formation", "formation", list },
  { "PATCH", "/apps/:app/formation", "formation.update", update },
  { "PATCH", "/apps/:app/formation/:type", "formation.update", update_one },
  { "POST", "/apps/:app/formations/:type/actions/stop", "formation.stop", stop },
  { "GET", "/apps/:app/dynos", "dynos", dynos },
  { "POST", "/apps/:app/dynos/:dyno/actions/stop", "dyno.stop", stop },
}

return formation
