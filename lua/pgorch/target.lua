-- The database that is moved into: a Heroku Postgres add-on, found again each time by its attachment on the app.
-- Keeps no address and no password; after a resume it knows as much as before, because the app itself remembers.

local authority = require "pgorch.authority"
local claim     = require "pgorch.claim"
local fail      = require "pgorch.error"
local heroku    = require "pgorch.heroku"
local pg        = require "pgorch.pg"
local poll      = require "pgorch.poll"

local M = {}

-- The name that the app reads moves only at the cut-over; until then the new database hangs on the app under this one.
local WAITING = "PGORCH_TARGET"

---What the new database is attached as until the cut-over.
---@param as string  the name that it is to have
---@return string
function M.waiting_name(as) return as == "DATABASE" and WAITING or WAITING .. "_" .. as end

---@class pgorch.Target
---@field client pgorch.heroku.Client
---@field app pgorch.heroku.App
---@field attachment string
---@field as string             what the app is to read it as: NAME of NAME_URL
---@field ca_pem string|nil     given with --target-ca: its certificate and name are verified
local Target = {}
Target.__index = Target

---The constructor for a recipe's `uses.target`.
---@param p {app: string, as?: string, database?: string, heroku_api_key?: any, target_ca?: string}
---@return pgorch.Target
function M.heroku(p)
  local client = heroku.client { token = p.heroku_api_key }
  local named = p.database and (p.database:gsub("_URL$", "")) or nil
  local as = p.as or "DATABASE"
  return setmetatable({ client = client, app = client:app(p.app or ""), as = as, named = named,
                        attachment = named or M.waiting_name(as),
                        ca_pem = p.target_ca and authority.read("--target-ca", p.target_ca) }, Target)
end

---Whether the database was made by pgorch, so that nobody else's data can be in it.
function Target:is_ours()
  return self.named == nil
end

function Target:name()
  return ("%s of %s"):format(self.attachment, self.app.name)
end

---The attachment, or nil while there is no add-on yet.
function Target:attached()
  for _, each in ipairs(self.app:attachments()) do
    if each.name == self.attachment or (self.named and each.addon.name == self.named) then return each end
  end
end

---@return pgorch.heroku.Database
function Target:database()
  local attached = self:attached()
  if not attached and self.named then
    local names = {}
    for i, each in ipairs(self.app:attachments()) do names[i] = each.name end
    fail.raise("PGO-HEROKU-ADDON", ("%s has no attachment or add-on %s"):format(self.app.name, self.named),
      { detail = #names > 0 and "attached are: " .. table.concat(names, ", ") or nil, cure = "Correct --database." })
  end
  if not attached then fail.raise("PGO-HEROKU-ADDON", self:name() .. " is not there") end
  return self.app:database(attached.addon)
end

---The connection URL, a secret, as it is now.
function Target:url()
  return self:database():url(self.attachment)
end

-- Heroku's certificates are signed by no known authority: like its own CLI we encrypt everywhere but on this machine.
-- With a root.crt in the user's home, or PGSSLROOTCERT, libpq would verify all the same, with the source's CA most
-- likely: it is told of a file that cannot be.
local function secure(dsn, ca_pem)
  dsn.sslrootcert = nil
  if ca_pem then
    dsn.ca_pem, dsn.sslmode = ca_pem, "verify-full"
  else
    dsn.sslrootcert, dsn.sslmode = "/dev/null/none", poll.is_loopback(dsn.host) and "prefer" or "require"
  end
end

---@param o? {settings?: table, timeout?: number, url?: any}
---@return table conn
function Target:connect(o)
  o = o or {}
  local dsn = pg.dsn(o.url or self:url())
  secure(dsn, self.ca_pem)
  dsn.connect_timeout, dsn.application_name = o.timeout or 10, "pgorch"
  dsn.settings = {}
  for name, value in pairs(pg.UNLIMITED) do dsn.settings[name] = value end
  for name, value in pairs(o.settings or {}) do dsn.settings[name] = value end
  return pg.connect(dsn)
end

---Environment of a child such as pg_restore; files that it needs (the CA) are put into `dir`.
---@param dir string
---@return table<string, any>
function Target:env(dir)
  local dsn = pg.dsn(self:url())
  secure(dsn, self.ca_pem)
  dsn.application_name = "pgorch"
  local vars = pg.env(dsn, dir)
  vars.PGOPTIONS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
  return vars
end

local WHO = "select oid::text || '@' || pg_postmaster_start_time()::text from pg_database "
  .. "where datname = current_database()"

---Which database a connection has met: the same text by whatever name and address it was found.
---@param conn table
---@return string
function Target.who(conn) return conn:value(WHO) end

---Takes the database for this process by a lock in the database itself, which runs see whose record is elsewhere too.
---Raises PGO-LOCKED when another one has it. A claim whose connection was lost is made again.
---@param ctx pgorch.Context
---@param o? {if_reachable?: boolean}  a database that cannot be reached is let pass
function Target:claim(ctx, o)
  claim.take(ctx, "target_claim", self, o)
end

---Gives it back: before a restore, as Heroku ends all sessions when it empties the database.
---@param ctx pgorch.Context
function Target.unclaim(_, ctx) ctx:keep("target_claim", nil) end

-- Names that Heroku gives by itself: no app reads them unless it was told to.
local COLOUR = "^HEROKU_POSTGRESQL_%u+$"

---Whether an attachment's name is read by nobody: ours until the cut-over, or one that Heroku gives by itself.
---@param name string
---@return boolean
function M.is_idle(name)
  return name == WAITING or name:find("^" .. WAITING .. "_") ~= nil or name:match(COLOUR) ~= nil
end

---Name of the add-on that a run makes for an app.
---@param app string
---@param run string
---@return string
function M.addon_name(app, run)
  local short = app:sub(1, 12):gsub("%-$", "")
  return ("pgorch-%s-%s"):format(short, run)
end

---@param addon string  name
---@return boolean
function M.is_made_by_a_run(addon) return addon:match "^pgorch%-.+%-" ~= nil end

---Raises PGO-LOCKED when an app uses the database we made: what is in it may be nowhere else by now.
function Target:refuse_if_in_use()
  if self.named then return end          -- somebody's own database, confirmed by the app's name
  local path = "/addons/" .. self:database().id .. "/addon-attachments"
  for _, each in ipairs(self.client:list(path)) do
    if not M.is_idle(each.name) then
      fail.raise("PGO-LOCKED", ("%s uses the database as %s"):format(each.app.name, each.name),
        { cure = "Nothing was overwritten. If it may be, detach it there first." })
    end
  end
end

return M
