-- Transfers: restores, backups and copies, numbered together per app. What they do is worker.lua's; how they look, when
-- they are refused, cancelled and deleted is here.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local data   = require "pgorch.sandbox.heroku.data"
local faults = require "pgorch.sandbox.faults"
local files  = require "pgorch.sandbox.heroku.files"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"
local stamp  = require "pgorch.sandbox.heroku.stamp"
local task   = require "pgorch.task"
local worker = require "pgorch.sandbox.heroku.worker"

local transfers = {}

local TIMES = { "created_at", "started_at", "canceled_at", "updated_at", "finished_at", "deleted_at", "purged_at" }

--- The worker writes how far it is once a second, and its last figures a moment after the end: the first answer that
--- says finished still shows those of the beat before.
local function settle(transfer)
  if not transfer.finished_at then
    local now = clock.time()
    if not transfer.started_at or transfer.is_silent or now < transfer.beat + 1 then return end
    transfer.beat, transfer.updated_at, transfer.shown_bytes = now, stamp(now), transfer.processed_bytes
  elseif not transfer.finish_seen then
    transfer.finish_seen = true
  else
    transfer.shown_bytes = transfer.processed_bytes
    transfer.settled_at = transfer.settled_at or stamp(clock.time() + 1)
    transfer.updated_at = transfer.settled_at
  end
end

local function shape(transfer, verbose)
  settle(transfer)
  local shown = { uuid = transfer.uuid, num = transfer.num, from_name = transfer.from_name,
    from_type = transfer.from_type, from_url = transfer.from_url, to_name = transfer.to_name,
    to_type = transfer.to_type, to_url = transfer.to_url, options = {},
    source_bytes = transfer.source_bytes or json.null, processed_bytes = transfer.shown_bytes or 0,
    succeeded = json.null, warnings = transfer.warnings, num_keep = transfer.num_keep }
  if transfer.finished_at then shown.succeeded = transfer.succeeded == true end
  for _, name in ipairs(TIMES) do shown[name] = transfer[name] or json.null end
  if verbose then
    shown.logs = json.array {}
    for i, line in ipairs(transfer.logs) do
      shown.logs[i] = { created_at = line.created_at, level = "info", message = line.message }
    end
  end
  return shown
end

local function add(server, addon, o)
  data.check_idle(addon)
  local app = addon.app
  app.last_transfer = (app.last_transfer or 0) + 1
  local transfer = { uuid = crypto.uuid(), num = app.last_transfer, app = app, addon = addon, created_at = stamp(),
    processed_bytes = 0, warnings = 0, logs = {}, num_keep = 5 }
  for name, value in pairs(o) do transfer[name] = value end
  table.insert(app.transfers, 1, transfer)
  addon.transfer = transfer
  local shown = shape(transfer)
  worker.start(server, transfer)
  return reply.json(201, shown)
end

local function restore(server, request)
  local addon, url = data.addon(server, request.at.id), request.json.backup_url
  if type(url) ~= "string" or not url:match "^https?://" then reply.invalid "backup_url must be a URL." end
  return add(server, addon, { from_name = "BACKUP", from_type = "htcat", from_url = url, to_name = "DATABASE",
    to_type = "pg_restore", to_url = addon.database.url,
    extensions = data.extensions(server, request.json.extensions) })
end

--- Where Heroku keeps the backup is no business of the user's: the address gives nothing without public-url.
local function backup(server, request)
  local addon = data.addon(server, request.at.id)
  return add(server, addon, { from_name = "DATABASE", from_type = "pg_dump", from_url = addon.database.url,
    to_name = "BACKUP", to_type = "gof3r", to_url = "https://backups.example/" .. crypto.uuid(),
    num_keep = addon.plan.essential and 2 or 25 })
end

--- One end is the database of the path, the other one any that Heroku can reach.
local function copy(server, request)
  local addon, asked = data.addon(server, request.at.id), request.json
  for _, name in ipairs { "from_url", "to_url" } do
    if not tostring(asked[name]):match "^postgres" then reply.invalid(name .. " must be a postgres:// URL.") end
  end
  if asked.from_url ~= addon.database.url and asked.to_url ~= addon.database.url then
    reply.invalid "Either from_url or to_url must be this database."
  end
  return add(server, addon, { from_name = asked.from_name or "SOURCE", from_type = "pg_dump",
    from_url = asked.from_url, to_name = asked.to_name or "DATABASE", to_type = "pg_restore", to_url = asked.to_url,
    extensions = {} })
end

--- The app of a path; one that there is not is told as an unknown database is.
local function app_of(server, request)
  if server.html_404 and not server.state:is_taken(request.at.app) then data.missing(server) end
  return server.state:app(request.at.app)
end

--- By number or uuid, of the app that owns (pays for) the database.
local function find(server, request)
  local wanted = request.at.transfer
  for _, each in ipairs(app_of(server, request).transfers) do
    if (each.uuid == wanted or tostring(each.num) == wanted) and not each.deleted_at then return each end
  end
  reply.not_found("transfer", "Couldn't find that transfer.")
end

--- Newest first.
local function list(server, request)
  local found = {}
  for _, each in ipairs(app_of(server, request).transfers) do
    if not each.deleted_at then found[#found + 1] = each end
  end
  return reply.list(found, shape)
end

local function one(server, request)
  return reply.json(200, shape(find(server, request), request.query.verbose == "true"))
end

--- The worker is told at once, and may take its time (a fault) to stop.
local function cancel(server, request)
  local transfer = find(server, request)
  if not transfer.finished_at then
    transfer.canceled_at = transfer.canceled_at or stamp()
    local fault = faults.at(server.world, "worker.cancel")
    server.world.group:spawn(function()
      if fault and fault.delay then task.sleep(fault.delay) end
      transfer.stop()
    end)
  end
  return reply.json(200, { canceled_at = transfer.canceled_at or json.null })
end

local function delete(server, request)
  local transfer = find(server, request)
  if not transfer.finished_at then reply.refuse(409, "conflict", "The transfer is still in progress.") end
  worker.forget(transfer)
  return reply.json(200, shape(transfer))
end

local function public_url(server, request)
  local transfer = find(server, request)
  if transfer.to_type ~= "gof3r" or not transfer.succeeded or not fs.exists(transfer.file) then
    reply.not_found("backup", "Couldn't find that backup.")
  end
  local url, expires = files.link(server, transfer.file, "GET")
  return reply.json(200, { url = url, expires_at = stamp(expires) })
end

transfers.routes = {
  { "POST", "/client/v11/databases/:id/restores", "restore", restore },
  { "POST", "/client/v11/databases/:id/backups", "backup", backup },
  { "POST", "/client/v11/databases/:id/transfers", "copy", copy },
  { "GET", "/client/v11/apps/:app/transfers", "transfers", list },
  { "GET", "/client/v11/apps/:app/transfers/:transfer", "transfer", one },
  { "POST", "/client/v11/apps/:app/transfers/:transfer/actions/cancel", "cancel", cancel },
  { "DELETE", "/client/v11/apps/:app/transfers/:transfer", "transfer.delete", delete },
  { "POST", "/client/v11/apps/:app/transfers/:transfer/actions/public-url", "public_url", public_url },
}

return transfers
