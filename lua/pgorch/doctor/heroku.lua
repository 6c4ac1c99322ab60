-- The token: whether there is one, and with --online whether Heroku takes it.

local clock  = require "pgorch.clock"
local doctor = require "pgorch.doctor"
local env    = require "pgorch.env"
local heroku = require "pgorch.heroku"
local skew   = require "pgorch.doctor.skew"

local NAME = "HEROKU_API_KEY"

local function ask()
  local client = heroku.client()
  local account, _, headers = client:request("GET", "/account")
  return { email = account and account.email, date = headers.date, at = clock.time() }
end

return function(found, o)
  if not env.secret(NAME) then
    local cure = "Make a token with `heroku authorizations:create`, and set HEROKU_API_KEY to it."
    if o.online then return found:fail("PGO-HEROKU-TOKEN", NAME .. " is not set", { cure = cure }) end
    return found:note(("%s is not set: a move needs it, or --heroku-api-key-file and the like"):format(NAME))
  end
  if not o.online then return found:note(NAME .. " is set; --online asks Heroku whether it is valid") end
  local answer = doctor.try(found, NAME, ask)
  if not answer then return end
  found:pass(("%s is valid%s"):format(NAME, answer.email and ": " .. answer.email or ""))
  skew.judge(found, "Heroku", answer.date, answer.at)
end
