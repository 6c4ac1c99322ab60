-- What a question has in its hands: the account, the app, its database and the dump in the bucket, as the recipe left
-- them. Requests are made as they are given: any status is an answer, nothing is repeated, secret fields are secrets.
-- Makes nothing outside of the app and of its own prefix in the bucket.

local fail      = require "pgorch.error"
local http      = require "pgorch.http"
local json      = require "pgorch.json"
local poll      = require "pgorch.poll"
local secret    = require "pgorch.secret"
local task      = require "pgorch.task"
local transfers = require "pgorch.heroku.transfers"

local client = {}

local ACCEPT = "application/vnd.heroku+json; version=3"
local SECRET_FIELDS = { "resource_url", "from_url", "to_url", "database_password", "password", "backup_url",
  "log_input_url" }
local LONGEST = 900                    -- seconds for one transfer
local CANCELLED = 60                   -- after so many one that was cancelled before it started need not end any more

---@class live.Reply
---@field status integer
---@field headers table<string, string>
---@field text string
---@field value any         decoded, nulls kept; nil when it is no JSON

---@class live.Client
---@field heroku pgorch.heroku.Client
---@field target pgorch.Target
---@field store pgorch.s3.Bucket
---@field app string
---@field addon {id: string, name: string}
---@field prefix string     in the bucket
---@field key string        of the dump
---@field extensions string[]  as the recipe named them in its restore
---@field moved {restore: table, verify: table}   results of the recipe's own steps; {failed = {id, message}}
---@field names table<string, string>   values that may not be written down, and what is written instead
local Live = {}
Live.__index = Live

---@param ctx pgorch.Context
---@return live.Client
function client.new(ctx)
  local target, dump = ctx.target, ctx.result.dump_to_store
  local addon, account = target:attached().addon, target.client:account()
  local url = require("pgorch.pg").dsn(target:url())
  local names = { [ctx.params.app] = "APP", [addon.name] = "ADDON", [account.email] = "EMAIL", [url.host] = "HOST",
    [url.user] = "USER", [url.dbname] = "DB", [ctx.store.name] = "BUCKET", [dump.key] = "KEY" }
  return setmetatable({ heroku = target.client, target = target, store = ctx.store, app = ctx.params.app,
    addon = { id = addon.id, name = addon.name }, prefix = ("pgorch/%s/"):format(ctx.run.id), key = dump.key,
    extensions = ctx.result.extensions.names, names = names,
    moved = { restore = ctx.result.restore, verify = ctx.result.verify } }, Live)
end

---@param method string
---@param path string
---@param o? {body?: table, data?: boolean, token?: string, accept?: string|false, headers?: table, visible?: boolean}
---  data: ask the Data API; token: another than the account's; visible: the answer's URLs are read
---@return live.Reply
function Live:request(method, path, o)
  o = o or {}
  local token = o.token and secret.new(o.token) or self.heroku.token
  local headers = { Authorization = "Bearer " .. token, ["User-Agent"] = "pgorch",
    Accept = o.accept == nil and ACCEPT or o.accept or nil }
  for name, value in pairs(o.headers or {}) do headers[name] = value end
  if o.body then headers["Content-Type"] = "application/json" end
  local hosts = self.heroku.hosts
  local reply = http.request { method = method, url = (o.data and hosts.data or hosts.platform) .. path,
    headers = headers, body = o.body and json.encode_secret(o.body) or nil, check = false }
  local ok, value = pcall(json.decode, reply.body or "", { nulls = true,
    secrets = not o.visible and SECRET_FIELDS or nil })
  return { status = reply.status, headers = reply.headers, text = reply.body or "", value = ok and value or nil }
end

---The same at the Data API, below the database.
function Live:database(method, rest, body)
  return self:request(method, "/client/v11/databases/" .. self.addon.id .. rest, { data = true, body = body })
end

---The same at the Data API, below the app's transfers.
function Live:transfers(method, rest)
  return self:request(method, ("/client/v11/apps/%s/transfers%s"):format(self.app, rest), { data = true })
end

---Asks for a restore of an object of the bucket (the dump, if none is named).
---@param o? {key?: string, url?: string, extensions?: string[]}
---@return live.Reply
function Live:restore(o)
  o = o or {}
  local url = o.url or self.store:presign("GET", o.key or self.key, 3600)
  local extensions = o.extensions and #o.extensions > 0 and o.extensions or nil
  return self:database("POST", "/restores", { backup_url = url, extensions = extensions })
end

-- The state by the same order of fields as the product's, but of the raw answer: null is not absent here.
local function state_of(value)
  local fields = {}
  for name, each in pairs(value) do
    if each ~= json.null then fields[name] = each end
  end
  return transfers.state(fields), fields
end

---Looks at a transfer until it has ended. `each(fields, state)` sees every look.
---@param uuid string
---@param each? fun(fields: table, state: string)
---@return string state
---@return table fields   of the last look, nulls left out
function Live:follow(uuid, each)
  local began, canceled = task.now(), nil
  while true do
    local reply = self:transfers("GET", "/" .. uuid)
    if type(reply.value) == "table" and reply.status == 200 then
      local state, fields = state_of(reply.value)
      if each then each(fields, state) end
      canceled = fields.canceled_at and not fields.started_at and (canceled or task.now()) or nil
      if fields.finished_at or canceled and task.now() > canceled + CANCELLED then return state, fields end
    end
    if task.now() > began + LONGEST then fail.raise("PGO-RESTORE-STUCK", "a transfer does not end") end
    task.sleep(poll.seconds "transfer")
  end
end

---A restore to its end, if it is accepted.
---@return live.Reply asked
---@return string|nil state    nil when it was refused
---@return string[] lines      of its log
function Live:restore_to_the_end(o)
  local asked = self:restore(o)
  if asked.status >= 300 then return asked, nil, {} end
  local state = self:follow(asked.value.uuid)
  return asked, state, self:log(asked.value.uuid)
end

---The messages of a transfer's log.
---@return string[] lines
---@return table raw  the transfer with its log
function Live:log(uuid)
  local raw, lines = self:transfers("GET", "/" .. uuid .. "?verbose=true").value, {}
  local logs = type(raw) == "table" and raw.logs
  for i, each in ipairs(type(logs) == "table" and logs or {}) do lines[i] = tostring(each.message) end
  return lines, raw
end

---Runs fn(conn) with a connection to the target.
function Live:sql(fn)
  local conn <close> = self.target:connect()
  return fn(conn)
end

return client
