-- Faults that a test asks a stand-in for. A fault is a file in $PGORCH_SANDBOX/faults with a JSON object. Its name says
-- where: the operation's (faults.names), or any other when the object has a `match`. The next request there gets it.
-- Every stand-in gets them the same way, through faults.wrap. The file is counted down and removed when it is used up,
-- so it shows what is still to come. What a fault may hold: faults/fields.lua.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local fail = require "pgorch.error"
local fields = require "pgorch.sandbox.faults.fields"
local fs = require "pgorch.fs"
local json = require "pgorch.json"
local log = require "pgorch.log"
local task = require "pgorch.task"

local faults = {}

--- Every name that a stand-in asks for, and what happens then. "s3.any" and its like match each request of the
--- stand-in that has no fault of its own name.
faults.names = {
  ["s3.any"] = "any request to the S3 endpoint",
  ["s3.list_buckets"] = "GET /", ["s3.create_bucket"] = "PUT /bucket", ["s3.head_bucket"] = "HEAD /bucket",
  ["s3.delete_bucket"] = "DELETE /bucket", ["s3.list_objects"] = "GET /bucket, both versions",
  ["s3.get_bucket_acl"] = "GET /bucket?acl", ["s3.put_bucket_acl"] = "PUT /bucket?acl",
  ["s3.policy_status"] = "GET /bucket?policyStatus", ["s3.location"] = "GET /bucket?location",
  ["s3.versioning"] = "GET /bucket?versioning", ["s3.get_policy"] = "GET /bucket?policy",
  ["s3.get_cors"] = "GET /bucket?cors", ["s3.get_lifecycle"] = "GET /bucket?lifecycle",
  ["s3.put_lifecycle"] = "PUT /bucket?lifecycle", ["s3.delete_lifecycle"] = "DELETE /bucket?lifecycle",
  ["s3.put_object"] = "PUT /bucket/key", ["s3.get_object"] = "GET /bucket/key, presigned or not",
  ["s3.head_object"] = "HEAD /bucket/key", ["s3.delete_object"] = "DELETE /bucket/key",
  ["s3.delete_objects"] = "POST /bucket?delete", ["s3.get_object_acl"] = "GET /bucket/key?acl",
  ["s3.put_object_acl"] = "PUT /bucket/key?acl", ["s3.create_upload"] = "POST /bucket/key?uploads",
  ["s3.put_part"] = "PUT /bucket/key?partNumber&uploadId", ["s3.list_parts"] = "GET /bucket/key?uploadId",
  ["s3.complete_upload"] = "POST /bucket/key?uploadId", ["s3.abort_upload"] = "DELETE /bucket/key?uploadId",
  ["s3.list_uploads"] = "GET /bucket?uploads", ["s3.list_versions"] = "GET /bucket?versions",
  ["s3.put_versioning"] = "PUT /bucket?versioning", ["s3.put_policy"] = "PUT /bucket?policy",
  ["s3.delete_policy"] = "DELETE /bucket?policy", ["s3.get_access_block"] = "GET /bucket?publicAccessBlock",
  ["s3.put_access_block"] = "PUT there", ["s3.delete_access_block"] = "DELETE there",
  ["s3.get_website"] = "GET /bucket?website", ["s3.get_bucket_tagging"] = "GET /bucket?tagging",
  ["s3.get_logging"] = "GET /bucket?logging", ["s3.get_request_payment"] = "GET /bucket?requestPayment",
  ["s3.get_object_lock"] = "GET /bucket?object-lock", ["s3.get_replication"] = "GET /bucket?replication",
  ["s3.get_object_tagging"] = "GET /bucket/key?tagging", ["s3.post_form"] = "POST /bucket, /bucket/key",

  ["vultr.any"] = "any request to the Vultr API",
  ["vultr.account"] = "GET /v2/account", ["vultr.databases"] = "GET /v2/databases",
  ["vultr.database"] = "GET /v2/databases/ID", ["vultr.update_database"] = "PUT /v2/databases/ID (trusted_ips)",
  ["vultr.delete_database"] = "DELETE /v2/databases/ID", ["vultr.usage"] = "GET /v2/databases/ID/usage",
  ["vultr.backups"] = "GET /v2/databases/ID/backups", ["vultr.dbs"] = "GET /v2/databases/ID/dbs",
  ["vultr.users"] = "GET /v2/databases/ID/users", ["vultr.pools"] = "GET /v2/databases/ID/connection-pools",
  ["vultr.create_db"] = "POST there", ["vultr.db"] = "GET /v2/databases/ID/dbs/NAME",
  ["vultr.delete_db"] = "DELETE there", ["vultr.create_user"] = "POST /v2/databases/ID/users",
  ["vultr.user"] = "GET /v2/databases/ID/users/NAME", ["vultr.update_user"] = "PUT there (password)",
  ["vultr.delete_user"] = "DELETE there", ["vultr.plans"] = "GET /v2/databases/plans",
  ["vultr.versions"] = "GET /v2/databases/ID/version-upgrade", ["vultr.set_options"] = "PUT the advanced options",
  ["vultr.options"] = "GET /v2/databases/ID/advanced-options", ["vultr.alerts"] = "POST /v2/databases/ID/alerts",
  ["vultr.migration"] = "/v2/databases/ID/migration",
  ["vultr.object_storages"] = "GET /v2/object-storage", ["vultr.object_storage"] = "GET /v2/object-storage/ID",
  ["vultr.create_object_storage"] = "POST /v2/object-storage",
  ["vultr.update_object_storage"] = "PUT /v2/object-storage/ID",
  ["vultr.delete_object_storage"] = "DELETE /v2/object-storage/ID",
  ["vultr.clusters"] = "GET /v2/object-storage/clusters", ["vultr.tiers"] = "GET /v2/object-storage/tiers",
  ["vultr.regenerate_keys"] = "POST /v2/object-storage/ID/regenerate-keys",
  ["vultr.buckets"] = "GET /v2/object-storage/ID/bucket", ["vultr.create_bucket"] = "POST there",
  ["vultr.delete_bucket"] = "DELETE /v2/object-storage/ID/bucket/NAME",

  ["linode.any"] = "any request to the Linode API", ["linode.profile"] = "GET /v4/profile",
  ["linode.account"] = "GET /v4/account", ["linode.engines"] = "GET /v4/databases/engines",
  ["linode.engine"] = "GET there /ID", ["linode.type"] = "GET /v4/databases/types/ID",
  ["linode.types"] = "GET /v4/databases/types", ["linode.instances"] = "GET /v4/databases/instances",
  ["linode.config"] = "GET /v4/databases/ENGINE/config", ["linode.databases"] = "GET /v4/databases/ENGINE/instances",
  ["linode.database"] = "GET there /ID", ["linode.update_database"] = "PUT there /ID (allow_list)",
  ["linode.delete_database"] = "DELETE there /ID", ["linode.credentials"] = "GET there /ID/credentials",
  ["linode.reset_credentials"] = "POST there /ID/credentials/reset", ["linode.ssl"] = "GET there /ID/ssl",
  ["linode.suspend"] = "POST there /ID/suspend", ["linode.resume"] = "POST there /ID/resume",
  ["linode.pools"] = "GET there /ID/connection-pools", ["linode.backups"] = "GET there /ID/backups",
  ["linode.create_backup"] = "POST there /ID/backups", ["linode.endpoints"] = "GET /v4/object-storage/endpoints",
  ["linode.clusters"] = "GET /v4/object-storage/clusters", ["linode.keys"] = "GET /v4/object-storage/keys",
  ["linode.create_key"] = "POST there", ["linode.key"] = "GET there /ID", ["linode.update_key"] = "PUT there /ID",
  ["linode.delete_key"] = "DELETE there /ID", ["linode.buckets"] = "GET /v4/object-storage/buckets",
  ["linode.create_bucket"] = "POST there", ["linode.region_buckets"] = "GET there /REGION",
  ["linode.bucket"] = "GET there /REGION/BUCKET", ["linode.delete_bucket"] = "DELETE there /REGION/BUCKET",
  ["linode.access"] = "GET a bucket's access", ["linode.set_access"] = "POST or PUT there",
  ["linode.objects"] = "GET a bucket's object-list", ["linode.object_url"] = "POST a bucket's object-url",
  ["linode.object_acl"] = "GET a bucket's object-acl", ["linode.set_object_acl"] = "PUT there",

  ["heroku.any"] = "any request to the Platform or the Data API",
  ["heroku.account"] = "GET /account", ["heroku.app"] = "GET /apps/APP", ["heroku.app.create"] = "POST /apps",
  ["heroku.app.update"] = "PATCH /apps/APP (maintenance)", ["heroku.app.delete"] = "DELETE /apps/APP",
  ["heroku.config"] = "GET /apps/APP/config-vars", ["heroku.config.update"] = "PATCH there",
  ["heroku.formation"] = "GET /apps/APP/formation", ["heroku.formation.update"] = "PATCH there",
  ["heroku.dynos"] = "GET /apps/APP/dynos", ["heroku.releases"] = "GET /apps/APP/releases",
  ["heroku.addons"] = "GET /apps/APP/addons", ["heroku.addon"] = "GET /apps/APP/addons/ADDON",
  ["heroku.addon.create"] = "POST /apps/APP/addons", ["heroku.addon.delete"] = "DELETE /apps/APP/addons/ADDON",
  ["heroku.addon.resolve"] = "POST /actions/addons/resolve",
  ["heroku.attachments"] = "GET addon-attachments, of an app or an add-on",
  ["heroku.attachment.create"] = "POST /addon-attachments",
  ["heroku.attachment.delete"] = "DELETE /addon-attachments/ID",
  ["heroku.attachment.resolve"] = "POST /actions/addon-attachments/resolve", ["heroku.plans"] = "GET plans",
  ["heroku.database"] = "GET /client/v11/databases/ID", ["heroku.wait_status"] = "GET there /wait_status",
  ["heroku.reset"] = "PUT there /reset", ["heroku.restore"] = "POST there /restores",
  ["heroku.backup"] = "POST there /backups", ["heroku.copy"] = "POST there /transfers",
  ["heroku.transfers"] = "GET /client/v11/apps/APP/transfers", ["heroku.transfer"] = "GET there /ID",
  ["heroku.cancel"] = "POST there /ID/actions/cancel", ["heroku.credentials"] = "GET credentials of a database",
  ["heroku.rate-limits"] = "GET /account/rate-limits", ["heroku.regions"] = "GET /regions",
  ["heroku.team"] = "GET /teams/TEAM", ["heroku.apps"] = "GET /apps", ["heroku.addon.update"] = "PATCH an add-on",
  ["heroku.formation.stop"] = "POST /apps/APP/formations/TYPE/actions/stop",
  ["heroku.dyno.stop"] = "POST /apps/APP/dynos/DYNO/actions/stop",
  ["heroku.collaborators"] = "GET /apps/APP/collaborators",
  ["heroku.pipeline"] = "GET /apps/APP/pipeline-couplings", ["heroku.attachment"] = "GET /addon-attachments/ID",
  ["heroku.connection_reset"] = "POST /client/v11/databases/ID/connection_reset",
  ["heroku.rotate"] = "POST a credential's rotation", ["heroku.settings"] = "GET a database's settings",
  ["heroku.settings.update"] = "PATCH there", ["heroku.transfer.delete"] = "DELETE a transfer",
  ["heroku.public_url"] = "POST a transfer's actions/public-url",
  ["heroku.file"] = "GET what public_url named, GET and PUT what a source has",
  ["heroku.source.create"] = "POST /sources", ["heroku.teams"] = "GET /teams",
  ["heroku.pre-authorization"] = "PUT /apps/APP/pre-authorizations",
  ["heroku.release"] = "GET /apps/APP/releases/RELEASE",
  ["heroku.addon.config"] = "GET /addons/ADDON/config/NAMESPACE",
  ["heroku.credential.create"] = "POST credentials of a database",
  ["heroku.credential.delete"] = "DELETE a credential",
  ["heroku.upgrade"] = "POST /client/v11/databases/ID/upgrade/*",
  ["heroku.upgrade.wait_status"] = "GET there /upgrade/wait_status", ["heroku.bastion"] = "GET there /bastion",
  ["heroku.schedules"] = "GET there /transfer-schedules", ["heroku.schedule.create"] = "POST there",
  ["heroku.schedule.delete"] = "DELETE there /ID",

  ["worker.provision"] = "an add-on at Heroku: it crawls by `looks` more of them or `delay` seconds; it ends as "
    .. "deprovisioned without either",
  ["worker.ready"] = "wait_status of a database: `looks` more of them, `stuck` for ever, or `error` with that message",
  ["worker.release"] = "the release process of an app: any fault makes it fail",
  ["worker.cancel"] = "a transfer that is cancelled: it stops only after `delay`",
  ["worker.start"] = "a transfer before it starts: `delay` keeps it pending",
  ["worker.restore"] = "a transfer at work: `delay` makes it slow, `silent` stops its heartbeat, `answer` makes it "
    .. "fail with `message`, `canceled` ends it as if Heroku had, `warnings` (harmless, lossy) adds complaints",
}

local OURS = { s3 = true, vultr = true, linode = true, heroku = true, worker = true }

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
    local fault = not faults.names[each] and read(folder .. each)
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
---@param name string STANDIN.PLACE, one of faults.names
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

-- Asking -------------------------------------------------------------------------------------------------------

--- Is this a place where a fault can be asked for? Stand-ins that are not the sandbox's own have their own places.
local function is_place(name)
  local prefix = name:match "^([%w_-]+)%.[%w_.-]+$"
  return prefix and (faults.names[name] ~= nil or not OURS[prefix])
end

--- A file name for a fault that says by itself which requests it is for.
local function new_name(folder)
  local number = 1
  while fs.exists(("%smatch-%03d"):format(folder, number)) do number = number + 1 end
  return ("match-%03d"):format(number)
end

--- Raises when a fault would be waited for in vain: a place, a pattern, a field or a value that nobody knows.
---@param at string|nil a place; nil for a fault with a `match`
---@param fault table
function faults.check(at, fault)
  if at and not is_place(at) then fail.raise("PGO-INVALID", ("no stand-in asks for the fault %s"):format(at)) end
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

local function render(fault, answer_of)
  local answer = answer_of and answer_of(fault) or { status = fault.answer }
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
  return fault.answer and render(fault, answer_of)
end

--- A handler that does what the faults ask for and is the given handler otherwise. `req.skew` tells it by how much
--- its clock is wrong.
---@param world { dir: string }
---@param name_of fun(req: table): string
---@param handler fun(req: table): table
---@param answer_of? fun(fault: table): table the stand-in's usual error for fault.answer
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
