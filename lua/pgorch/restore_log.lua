-- Judges the verbose log of a restore: which complaints of pg_restore (in a copy, of pg_dump) are harmless, which are
-- mended by a later step of the recipe, and which lost something.
-- "Finished with warnings" can mean anything from a comment on an extension to a restore that stopped half way, so
-- every block is looked at, and what no rule knows counts as lossy.

local masked = require "pgorch.restore.masked"
local rules  = require "pgorch.restore.rules"

local M = {}

---@class pgorch.restore.Verdict
---@field text string        the complaint, with the server's detail and the command; no passwords of definitions
---@field why string
---@field rule string|nil    id of the rule that knew it
---@field cure string|nil
---@field transient boolean
---@field name string|nil    mended: the thing, as the command writes it

---@class pgorch.RestoreLog
---@field lines integer
---@field harmless pgorch.restore.Verdict[]
---@field mended pgorch.restore.Verdict[]
---@field lossy pgorch.restore.Verdict[]
---@field ignored integer|nil   what pg_restore itself counted: "errors ignored on restore: N"
---@field transient boolean     something was lost, and all of it because of what passes

local function finds(patterns, text)
  if type(patterns) == "string" then patterns = { patterns } end
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return pattern end
  end
end

local function matches(rule, block)
  if rule.program and rule.program ~= block.program then return false end
  local by = not rule.error or finds(rule.error, block.error)
  return by and (not rule.command or finds(rule.command, block.command or "")) and by
end

-- A cure names the thing: what the rule's pattern has caught.
local function cure_of(rule, block, pattern)
  local name = type(pattern) == "string" and block.error:match(pattern)
  return rule.cure and (rule.cure:gsub("{1}", function() return name or "it" end))
end

local function judge(block)
  for _, rule in ipairs(rules) do
    local by = matches(rule, block)
    if by then return rule, cure_of(rule, block, by) end
  end
  return { class = "lossy", why = "no rule knows this complaint" }
end

-- What mends is of use only where the recipe has it.
local function class_of(rule, mends)
  return rule.class == "mended" and not mends[rule.by] and "lossy" or rule.class
end

-- A command may be a function of a thousand lines: its beginning says enough.
local MOST = 600

local function shortened(text)
  text = text:gsub("%s+$", "")
  if #text <= MOST then return text end
  return text:sub(1, (utf8.offset(text, 0, MOST) or MOST) - 1) .. " ..."
end

local function text_of(block)
  local parts = { masked.text(block.error) }
  if block.detail then parts[#parts + 1] = masked.text(block.detail) end
  if block.command then parts[#parts + 1] = "Command was: " .. shortened(masked.text(block.command)) end
  return table.concat(parts, "\n")
end

-- What a line starts or belongs to. Only the programs' own lines open a block; those after it (HINT, DETAIL, Command
-- was) come without their name, but for pg_dump's "detail:" and "hint:".
local function kind_of(line)
  local program, said = line:match("(pg_restore): (.*)$")
  if not said then program, said = line:match("(pg_dump): (.*)$") end
  if said then
    local more, rest = said:match("^(%l+): (.*)$")
    if more == "detail" or more == "hint" then return "more", ("%s:  %s"):format(more:upper(), rest) end
    if said:lower():match("^warning: errors ignored on restore: %d+") then
      return "count", math.tointeger(tonumber(said:match("(%d+)%s*$")))
    end
    if said:match("Error from TOC entry") or said:match("Error while %u") then return "progress" end
    local problem = said:match("^error: (.*)$") or said:match("^fatal: (.*)$") or said:match("^%[[%w ()]+%] (.*)$")
    if problem then return "problem", problem, program end
    problem = said:match("^warning: (.*)$")
    if problem then return "warning", problem, program end
    return "progress"
  end
  local rest = line:match("^%s*Command was: (.*)$")
  if rest then return "command", rest end
  return "more", line
end

-- Lines without pg_restore's name go on with what the block has said last: a message, its detail, a command.
local function continue(block, line)
  if block.command then
    block.command = block.command .. "\n" .. line
  elseif block.detail or line:match("^%s*%u[%u ]*:  ?") or line:match("^LINE %d+:") then
    block.detail = (block.detail and block.detail .. "\n" or "") .. line
  else
    block.error = block.error .. "\n" .. line
  end
end

local function blocks_of(lines)
  local blocks, open, ignored, errors = {}, nil, nil, 0
  for _, line in ipairs(lines) do
    local kind, value, program = kind_of(line)
    if kind == "count" then ignored, open = value, nil
    elseif kind == "problem" or kind == "warning" then
      open = { error = value, program = program }
      blocks[#blocks + 1] = open
      errors = errors + (kind == "problem" and program == "pg_restore" and 1 or 0)      -- it counts no warnings
    elseif kind == "progress" then open = nil
    elseif open and kind == "command" then open.command = value
    elseif open and kind == "more" then continue(open, value)
    end
  end
  return blocks, ignored, errors
end

-- The log as lines of text: an API log is a list of {message=}, a message may hold several lines.
local function lines_of(log)
  local lines = {}
  if type(log) == "string" then log = { log } end
  for _, each in ipairs(log or {}) do
    local text = type(each) == "table" and each.message or each
    for line in (tostring(text) .. "\n"):gmatch("(.-)\r?\n") do
      if line ~= "" then lines[#lines + 1] = line end
    end
  end
  return lines
end

---@param log string|string[]|{message: string}[]
---@param mends? table<string, boolean>  ids of the steps that come after the restore
---@return pgorch.RestoreLog
function M.classify(log, mends)
  local lines = lines_of(log)
  local blocks, ignored, errors = blocks_of(lines)
  local result = { lines = #lines, harmless = {}, mended = {}, lossy = {}, ignored = ignored, transient = #blocks > 0 }
  for _, block in ipairs(blocks) do
    local rule, cure = judge(block)
    local class = class_of(rule, mends or {})
    local list = result[class]
    list[#list + 1] = { text = text_of(block), why = rule.why, rule = rule.id, cure = cure,
                        transient = rule.transient == true,
                        name = class == "mended" and block.command:match(rule.command) or nil }
    if class == "lossy" and not rule.transient then result.transient = false end
  end
  -- A log that was cut says less than pg_restore counted: what is not shown cannot be called harmless.
  if ignored and ignored > errors then
    result.lossy[#result.lossy + 1] = { text = ("errors ignored on restore: %d"):format(ignored),
      why = ("the log shows only %d of them"):format(errors), transient = false }
    result.transient = false
  end
  if #result.lossy == 0 then result.transient = false end
  return result
end

return M
