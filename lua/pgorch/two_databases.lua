-- The two databases that a command is about, as they are given to it: by the environment, SOURCE_DATABASE_URL and
-- TARGET_DATABASE_URL or the variables that flags name. Connects to neither.

local authority = require "pgorch.authority"
local env       = require "pgorch.env"
local fail      = require "pgorch.error"
local identity  = require "pgorch.verify.identity"
local source    = require "pgorch.source"

local M = {}

---The flags of such a command, for recipe.arguments.
M.FLAGS = {
  { name = "source-env", type = "string" }, { name = "target-env", type = "string" },
  { name = "source-ca", type = "string" }, { name = "target-ca", type = "string" },
}

local function variable(flags, side) return flags[side .. "-env"] or side:upper() .. "_DATABASE_URL" end

---Raises PGO-PARAM when its address is not given.
---@param flags table   by their names
---@param side "source"|"target"
---@return pgorch.Source
function M.open(flags, side)
  local name = variable(flags, side)
  local url = env.secret(name)
  if not url then
    fail.raise("PGO-PARAM", ("the %s is not given: %s is not set"):format(side, name),
      { cure = ("Set it to the address of the %s, or name another variable with --%s-env."):format(side, side) })
  end
  local ca = flags[side .. "-ca"]
  return source.from_url(url, { ca_pem = ca and authority.read(("--%s-ca"):format(side), ca) })
end

---Raises PGO-PARAM when both addresses have led to one database.
---@param flags table
---@param from pgorch.Connection
---@param to pgorch.Connection
---@param why? string   ": what would come of it"
function M.refuse_one(flags, from, to, why)
  if not identity.same(from, to) then return end
  fail.raise("PGO-PARAM", "source and target are the same database" .. (why or ""), {
    cure = ("Give the addresses of two databases: %s and %s."):format(variable(flags, "source"),
      variable(flags, "target")) })
end

return M
