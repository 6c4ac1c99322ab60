-- Where faults can be asked for: every operation of every stand-in, taken from their own tables of calls, and what
-- stand-ins do by themselves. Owns nothing but the latter's descriptions.

local fail = require "pgorch.error"

local places = {}

--- Those that answer requests. Beside them there is `worker`: what Heroku does by itself.
places.STAND_INS = { "heroku", "s3", "vultr", "linode", "digitalocean" }

local WORKERS = {
  ["worker.provision"] = "an add-on at Heroku: it crawls by `looks` more of them or `delay` seconds; it ends as "
    .. "deprovisioned without either",
  ["worker.ready"] = "wait_status of a database: `looks` more of them, `stuck` for ever, or `error` with that message",
  ["worker.release"] = "the release process of an app: any fault makes it fail",
  ["worker.cancel"] = "a transfer that is cancelled: it stops only after `delay`",
  ["worker.start"] = "a transfer before it starts: `delay` keeps it pending",
  ["worker.restore"] = "a transfer at work: `delay` makes it slow, `silent` stops its heartbeat, `answer` makes it "
    .. "fail with `message`, `canceled` ends it as if Heroku had, `warnings` (harmless, lossy) adds complaints",
}

--- All places, and what happens there. STANDIN.any matches each request that has no fault of its own name.
---@return table<string, string>
function places.all()
  local found = {}
  for _, standin in ipairs(places.STAND_INS) do
    for name, requests in pairs(require("pgorch.sandbox." .. standin).operations()) do found[name] = requests end
    found[standin .. ".any"] = "any request to it"
  end
  for name, what in pairs(WORKERS) do found[name] = what end
  return found
end

--- Is it one of the sandbox's own?
---@param standin string
---@return boolean
function places.is_ours(standin)
  for _, each in ipairs(places.STAND_INS) do
    if standin == each then return true end
  end
  return standin == "worker"
end

--- Raises when no stand-in would ever ask for a fault of that name. Those that are not the sandbox's own have places
--- that only they know.
---@param name string
function places.check(name)
  local standin = name:match "^([%w_-]+)%.[%w_.-]+$"
  if standin and (not places.is_ours(standin) or places.all()[name]) then return end
  fail.raise("PGO-INVALID", ("no stand-in asks for the fault %s"):format(name))
end

return places
