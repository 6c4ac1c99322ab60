-- Findings of the checks made before anything is touched: pass, warn or fail, each failure with its cure.
-- All of them are collected and told at once; raising is the last thing that happens.
-- The checks themselves are in preflight/input.lua, source.lua and target.lua.

local fail = require "pgorch.error"
local task = require "pgorch.task"

local M = {}

---@class pgorch.Finding
---@field level "pass"|"warn"|"fail"
---@field id string|nil
---@field what string
---@field detail string|nil
---@field cure string|nil

---@class pgorch.Findings
---@field list pgorch.Finding[]
local Findings = {}
Findings.__index = Findings

---@return pgorch.Findings
function M.new()
  return setmetatable({ list = {} }, Findings)
end

function Findings:pass(what)
  self.list[#self.list + 1] = { level = "pass", what = what }
end

---@param what string
---@param o? {id?: string, detail?: string, cure?: string}
function Findings:warn(what, o)
  o = o or {}
  self.list[#self.list + 1] = { level = "warn", what = what, id = o.id, detail = o.detail, cure = o.cure }
end

---@param id string an id of error.def; its cure is used unless another is given
---@param what string
---@param o? {detail?: string, cure?: string}
function Findings:fail(id, what, o)
  o = o or {}
  for _, each in ipairs(self.list) do -- one key serves several requests: a wrong one is told once
    if each.id == id and each.what == what then return end
  end
  local entry = fail.describe(id)
  self.list[#self.list + 1] = { level = "fail", id = id, what = what, detail = o.detail,
                                cure = o.cure or entry and entry.cure }
end

local function is_finding(e)
  -- An outage, a bug or a cancel is not a finding about the input: it goes up as it is.
  return type(e) == "table" and e.id and e.kind ~= "bug" and not task.cancelled(e)
    and not (e.status and (e.status >= 500 or e.status == 429))
end

---Runs a check; what it raises becomes a failure of the list. Returns its result, nil when it raised.
function Findings:try(check, ...)
  local ok, value = pcall(check, ...)
  if ok then return value end
  if not is_finding(value) then error(value, 0) end
  self:fail(value.id, value.message, { detail = value.detail, cure = value.cure })
  return nil
end

---@param level "pass"|"warn"|"fail"
---@return integer
function Findings:count(level)
  local n = 0
  for _, each in ipairs(self.list) do
    if each.level == level then n = n + 1 end
  end
  return n
end

---Adds what another list found, without what is here already.
function Findings:merge(other)
  local have = {}
  for _, each in ipairs(self.list) do have[each.what] = true end
  for _, each in ipairs(other.list) do
    if not have[each.what] then self.list[#self.list + 1] = each end
  end
end

local function lines_of(each)
  local lines = { ("%s%s"):format(each.id and each.id .. " " or "", each.what) }
  for line in ((each.detail or "") .. "\n"):gmatch("(.-)\n") do
    if line ~= "" then lines[#lines + 1] = "  " .. line end
  end
  if each.cure and each.cure ~= "" then lines[#lines + 1] = "  cure: " .. each.cure end
  return lines
end

local WORD = { pass = "pass", warn = "warn", fail = "FAIL" }

---Prints the table; raises PGO-PREFLIGHT with every failure and its cure if there is one.
---@param ctx table
---@param title string
function Findings:report(ctx, title)
  local passed, warned, failed = self:count "pass", self:count "warn", self:count "fail"
  local rows, detail = {}, {}
  if passed > 0 then rows[1] = { "pass", ("%d %s"):format(passed, passed == 1 and "check" or "checks") } end
  for _, each in ipairs(self.list) do
    for i, line in ipairs(each.level ~= "pass" and lines_of(each) or {}) do
      rows[#rows + 1] = { i == 1 and WORD[each.level] or "", line }
      if each.level == "fail" then detail[#detail + 1] = line end
    end
  end
  ctx:table { title = title, columns = { "", "finding" }, rows = rows }
  if failed > 0 then
    fail.raise("PGO-PREFLIGHT", ("%s: %d fail, %d warn"):format(title, failed, warned),
      { detail = table.concat(detail, "\n"), told = true })
  end
  -- A run whose only warnings are these is a good one: they stand in the table, and are not counted against it.
  return { passed = passed, warned = warned }
end

return M
