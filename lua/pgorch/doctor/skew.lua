-- How far this machine's clock is from a server's, by the Date of an answer. Signatures of requests to object storage
-- are refused when it is a quarter of an hour; a signed URL is good for less.

local clock = require "pgorch.clock"

local skew = {}

local SMALL, LARGE = 30, 300 -- seconds

---@param found pgorch.Findings
---@param whose string
---@param date string|nil   the header
---@param at number         our clock when the answer came
function skew.judge(found, whose, date, at)
  local theirs = clock.parse_http(date)
  if not theirs then return found:note(("%s does not say what time it is"):format(whose)) end
  local off = math.floor(math.abs(at - theirs))
  local said = ("the clock differs by %d s from that of %s"):format(off, whose)
  if off >= LARGE then return found:fail("PGO-S3-CLOCK", said) end
  if off >= SMALL then return found:warn(said, { cure = "set the clock (NTP)" }) end
  found:pass(said)
end

return skew
