-- Looks at a row before anything is touched: `pgorch check` as a process of its own, and what it found. Changes
-- nothing.

local fail         = require "pgorch.error"
local json         = require "pgorch.json"
local native       = require "pgorch.native.host"
local process      = require "pgorch.process"
local surroundings = require "pgorch.batch.surroundings"
local words        = require "pgorch.batch.words"

local check = {}

---@class pgorch.batch.Checked
---@field verdict "ready"|"refused"|"unknown"   unknown: something was away, and it can be asked again
---@field bytes integer|nil       of the source
---@field estimate number|nil     seconds of its run
---@field warned integer
---@field findings {level: string, id: string, what: string, cure?: string, fate?: string}[]  warnings and failures
---@field reason string|nil       in one line, of what is not ready

local LIMIT, SECONDS = 4 << 20, 900

local VERDICTS = { [0] = "ready", [2] = "refused", [4] = "refused" }

local KEPT = { warn = true, fail = true }

-- The first finding that fails, or what the process has said last.
local function reason_of(findings, child)
  for _, each in ipairs(findings) do
    if each.level == "fail" then return ("%s %s"):format(each.id, each.what) end
  end
  local said = (child.tail or ""):match "pgorch: ([^\n]+)"
  return said or ("`pgorch check` ended with status %d"):format(child.code)
end

local function read_events(text)
  local seen, findings, failed = {}, {}, nil
  for line in text:gmatch "[^\n]+" do
    local ok, event = pcall(json.decode, line)
    event = ok and event or {}
    if event.event == "inspected" then seen = event end
    if event.event == "failed" then failed = event.error end
    if event.event == "finding" and KEPT[event.level] then
      findings[#findings + 1] = { level = event.level, id = event.id, what = event.what, detail = event.detail,
                                  fate = event.fate, cure = event.cure }
    end
  end
  return seen, findings, failed
end

local function count(findings, level)
  local n = 0
  for _, each in ipairs(findings) do
    if each.level == level then n = n + 1 end
  end
  return n
end

-- What a process says that ended before it could tell events: its message as a finding.
local function said_before(child)
  local message, cure = (child.tail or ""):match "pgorch: ([^\n]+)", (child.tail or ""):match "cure: ([^\n]+)"
  local id, text = (message or ""):match "^(PGO%-[%u%-]+): (.*)$"
  return message and { { level = "fail", id = id or "PGO-BATCH", what = text or message, cure = cure } } or {}
end

local function judged(child)
  local seen, findings, failed = read_events(child.stdout)
  if #findings == 0 and child.code == 2 then findings = said_before(child) end
  local verdict = VERDICTS[child.code] or "unknown"
  local reason = verdict ~= "ready" and (failed and failed.message or reason_of(findings, child)) or nil
  return { verdict = verdict, bytes = seen.bytes, estimate = seen.estimate, warned = count(findings, "warn"),
           findings = json.array(findings), reason = reason }
end

---@param recipe pgorch.Recipe
---@param row {params: table, recipe_path: string}
---@param o? {path?: string, env?: table, open_allow_list?: boolean}   path: where the recipe is on this machine; env:
---more of its variables
---@return pgorch.batch.Checked
function check.row(recipe, row, o)
  o = o or {}
  local options = { native.executable(), "check", check = false, timeout = SECONDS, limit = LIMIT,
                    env = surroundings.env(o.env) }
  local list = words.of(recipe, row, { verb = "check", path = o.path })
  table.move(list, 1, #list, 3, options)
  options[#options + 1] = "--json"
  if o.open_allow_list then options[#options + 1] = "--open-allow-list" end
  local ok, child = pcall(process.run, options)
  if ok then return judged(child) end
  if not fail.is(child, "PGO-TIMEOUT") then error(child, 0) end
  return { verdict = "unknown", warned = 0, findings = json.array {}, reason = "`pgorch check` took too long" }
end

return check
