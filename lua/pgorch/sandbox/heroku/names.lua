-- The names that add-ons of the Heroku stand-in go by: their own, and those under which apps attach them.
-- A name on an app is held by one attachment; the config var of that name is its.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local reply  = require "pgorch.sandbox.heroku.reply"

local names = {}

local COLOURS = { "AMBER", "AQUA", "BLACK", "BLUE", "BRONZE", "BROWN", "CHARCOAL", "COBALT", "COPPER", "CRIMSON",
  "CYAN", "GOLD", "GRAY", "GREEN", "IVORY", "JADE", "MAROON", "MAUVE", "NAVY", "OLIVE", "ONYX", "ORANGE", "PINK",
  "PUCE", "PURPLE", "RED", "ROSE", "SILVER", "TEAL", "VIOLET", "WHITE", "YELLOW" }
local ADJECTIVES = { "acute", "clean", "cubic", "deep", "flat", "graceful", "opaque", "rigid", "round", "solid",
  "tapered" }

--- "postgresql-flat-12345".
---@param is_taken fun(name: string): boolean
---@return string
function names.random_addon(is_taken)
  local name
  repeat
    local random = tonumber(crypto.hex(crypto.random(4)), 16)
    name = ("postgresql-%s-%05d"):format(ADJECTIVES[1 + random % #ADJECTIVES], random % 100000)
  until not is_taken(name)
  return name
end

--- The attachment that has the name on the app.
---@return table|nil
function names.held(server, app, name)
  return server.state:attachments_where(function(a) return a.app == app and a.name == name end)[1]
end

---@return boolean
function names.is_free(server, app, name)
  return not names.held(server, app, name) and app.config[name .. "_URL"] == nil
end

local function next_colour(server, app)
  for _, colour in ipairs(COLOURS) do
    local name = "HEROKU_POSTGRESQL_" .. colour
    if names.is_free(server, app, name) then return name end
  end
  reply.invalid "All attachment names are taken."
end

--- Refuses a name that is no name, or that is not to be had.
local function check(server, app, addon, o)
  if type(o.name) ~= "string" or not o.name:match "^[A-Z][A-Z0-9_]*$" then
    reply.invalid "Name must start with a letter and can only contain uppercase letters, numbers, and underscores."
  end
  local holder = names.held(server, app, o.name)
  if not holder and app.config[o.name .. "_URL"] then
    reply.invalid(("Cannot overwrite config var %s_URL."):format(o.name))
  end
  if not holder then return nil end
  if holder.addon == addon and holder.namespace == o.namespace then
    reply.invalid(("%s is already attached as %s"):format(addon.name, o.name))
  end
  if not o.confirmed then
    reply.refuse(423, "confirmation_required",
      ("Overwriting the attachment %s of %s needs a confirmation."):format(o.name, holder.addon.name),
      nil, { ["X-Confirmation-Required"] = app.name })
  end
  return holder
end

--- Attaches an add-on to an app. Without a name a colour is picked.
---@param o { name: string?, namespace: string?, confirmed: boolean? } namespace: "credential:NAME"; confirmed: a name
---  that another add-on holds may be taken from it
---@return table attachment
---@return table|nil displaced the add-on that had the name before
function names.attach(server, app, addon, o)
  o = { name = o.name or next_colour(server, app), namespace = o.namespace, confirmed = o.confirmed }
  local holder = check(server, app, addon, o)
  if holder then
    server.state.remove(server.state.attachments, holder)
    server.state:release(app, ("Detach %s (@ref:%s)"):format(o.name, holder.addon.name))
  end
  local attachment = { id = crypto.uuid(), name = o.name, namespace = o.namespace, app = app, addon = addon,
    created_at = clock.iso() }
  table.insert(server.state.attachments, attachment)
  server.state:release(app, ("Attach %s (@ref:%s)"):format(o.name, addon.name))
  return attachment, holder and holder.addon
end

return names
