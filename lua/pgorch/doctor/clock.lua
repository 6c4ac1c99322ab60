-- This machine's clock beside that of the host that --host names.

local clock  = require "pgorch.clock"
local doctor = require "pgorch.doctor"
local http   = require "pgorch.http"
local skew   = require "pgorch.doctor.skew"

local function ask(url)
  local reply = http.request { method = "HEAD", url = url, check = false, timeout = 15 }
  return { date = reply.headers.date, at = clock.time() }
end

return function(found, o)
  if not o.host then return end
  local url = o.host:match "^https?://" and o.host or "https://" .. o.host
  local answer = doctor.try(found, "the clock of " .. o.host, ask, url)
  if answer then skew.judge(found, o.host, answer.date, answer.at) end
end
