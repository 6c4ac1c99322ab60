-- One Heroku Postgres database: waiting for it, its address, restoring into it, making it an app's DATABASE.
-- The address is read again from the app's config each time: Heroku may change it at any moment, so it is never kept.
-- Knows nothing of a run; ids that must survive a kill are given back to the caller before anything is waited for.

local fail      = require "pgorch.error"
local json      = require "pgorch.json"
local pg        = require "pgorch.pg"
local task      = require "pgorch.task"
local poll      = require "pgorch.poll"
local transfers = require "pgorch.heroku.transfers"

local M = {}

local LIMIT = 3600               -- seconds: the largest plans take some minutes
local MISSING = 20               -- looks at the usual interval: a new database is unknown to the Data API for a while

---@class pgorch.heroku.Database
---@field client pgorch.heroku.Client
---@field app pgorch.heroku.App    the app that it is attached to
---@field id string                add-on id: how the Data API names a database
---@field name string              add-on name
local Database = {}
Database.__index = Database

---@param addon table add-on as the API sends it
---@return pgorch.heroku.Database
function M.new(client, app, addon)
  return setmetatable({ client = client, app = app, id = addon.id, name = addon.name,
                        billing_app = addon.app and (addon.app.id or addon.app.name) or app.name }, Database)
end

local function data_path(self, rest)
  return "/client/v11/databases/" .. self.id .. (rest or "")
end

-- A database that does not come is not waited for for ever; the run is kept, and waits again when it is resumed.
local function stuck(self, since, o, state)
  if task.now() - since < (o and o.limit or LIMIT) then return end
  fail.raise("PGO-HEROKU-ADDON", ("%s has been %s for %d minutes"):format(self.name, state,
    math.floor((task.now() - since) / 60)), { retryable = true })
end

---Waits until the add-on is provisioned.
---@param o? {progress?: fun(text: string), limit?: number}   limit in seconds, an hour without
function Database:wait_for_addon(o)
  local since, pause = task.now(), poll.pace "addon"
  while true do
    local addon = self.app:addon(self.name)
    if not addon or addon.state == "deprovisioned" or addon.state == "deprovisioning" then
      fail.raise("PGO-HEROKU-ADDON", ("%s was %s instead of provisioned"):format(self.name,
        addon and addon.state or "removed"))
    end
    if addon.state == "provisioned" then return addon end
    if o and o.progress then o.progress(addon.state) end
    stuck(self, since, o, addon.state)
    task.sleep(pause())
  end
end

---Waits until the Data API no longer says that the database is being prepared.
---@param o? {progress?: fun(text: string), limit?: number}
function Database:wait(o)
  local missing, since, pause = 0, task.now(), poll.pace "wait_status"
  while true do
    local status, code = self.client:request("GET", data_path(self, "/wait_status"), nil,
      { data = true, missing = true })
    if code == 404 then
      missing = missing + 1
      if missing > MISSING and task.now() - since > MISSING * poll.seconds "wait_status" then
        fail.raise("PGO-HEROKU-ADDON", self.name .. " is not known to the Data API")
      end
    else
      if status["error?"] then
        fail.raise("PGO-HEROKU-ADDON", ("%s: %s"):format(self.name, status.message or "failed"))
      end
      if not status["waiting?"] then return status.message end
    end
    if o and o.progress then o.progress(status and status.message or "waiting to be provisioned") end
    stuck(self, since, o, status and status.message or "unknown to the Data API")
    task.sleep(pause())
  end
end

---What the Data API says: info rows by name, in lower case ("data size" -> "25.6 MB / 10 GB (0.25%) (In compliance)").
---`plan` is a name for Essential plans, an object for dedicated ones, whose attributes are in `attributes`.
---@return {plan: string, bytes: integer|nil, rows: table<string, string>, attributes: table<string, string>}
function Database:info()
  local raw = self.client:request("GET", data_path(self), nil, { data = true })
  local rows = {}
  for _, row in ipairs(raw.info or {}) do
    local values = {}
    for i, value in ipairs(row.values or {}) do values[i] = tostring(value) end
    rows[row.name:lower()] = table.concat(values, ", ")
  end
  local plan = type(raw.plan) == "table" and raw.plan or { name = raw.plan }
  return { plan = plan.name, bytes = raw.num_bytes, rows = rows, attributes = plan.attrs_unparsed or {} }
end

local UNIT = { MB = 2 ^ 20, GB = 2 ^ 30, TB = 2 ^ 40 }

local function integer(text)
  return math.tointeger(tonumber(text))
end

---Limits of the plan as the database itself reports them; nil where it does not say. Dedicated plans give no limit
---beside the size, but in the plan's attributes.
---@return {bytes: integer|nil, connections: integer|nil, tables: integer|nil}
function Database:limits()
  local info = self:info()
  local rows = info.rows
  local size, unit = (rows["data size"] or ""):match("/%s*([%d.]+)%s*(%u%u)")
  return {
    bytes = size and UNIT[unit] and math.floor(tonumber(size) * UNIT[unit]) or integer(info.attributes.capacity_bytes),
    connections = integer((rows["connections"] or ""):match("/%s*(%d+)")),
    tables = integer((rows["tables"] or ""):match("/%s*(%d+)")),
  }
end

---The connection URL, a secret, read now from the config var that the attachment sets.
---@param attachment? string attachment name; default any attachment of this add-on
function Database:url(attachment)
  local found = self.app:attachment(attachment or self.name)
  local var = found and found.config_vars and found.config_vars[1]
  local url = var and self.app:config()[var]
  if not url then
    fail.raise("PGO-HEROKU-ADDON", ("%s sets no config var on %s"):format(self.name, self.app.name),
      { retryable = true })
  end
  return url, var
end

---Asks for a restore of the archive at `url`. Replaces what is in the database. Returns at once.
---@param url any secret: a presigned URL
---@param o? {extensions?: string[]}
---@return pgorch.heroku.Transfer
function Database:restore(url, o)
  local extensions = o and o.extensions and #o.extensions > 0 and json.array(o.extensions) or nil
  return transfers.read(self.client:request("POST", data_path(self, "/restores"),
    { backup_url = url, extensions = extensions }, { data = true }))
end

---The restore of the object with that key, if one was ever asked for. Two look-ups before it says no.
function Database:find_restore(key)
  return transfers.find_surely(self.client, self.billing_app, transfers.of_object(key))
end

---Asks Heroku to copy the database at `url` into this one: its own pg_dump reads there. Replaces what is in it. Returns
---at once.
---@param url any secret: the source's address with its password; Heroku gets both
---@param name string  by which the copy is found again
---@param o? {attachment?: string}
---@return pgorch.heroku.Transfer
function Database:copy_from(url, name, o)
  local own = self:url(o and o.attachment)
  return transfers.read(self.client:request("POST", data_path(self, "/transfers"),
    { from_name = name, from_url = url, to_name = "DATABASE", to_url = own }, { data = true }))
end

---The copy that was asked for under that name, if one ever was. Two look-ups before it says no.
function Database:find_copy(name)
  return transfers.find_surely(self.client, self.billing_app, transfers.of_name(name))
end

---A transfer of the owning app that still runs, but for one that writes into another database of it.
function Database:unfinished_transfer()
  local own
  return transfers.unfinished(self.client, self.billing_app, function(t)
    own = own or pg.dsn(self:url()).dbname
    return t.to_dbname ~= nil and t.to_dbname ~= own
  end)
end

---@param o {uuid: string, progress?: fun(t: pgorch.heroku.Transfer), pending_limit?: number}
---@return pgorch.heroku.Transfer
function Database:follow(o)
  return transfers.follow(self.client, { app = self.billing_app, uuid = o.uuid, progress = o.progress,
                                         pending_limit = o.pending_limit })
end

function Database:cancel(uuid)
  transfers.cancel(self.client, self.billing_app, uuid)
end

---Drops all that is in the database.
function Database:reset()
  self.client:request("PUT", data_path(self, "/reset"), {}, { data = true })
end

---Makes this database the app's `name` (default DATABASE). The one that had the name keeps another attachment.
---@param name? string
---@return {was: string|nil, spare: string|nil} the add-on that had the name before, and what it is attached as now
function Database:promote(name)
  name = name or "DATABASE"
  local holder, others = nil, {}
  local all = self.app:attachments()
  for _, each in ipairs(all) do
    if each.name == name then holder = each end
  end
  if holder and holder.addon.id == self.id then return { was = self.name } end
  for _, each in ipairs(all) do
    if holder and each.addon.id == holder.addon.id and each.name ~= name then others[#others + 1] = each.name end
  end
  -- An add-on that loses its last attachment is destroyed with its data.
  if holder and #others == 0 then others[1] = self.app:attach(holder.addon.name).name end
  self.app:attach(self.name, name)
  return { was = holder and holder.addon.name, spare = others[1] }
end

return M
