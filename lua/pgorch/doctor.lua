-- What this machine needs for a move: looked at one after the other, each finding with its cure. Changes nothing; asks
-- the network only where it is told to. One theme, one file in doctor/.

local fail      = require "pgorch.error"
local preflight = require "pgorch.preflight"
local task      = require "pgorch.task"

local doctor = {}

doctor.THEMES = { "programs", "authorities", "record", "limits", "clock", "heroku" }

---@class pgorch.doctor.Options
---@field record string|nil    where the record of runs is; nil: the usual place
---@field host string|nil      whose clock ours is compared with: a name or a URL
---@field online boolean|nil   ask Heroku whether it takes the token

---Runs a part of a check: whatever it raises is a finding, an outage too. Returns its result, nil when it raised.
---@param found pgorch.Findings
---@param what string|nil   put before the error's message
function doctor.try(found, what, fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then return value end
  local err = fail.wrap(value)
  if task.cancelled(err) or err.kind == "bug" then error(value, 0) end
  found:fail(err.id, what and ("%s: %s"):format(what, err.message) or err.message,
    { detail = err.detail, cure = fail.cure(err) })
end

---@param o pgorch.doctor.Options
---@return pgorch.Findings
function doctor.look(o)
  local found = preflight.new()
  for _, theme in ipairs(doctor.THEMES) do require("pgorch.doctor." .. theme)(found, o) end
  return found
end

return doctor
