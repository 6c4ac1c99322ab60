-- Parameters of a recipe: what may be declared, the standard ones that every migration has, and their flags.
-- Reads no command line and no environment: that is recipe/arguments.lua.

local fail   = require "pgorch.error"
local values = require "pgorch.recipe.values"

local params = {}

---@class pgorch.Param
---@field name string
---@field type "string"|"path"|"integer"|"number"|"boolean"|"duration"|"size"|"list"   path: kept absolute
---@field default any            a value, or text of that type
---@field default_text string    what the help says in its place
---@field env string[]           environment variables, the first that is set counts
---@field help string
---@field required boolean|string  a string: when it is, for the help
---@field required_when table<string, any>  it is, where another parameter has this value: { via = "archive" }
---@field choices string[]
---@field secret boolean
---@field pattern string         a Lua pattern for the whole value
---@field check fun(value: any): boolean, string|nil
---@field shell boolean          a command that the machine of the run executes: a worker takes it only if it is told to
---@field use string             the `uses` that it is for: a recipe that replaces that one does not inherit it
---@field order integer          place in the help

local FIELDS = { name = true, type = true, default = true, default_text = true, env = true, help = true,
                 required = true, required_when = true, choices = true, secret = true, pattern = true, check = true,
                 use = true, order = true, shell = true }

local function wrong(name, text) fail.raise("PGO-RECIPE", ("parameter `%s`: %s"):format(tostring(name), text)) end

local function check_fields(name, spec)
  if type(name) ~= "string" or not name:match("^%l[%l%d_]*$") then
    wrong(name, "a name has small letters, digits and _ only")
  end
  if type(spec) ~= "table" then wrong(name, "a table is needed, as in { help = \"...\" }") end
  for field in pairs(spec) do
    if not FIELDS[field] then
      local known = {}
      for each in pairs(FIELDS) do known[#known + 1] = each end
      wrong(name, ("unknown field `%s`%s"):format(tostring(field), values.hint(tostring(field), known)))
    end
  end
end

local function type_of(spec)
  if spec.type then return spec.type end
  local kind = type(spec.default)
  if kind == "boolean" then return "boolean" end
  if kind == "table" then return "list" end
  if kind == "number" then return math.type(spec.default) == "integer" and "integer" or "number" end
  return "string"
end

---A complete specification out of what a recipe declared.
---@param name string
---@param given table
---@return pgorch.Param
function params.complete(name, given)
  check_fields(name, given)
  local spec = {}
  for field, value in pairs(given) do spec[field] = value end
  spec.name, spec.type = name, type_of(given)
  spec.env = type(spec.env) == "string" and { spec.env } or spec.env or {}
  if not values.is_type(spec.type) then wrong(name, ("there is no type `%s`"):format(tostring(spec.type))) end
  if spec.secret and spec.default ~= nil then wrong(name, "a secret has no default") end
  if spec.default ~= nil then
    local value, why = values.parse(spec.type, spec.default)
    if value == nil then wrong(name, ("the default %s %s"):format(tostring(spec.default), why)) end
    spec.default = value
  end
  return spec
end

---What the child declares over what its base has; `false` removes one.
---@param base table<string, table>
---@param child table<string, table>|nil
---@return table<string, table>
function params.merge(base, child)
  local merged = {}
  for name, spec in pairs(base) do merged[name] = spec end
  for name, spec in pairs(child or {}) do
    if spec == false then
      merged[name] = nil
    else
      local both = {}
      for field, value in pairs(type(merged[name]) == "table" and merged[name] or {}) do both[field] = value end
      for field, value in pairs(spec) do both[field] = value end
      merged[name] = both
    end
  end
  return merged
end

---In the order of the help: required ones, the recipe's own, the standard ones.
---@param specs table<string, pgorch.Param>
---@return pgorch.Param[]
function params.sorted(specs)
  local list = {}
  for _, spec in pairs(specs) do list[#list + 1] = spec end
  table.sort(list, function(a, b)
    local ra, rb = a.required == true, b.required == true
    if ra ~= rb then return ra end
    if (a.order or 0) ~= (b.order or 0) then return (a.order or 0) < (b.order or 0) end
    return a.name < b.name
  end)
  return list
end

---@param name string
---@return string  "--keep-dump"
function params.flag(name) return "--" .. name:gsub("_", "-") end

---Heroku's rule for the name of an app.
---@param name string
---@return boolean ok
---@return string why
function params.check_app_name(name)
  return name:match("^%l[%l%d-]+[%l%d]$") ~= nil and #name <= 30,
    ("`%s` cannot be an app's name: 3 to 30 lower-case letters, digits and dashes, a letter first"):format(name)
end

---What an app reads a database as: NAME of its config var NAME_URL.
---@param name string
---@return boolean ok
---@return string why
function params.check_attachment(name)
  local fits = name:match("^%u[%u%d_]*$") ~= nil and not name:match("_URL$")
  local free = not name:match("^PGORCH_TARGET") and not name:match("^OLD_") and not name:match("^HEROKU_POSTGRESQL_")
  return fits and free,
    ("the app cannot read a database as `%s`: write NAME where it reads NAME_URL, in capitals"):format(name)
end

local function check_major(text)
  return text:match("^%d%d?$") ~= nil, ("`%s` is no major version: write 17"):format(text)
end

local function check_address(text)
  local bytes = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  local good = #bytes == 4 or text:match("^[%x.]*:[%x:.]+$") ~= nil
  for _, byte in ipairs(bytes) do good = good and tonumber(byte) < 256 end
  return good, ("`%s` is no IP address"):format(text)
end

local function check_jobs(count)
  return count >= 1, "at least 1 is needed"
end

---For --readers.
---@param count integer
---@return boolean ok
---@return string what   is needed
function params.check_readers(count)
  return count >= 0 and count <= 32, "0 (pg_dump reads) to 32 connections"
end

local function check_rate(bytes)
  return bytes >= 1, "at least 1 byte a second is needed"
end

local STANDARD = {
  { "app", required = true, help = "the Heroku app: found, or made when it does not exist",
    check = params.check_app_name },
  { "as", default = "DATABASE", check = params.check_attachment,
    help = "what the app reads the database as: NAME for NAME_URL; databases of one app can be moved side by side" },
  { "plan", help = "plan of the new Heroku Postgres add-on", default_text = "the smallest that fits" },
  { "region", help = "region of an app that is made", default_text = "that of the account" },
  { "team", help = "team of an app that is made" },
  { "space", help = "private space of an app that is made" },
  { "version", help = "major version of the new database", default_text = "Heroku's default",
    check = check_major },
  { "confirm", help = "the app's name, typed again: its database may be overwritten" },
  { "again", default = false,
    help = "move an app that was moved already: its database, with what was written since, is replaced" },
  { "freeze", type = "list", default = "maintenance,read-only",
    choices = { "maintenance", "read-only", "hook", "none" },
    help = "how writes are kept out during the window; hook: by --on-freeze and --on-thaw" },
  { "accept", shell = true,
    help = "a command (sh -c) that must succeed before cut-over; DATABASE_URL is the target's" },
  { "on_freeze", shell = true,
    help = "a command (sh -c) to run when the window opens; PGORCH_RUN, PGORCH_APP and PGORCH_PHASE are set" },
  { "on_thaw", shell = true, help = "a command to run when the window closes; PGORCH_OUTCOME is moved or put-back" },
  { "hook_limit", type = "duration", default = "30m",
    help = "how long a command of --on-freeze, --on-thaw or --accept may run; 0: as long as it likes" },
  { "via", default = "archive", choices = { "archive", "direct", "heroku", "auto" },
    help = "the way of the data: archive, by a dump in object storage; direct, from server to server through this "
      .. "machine; heroku, fetched by Heroku, which gets the source's password; auto, the faster of the first two "
      .. "that is possible" },
  { "uplink", type = "size", default_text = "as an earlier upload has shown", check = check_rate,
    help = "bytes a second that this machine can send, as 4MB: for the estimates, and for --via auto" },
  { "compress", default = "auto", choices = { "auto", "fast", "small", "stock" },
    help = "how the dump is compressed; auto: as small as the way to the storage leaves time for; stock: by pg_dump" },
  { "readers", type = "integer", default = 0, check = params.check_readers,
    help = "connections that read the rows of the dump, in one snapshot; 0: pg_dump reads. More are quicker where this "
      .. "machine has more than two cores, and the source is another one" },
  { "spool", type = "path", default_text = "no file: straight into the storage",
    help = "a folder that the dump goes into before its upload: a resumed run need not dump again" },
  { "keep_dump", default = false, help = "keep the dump in the object storage afterwards" },
  { "watch", type = "duration", default = "0", help = "how long to watch the source for stray writers after cut-over" },
  { "settings", choices = { "safe", "all", "none" }, default_text = "safe: those that change what queries mean",
    help = "which of the source's settings are set on the new database" },
  { "restore_pending", type = "duration", default = "30m",
    help = "how long a restore, or another transfer of the app, may be waited for until it is canceled or given up" },
  { "database", help = "an attachment or add-on that is there, to restore into", default_text = "a new add-on" },
  { "target_ca", type = "path",
    help = "a file with the certificate authority of the target: then certificate and name are verified",
    default_text = "encrypted, but not verified" },
  { "allow_large", default = false, help = "move a database of more than 100 GB all the same" },
  { "allow_empty", default = false, help = "move a database without tables all the same" },
  { "verify_jobs", type = "integer", help = "connections that count and sum each side at once",
    default_text = "up to 4, as there are free ones", check = check_jobs },
  { "allow_sql_ascii", default = false, help = "move a database of encoding SQL_ASCII, all of which is UTF-8" },
  { "from_ip", help = "the address that the provider's allow list must hold",
    default_text = "asked from an echo service", check = check_address },
  { "heroku_api_key", env = "HEROKU_API_KEY", secret = true, help = "Heroku's API token" },
}

---The parameters that every migration has, and the recipe's own over them.
---@param own? table<string, table>
---@return table<string, table>
function params.standard(own)
  local base = {}
  for order, spec in ipairs(STANDARD) do
    local copy = { order = order }
    for field, value in pairs(spec) do
      if field ~= 1 then copy[field] = value end
    end
    base[spec[1]] = copy
  end
  return params.merge(base, own)
end

return params
