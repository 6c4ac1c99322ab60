-- Transfers: restores, backups and copies, numbered together per app. What they do is worker.lua's; how they look, when
-- they are refused, cancelled and deleted is here. Their timestamps have a space and +0000, unlike the Platform API's.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local data   = require "pgorch.sandbox.heroku.data"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"
local worker = require "pgorch.sandbox.heroku.worker"

local transfers = {}

local LINK_LIFE = 3600

local TIMES = { "created_at", "started_at", "canceled_at", "updated_at", "finished_at", "deleted_at", "purged_at" }

--- processed_bytes lags: the first answer that says finished still shows what the answer before would have shown.
local function processed(transfer)
  local shown = transfer.shown_bytes or 0
  if not transfer.finished_at or transfer.finish_seen then transfer.shown_bytes = transfer.processed_bytes end
  if transfer.finish_seen then shown = transfer.processed_bytes end
  if transfer.finished_at then transfer.finish_seen = true end
  return shown
end

local function shape(transfer, verbose)
  local shown = { uuid = transfer.uuid, num = transfer.num, from_name = transfer.from_name,
    from_type = transfer.from_type,
    from_url = transfer.from_url, to_name = transfer.to_name, to_type = transfer.to_type, to_url = transfer.to_url,
    options = {}, source_bytes = transfer.source_bytes or json.null, processed_bytes = processed(transfer),
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
  if addon.transfer and not addon.transfer.finished_at then
    reply.refuse(409, "conflict", ("A transfer is already in progress on %s."):format(addon.name))
  end
  local app = addon.app
  app.last_transfer = (app.last_transfer or 0) + 1
  local transfer = { uuid = crypto.uuid(), num = app.last_transfer, app = app, addon = addon,
    created_at = worker.stamp(),
    processed_bytes = 0, warnings = 0, logs = {}, num_keep = 5 }
  for name, value in pairs(o) do transfer[name] = value end
  table.insert(app.transfers, 1, transfer)
  addon.transfer = transfer
  worker.start(server, transfer)
  return reply.json(201, shape(transfer))
end

local function restore(server, request)
  local addon = data.addon(server, request.at.id)
  local url = request.json.backup_url
  if type(url) ~= "string" or not url:match "^https?://" then reply.invalid "backup_url must be a URL." end
  return add(server, addon, { from_name = "BACKUP", from_type = "htcat", from_url = url, to_name = "DATABASE",
    to_type = "pg_restore", to_url = addon.database.url, extensions = data.extensions(server,
      request.json.extensions) })
end

local function backup(server, request)
  local addon = data.addon(server, request.at.id)
  return add(server, addon, { from_name = "DATABASE", from_type = "pg_dump", from_url = addon.database.url,
    to_name = "BACKUP",
    to_type = "gof3r", to_url = "https://s3.example/" .. addon.id, num_keep = addon.plan.essential and 2 or 25 })
end

local function copy(server, request)
  local addon, asked = data.addon(server, request.at.id), request.json
  for _, name in ipairs { "from_url", "to_url" } do
    if not tostring(asked[name]):match "^postgres" then reply.invalid(name .. " must be a postgres:// URL.") end
  end
  return add(server, addon, { from_name = asked.from_name or "SOURCE", from_type = "pg_dump", from_url = asked.from_url,
    to_name = asked.to_name or "DATABASE", to_type = "pg_restore", to_url = addon.database.url, extensions = {} })
end

--- By number or uuid, of the app that owns (pays for) the database.
local function find(server, request)
  local app, wanted = server.state:app(request.at.app), request.at.transfer
  for _, each in ipairs(app.transfers) do
    if (each.uuid == wanted or tostring(each.num) == wanted) and not each.deleted_at then return each end
  end
  reply.not_found("transfer", "Couldn't find that transfer.")
end

local function list(server, request)
  local shown = json.array {}
  for _, each in ipairs(server.state:app(request.at.app).transfers) do
    if not each.deleted_at then shown[#shown + 1] = shape(each) end
  end
  return reply.json(200, shown)
end

local function one(server, request)
  return reply.json(200, shape(find(server, request), request.query.verbose == "true"))
end

local function cancel(server, request)
  local transfer = find(server, request)
  if not transfer.finished_at then
    transfer.canceled_at = worker.stamp()
    transfer.stop()
  end
  return reply.json(200, { canceled_at = transfer.canceled_at or json.null })
end

local function delete(server, request)
  local transfer = find(server, request)
  if not transfer.finished_at then reply.refuse(409, "conflict", "The transfer is still in progress.") end
  transfer.deleted_at = worker.stamp()
  if transfer.file and fs.exists(transfer.file) then fs.remove(transfer.file) end
  return reply.json(200, shape(transfer))
end

local function public_url(server, request)
  local transfer = find(server, request)
  if transfer.to_type ~= "gof3r" or not transfer.succeeded then
    reply.not_found("backup", "Couldn't find that backup.")
  end
  transfer.link = { key = crypto.hex(crypto.random(16)), expires = clock.time() + LINK_LIFE }
  return reply.json(200, { url = ("%s/backups/%s?key=%s"):format(server.url, transfer.uuid, transfer.link.key),
    expires_at = worker.stamp(transfer.link.expires) })
end

--- The file of a backup, for whoever has the link.
local function download(server, request)
  for _, app in ipairs(server.state.apps) do
    for _, each in ipairs(app.transfers) do
      local link = each.link
      if each.uuid == request.at.uuid and link and link.key == request.query.key and clock.time() < link.expires then
        return { status = 200, headers = { ["Content-Type"] = "application/octet-stream" }, body = fs.source(each.file),
          length = fs.stat(each.file).size }
      end
    end
  end
  return { status = 403, headers = {}, body = "expired" }
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
  { "GET", "/backups/:uuid", "backup.download", download, open = true },
}

return transfers
