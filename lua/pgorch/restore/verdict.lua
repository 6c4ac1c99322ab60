-- What a finished transfer was worth: its state, what Heroku counted, and each line of its log. Nothing is good that is
-- not explained. Says too whether another attempt may succeed. Only reads; raises nothing.

local fail        = require "pgorch.error"
local masked      = require "pgorch.restore.masked"
local restore_log = require "pgorch.restore_log"

local verdict = {}

local SHOWN = 10

---As Heroku shows it: r004, or c004 for a copy of a database.
---@param transfer {num: integer, from_type: string|nil}
---@return string
function verdict.name(transfer)
  return ("%s%03d"):format(transfer.from_type == "pg_dump" and "c" or "r", transfer.num)
end

---"restore r004", "copy c004".
---@param transfer {num: integer, from_type: string|nil}
---@return string
function verdict.what(transfer)
  return (transfer.from_type == "pg_dump" and "copy " or "restore ") .. verdict.name(transfer)
end

---The lines of its log, as text.
---@param transfer pgorch.heroku.Transfer
---@return string[]
function verdict.lines(transfer)
  local lines = {}
  for _, each in ipairs(transfer.logs or {}) do lines[#lines + 1] = tostring(each.message) end
  return lines
end

---The log as it may be kept and shown: without the passwords of definitions.
---@param lines string[]
---@return string
function verdict.shown(lines) return masked.text(table.concat(lines, "\n")) end

-- All of it is masked before it is cut: a statement may lie across the cut.
local function last(lines, count)
  local all = {}
  for line in verdict.shown(lines):gmatch "[^\n]+" do all[#all + 1] = line end
  return table.concat(all, "\n", math.max(1, #all - count + 1))
end

---Each complaint, with what it means and what to do: the same cure is said once.
---@param lossy pgorch.restore.Verdict[]
---@return string
function verdict.explain(lossy)
  local parts, cures = {}, {}
  for i, each in ipairs(lossy) do
    if i > SHOWN then
      parts[#parts + 1] = ("and %d more, in restore.log"):format(#lossy - SHOWN)
      break
    end
    local cure = each.cure and not cures[each.cure] and "\n  cure: " .. each.cure or ""
    cures[each.cure or ""] = true
    parts[#parts + 1] = ("%s\n  %s%s"):format(each.text, each.why, cure)
  end
  return table.concat(parts, "\n")
end

-- Where no program of PostgreSQL's has said anything, none had the dump: the download failed, whatever Heroku calls it.
local function never_began(lines)
  for _, line in ipairs(lines) do
    if line:find("pg_restore: ", 1, true) or line:find("pg_dump: ", 1, true) then return false end
  end
  return true
end

local function canceled(name)
  return fail.new("PGO-RESTORE-FAILED", ("%s was canceled, and not by this run"):format(name),
    { cure = "Somebody or Heroku stopped it: find out why, then resume." })
end

local function failed(name, judged, lines)
  local detail = #judged.lossy > 0 and verdict.explain(judged.lossy) or last(lines, 15)
  return fail.new("PGO-RESTORE-FAILED", ("%s failed"):format(name), { detail = detail })
end

local function lossy(name, judged, lines)
  return fail.new("PGO-RESTORE-LOSSY", ("%s: %d lossy of %d lines"):format(name, #judged.lossy, #lines),
    { detail = verdict.explain(judged.lossy) })
end

local function explained(judged) return #judged.harmless + #judged.mended end

local function unexplained(name, transfer, judged, lines)
  return fail.new("PGO-RESTORE-LOSSY", ("%s finished with %d warnings, its log explains %d"):format(name,
    transfer.warnings, explained(judged)), { detail = last(lines, 15) })
end

---Heroku's word ("succeeded", "warned") only says that pg_restore came to its end.
---@param transfer pgorch.heroku.Transfer   finished, with its verbose log
---@param mends? table<string, boolean>     ids of the steps that come after the restore
---@return pgorch.RestoreLog judged
---@return pgorch.Error|nil err             nil: nothing was lost
---@return boolean transient                another attempt may succeed
function verdict.of(transfer, mends)
  local lines, name = verdict.lines(transfer), verdict.what(transfer)
  local judged = restore_log.classify(lines, mends)
  if transfer.state == "canceled" then return judged, canceled(name), false end
  if transfer.state == "failed" then
    return judged, failed(name, judged, lines), judged.transient or never_began(lines)
  end
  if #judged.lossy > 0 then return judged, lossy(name, judged, lines), judged.transient end
  if transfer.warnings > explained(judged) then return judged, unexplained(name, transfer, judged, lines), false end
  return judged, nil, false
end

return verdict
