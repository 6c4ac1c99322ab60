-- Settings of a dedicated database in the Heroku stand-in (Data API, /postgres/v0/.../config). A change is really made
-- in the database; Essential plans have none.

local data  = require "pgorch.sandbox.heroku.data"
local pg    = require "pgorch.pg"
local reply = require "pgorch.sandbox.heroku.reply"

local settings = {}

--- Name -> default, what it is, and the values that it can have (any of the default's type without).
local KNOWN = {
  log_lock_waits = { true, "Log a message when a session waits longer than deadlock_timeout for a lock." },
  log_min_duration_statement = { -1, "Log statements that take at least that many milliseconds." },
  log_min_error_statement = { "error", "Log the statement of an error of at least that severity.",
    { error = "Errors.", log = "Errors and log messages.", fatal = "Fatal errors.", panic = "Panics." } },
  log_statement = { "ddl", "Which statements are logged.", { none = "No statements are logged.",
    ddl = "Definitions of data.", mod = "Definitions and changes.", all = "All statements." } },
  track_functions = { "none", "Which functions are counted.", { none = "None.", pl = "Procedural language functions.",
    all = "SQL and C functions, too." } },
}

local function check(name, value)
  local known = KNOWN[name] or reply.invalid(("Unknown setting %s."):format(name))
  local default, choices = known[1], known[3]
  if type(value) ~= type(default) or choices and not choices[value] then
    reply.invalid(("%s is not a value of %s."):format(tostring(value), name))
  end
end

local function apply(server, addon, name, value)
  local text = type(value) == "boolean" and (value and "on" or "off") or tostring(value)
  server.target:admin(nil, function(conn)
    conn:exec(("ALTER DATABASE %s SET %s = %s"):format(addon.database.dbname, pg.ident(name), pg.literal(text)))
  end)
  addon.settings[name] = value
end

local function shape(addon)
  local shown = {}
  for name, known in pairs(KNOWN) do
    local value = addon.settings[name]
    if value == nil then value = known[1] end
    shown[name] = { value = value, default = known[1], desc = known[2], values = known[3] or {} }
  end
  return reply.json(200, shown)
end

local function addon_of(server, request)
  local addon = data.addon(server, request.at.id)
  if addon.plan.essential then
    reply.unprocessable "You can't perform this operation on Essential-tier databases."
  end
  addon.settings = addon.settings or {}
  return addon
end

local function show(server, request)
  return shape(addon_of(server, request))
end

local function update(server, request)
  local addon = addon_of(server, request)
  for name, value in pairs(request.json) do check(name, value) end
  for name, value in pairs(request.json) do apply(server, addon, name, value) end
  return shape(addon)
end

settings.routes = {
  { "GET", "/postgres/v0/databases/:id/config", "settings", show },
  { "PATCH", "/postgres/v0/databases/:id/config", "settings.update", update },
}

return settings
