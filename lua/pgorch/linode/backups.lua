-- What Linode knows of an instance's backups, and what that means for --backup-now. Only reads.

local clock    = require "pgorch.clock"
local fail     = require "pgorch.error"
local provider = require "pgorch.provider"

local ONE = "/databases/postgresql/instances/%s"

local M = {}

---On today's platform it can be restored to any time `since` then, on the legacy one there is a list of backups.
---@return {on_request: boolean, since: number|nil, latest: number|nil}
function M.of(api, id)
  local raw = api:get(ONE:format(id))
  if raw.platform ~= "rdbms-legacy" then
    local since = provider.text(raw.oldest_restore_time)
    return { on_request = false, since = since and clock.parse_iso(since .. "Z") }
  end
  local latest
  for _, each in ipairs(api:pages(ONE:format(id) .. "/backups", "data")) do
    latest = math.max(latest or 0, clock.parse_iso(each.created .. "Z"))
  end
  return { on_request = true, latest = latest }
end

---Raises where --backup-now asks for what the platform does not do.
function M.refuse_request(known)
  if known.on_request then return end
  fail.raise("PGO-PARAM", "--backup-now: Linode takes no backup of this database on request",
    { cure = "Leave it out: a database on this platform can be restored to any time." })
end

---@param within number  seconds
---@return boolean
function M.is_old(known, within) return not known.latest or clock.time() - known.latest > within end

return M
