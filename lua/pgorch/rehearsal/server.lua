-- The PostgreSQL of this machine that stands in for the new database: of the major that Heroku would give, as far as
-- that is known and installed; never older than the source, and with the extensions that it uses. Starts nothing.

local binaries = require "pgorch.sandbox.postgres.binaries"
local env      = require "pgorch.env"
local fail     = require "pgorch.error"
local target   = require "pgorch.sandbox.target"

local M = {}

---The major version that the real database would have, as far as that can be known.
---@param ctx pgorch.Context
---@param params table   as they were given
---@return integer|nil
local function wanted_major(ctx, params)
  if params.version then return math.tointeger(tonumber(params.version)) end
  if ctx.real_target:is_ours() then return nil end
  local version = ctx.real_target:database():info().rows["pg version"]
  return version and math.tointeger(tonumber(version:match "%d+"))
end

local function is_chosen(named)
  local configured = env.get "PGORCH_POSTGRES"
  return named ~= nil or configured ~= nil and configured ~= ""
end

local function refuse_older(server, source_major, wanted)
  if server.major >= source_major then return end
  fail.raise("PGO-PG-VERSION", ("the source is PostgreSQL %d, and the newest server on this machine %d: it cannot take "
    .. "the target's place"):format(source_major, server.major), {
    cure = ("Install a server: apt-get install postgresql-%d (from PostgreSQL's own packages, where the distribution "
      .. "has none), or name its bin folder with --postgres."):format(math.max(source_major, wanted or 0)) })
end

---@param ctx pgorch.Context
---@param o {params: table, named: string|nil, found: pgorch.sandbox.Server, source_major: integer}   named: with
---  --postgres; found: that one, or the newest
---@return pgorch.sandbox.Server
---@return integer|nil wanted   the major that the real one would have
function M.choose(ctx, o)
  local wanted, server = wanted_major(ctx, o.params), o.found
  local bin = wanted and not is_chosen(o.named) and binaries.of_major(wanted)
  if bin then server = binaries.find(bin) end
  refuse_older(server, o.source_major, wanted)
  return server, wanted
end

---What stands in for what, in words.
---@param server pgorch.sandbox.Server
---@param wanted integer|nil
---@return string
function M.describe(server, wanted)
  local here = ("PostgreSQL %s"):format(server.version)
  if not wanted then return here .. " (which major Heroku gives by default is not known here)" end
  if wanted == server.major then return here .. ", as the target would have it" end
  return ("%s in the place of PostgreSQL %d, which is not installed here"):format(here, wanted)
end

---Raises PGO-EXTENSION for what Heroku has and the server here has not. What neither has is the preflight's to tell.
---@param names string[]                of the source's extensions
---@param offered table<string, table>  by the local server
---@param major integer
function M.refuse_lacking(names, offered, major)
  local at_heroku, lacking = {}, {}
  for _, name in ipairs(target.EXTENSIONS) do at_heroku[name] = true end
  for _, name in ipairs(names) do
    if at_heroku[name] and not offered[name] then lacking[#lacking + 1] = name end
  end
  if #lacking == 0 then return end
  fail.raise("PGO-EXTENSION", ("the PostgreSQL %d of this machine lacks what the source uses: %s"):format(major,
    table.concat(lacking, ", ")), {
    detail = "Heroku has them: only the local target of the rehearsal cannot take the restore",
    cure = ("Install them for PostgreSQL %d (Debian: postgresql-%d-postgis-3, postgresql-%d-pgvector and so on), or "
      .. "name a server that has them with --postgres."):format(major, major, major) })
end

return M
