-- Findings of the checks made before anything is touched: pass, warn or fail, each failure with its cure; and notes,
-- which are true of every move.
-- All of them are collected and told at once; raising is the last thing that happens.
-- The checks themselves are in preflight/, one file per theme; source.lua has their order.

local fail = require "pgorch.error"
local task = require "pgorch.task"

local M = {}

---@class pgorch.Finding
---@field level "pass"|"note"|"warn"|"fail"
---@field id string|nil
---@field what string
---@field detail string|nil   the things it is about, one a line
---@field fate string|nil     what the migration will do to them
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

---Something to know, with which nothing is wrong.
---@param what string
function Findings:note(what)
  self.list[#self.list + 1] = { level = "note", what = what }
end

---@param what string
---@param o? {id?: string, detail?: string, fate?: string, cure?: string}
function Findings:warn(what, o)
  o = o or {}
  self.list[#self.list + 1] = { level = "warn", what = what, id = o.id, detail = o.detail, fate = o.fate,
                                cure = o.cure }
end

---@param id string an id of error.def; its cure is used unless another is given
---@param what string
---@param o? {detail?: string, fate?: string, cure?: string}
function Findings:fail(id, what, o)
  o = o or {}
  for _, each in ipairs(self.list) do -- one key serves several requests: a wrong one is told once
    if each.id == id and each.what == what then return end
  end
  local entry = fail.describe(id)
  self.list[#self.list + 1] = { level = "fail", id = id, what = what, detail = o.detail, fate = o.fate,
                                cure = o.cure or entry and entry.cure }
end

local function is_finding(e)
  -- An outage, a bug or a cancel is not a finding about the input: it goes up as it is.
  return type(e) == "table" and e.id and e.kind ~= "bug" and e.id ~= "PGO-PG-LOST" and not task.cancelled(e)
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

-- The server's own words for: took too long, waits for somebody's lock, is not for this role, is not there (any more).
local UNTOLD = { ["57014"] = "it took too long", ["55P03"] = "somebody holds a lock on it", ["42501"] = "no privilege" }

---Runs one of the checks that ask the database. One that the server does not answer is a warning, never a pass.
---@param theme string   what could not be told: "row security"
---@return any result  of the check; nil when it was not answered
function Findings:ask(theme, check, ...)
  local ok, why = pcall(check, ...)
  if ok then return why end
  local reason = type(why) == "table" and UNTOLD[why.sqlstate]
  if not reason then error(why, 0) end
  self:warn(("%s: could not be told, %s"):format(theme, reason), { detail = why.message,
    fate = "not checked: what is wrong there would only be seen by the restore",
    cure = "run the check again, as a role that may read the catalogues, when the database is less busy" })
end

---@param level "pass"|"note"|"warn"|"fail"
---@return integer
function Findings:count(level)
  local n = 0
  for _, each in ipairs(self.list) do
    if each.level == level then n = n + 1 end
  end
  return n
end

---What is said of a finding, below each other.
---@param each pgorch.Finding
---@return string[]
function M.lines(each)
  local lines = { ("%s%s"):format(each.id and each.id .. " " or "", each.what) }
  for line in ((each.detail or "") .. "\n"):gmatch("(.-)\n") do
    if line ~= "" then lines[#lines + 1] = "  " .. line end
  end
  if each.fate then lines[#lines + 1] = "  then: " .. each.fate end
  if each.cure and each.cure ~= "" then lines[#lines + 1] = "  cure: " .. each.cure end
  return lines
end

---The first names of a long list, one a line.
---@generic T
---@param rows T[]
---@param format fun(row: T): string
---@return string
function M.names(rows, format)
  local names = {}
  for i, row in ipairs(rows) do
    if i > 12 then
      names[#names + 1] = ("... and %d more"):format(#rows - 12)
      break
    end
    names[#names + 1] = format(row)
  end
  return table.concat(names, "\n")
end

---Whether the recipe has that step.
---@param ctx table
---@param id string
---@return boolean
function M.has_step(ctx, id)
  for _, each in ipairs(ctx.recipe and ctx.recipe.steps or {}) do
    if each == id then return true end
  end
  return false
end

---"1 check", "2 checks"; a word that takes more than an s comes with its plural.
---@param n integer
---@param word string
---@param plural? string
---@return string
function M.number(n, word, plural) return ("%d %s"):format(n, n == 1 and word or plural or word .. "s") end

local WORD = { pass = "pass", note = "note", warn = "warn", fail = "FAIL" }

---Prints the table, which keeps the findings themselves for the report;
---raises PGO-PREFLIGHT with every failure and its cure if there is one.
---@param ctx table
---@param title string
function Findings:report(ctx, title)
  local passed, warned, failed = self:count "pass", self:count "warn", self:count "fail"
  local rows, detail = {}, {}
  if passed > 0 then rows[1] = { "pass", M.number(passed, "check") } end
  for _, each in ipairs(self.list) do
    for i, line in ipairs(each.level ~= "pass" and M.lines(each) or {}) do
      rows[#rows + 1] = { i == 1 and WORD[each.level] or "", line }
      if each.level == "fail" then detail[#detail + 1] = line end
    end
  end
  ctx:table { title = title, columns = { "", "finding" }, rows = rows, findings = self.list }
  if failed > 0 then
    fail.raise("PGO-PREFLIGHT", ("%s: %d fail, %d warn"):format(title, failed, warned),
      { detail = table.concat(detail, "\n"), told = true })
  end
  -- A run whose only warnings are these is a good one: they stand in the table, and are not counted against it.
  return { passed = passed, warned = warned }
end

return M
