-- Judges the verbose log of a restore: which of pg_restore's complaints are harmless and which lost something.
-- "Finished with warnings" can mean anything from a comment on an extension to a restore that stopped half way, so
-- every block is looked at, and what no rule knows counts as lossy.

local M = {}

---@class pgorch.RestoreLog
---@field lines integer
---@field harmless {text: string, why: string}[]
---@field lossy {text: string, why: string}[]
---@field ignored integer|nil   what pg_restore itself counted: "errors ignored on restore: N"

-- Rules are tried in order. `error` is a pattern in the complaint, `command` one in its "Command was:", `entry` one in
-- the line that names the entry of the table of contents; all that are given must match.
local HARMLESS = {
  { command = "^COMMENT ON EXTENSION", why = "extensions belong to Heroku; only the comment on one is missing" },
  { entry = "COMMENT %- EXTENSION", why = "extensions belong to Heroku; only the comment on one is missing" },
  { error = "must be owner of extension", command = "^DROP EXTENSION",
    why = "extensions belong to Heroku; the extension stays" },
  { error = "must be owner of extension plpgsql", why = "plpgsql belongs to Heroku and is there" },
  { error = 'extension "plpgsql" already exists', why = "plpgsql belongs to Heroku and is there" },
  { error = 'unrecognized configuration parameter "transaction_timeout"',
    why = "pg_restore 17 sets it on an older server; it concerns no data" },
  { error = 'unrecognized configuration parameter "idle_replication_slot_timeout"',
    why = "a newer pg_restore sets it on an older server; it concerns no data" },
  { error = 'schema "public" already exists', why = "every database has it" },
  { error = "must be owner of schema public", command = "^COMMENT ON SCHEMA", why = "only the comment is missing" },
  { error = "must be owner of schema public", command = "^DROP SCHEMA", why = "it stays, as it should" },
  { error = 'schema "heroku_ext"', why = "Heroku's own schema of 2022, which new databases do not have" },
  { command = "^GRANT ", why = "grants are not carried; roles of the source do not exist at Heroku" },
  { command = "^REVOKE ", why = "grants are not carried; roles of the source do not exist at Heroku" },
  { command = "^ALTER DEFAULT PRIVILEGES", why = "grants are not carried; roles of the source do not exist at Heroku" },
  { command = "^ALTER .- OWNER TO ", why = "at Heroku everything belongs to the default credential" },
  { command = "^SECURITY LABEL ", why = "security labels are not carried" },
  { command = "^CREATE PUBLICATION ", why = "publications are not carried" },
  { command = "^ALTER PUBLICATION ", why = "publications are not carried" },
  { command = "^CREATE SUBSCRIPTION ", why = "subscriptions are not carried" },
}

-- Only to say what was lost; a block that none of these know is lossy all the same.
local LOSSY = {
  { error = "could not create unique index", why = "a unique index is missing: the source holds duplicates" },
  { error = "duplicate key value", why = "rows were refused as duplicates" },
  { error = "permission denied to create extension", why = "an extension is missing, and what needs it" },
  { error = "extension .- is not available", why = "an extension is missing, and what needs it" },
  { error = "could not open extension control file", why = "an extension is missing, and what needs it" },
  { error = "must be installed in schema", why = "an extension is missing, and what needs it" },
  { error = "permission denied to create event trigger", why = "an event trigger is missing" },
  { error = "permission denied for language", why = "a function is missing" },
  { error = "language .- does not exist", why = "a function is missing" },
  { error = "foreign%-data wrapper .- does not exist", why = "a foreign server is missing" },
  { error = "server .- does not exist", why = "a foreign table or user mapping is missing" },
  { error = "unsupported version", why = "the archive is newer than Heroku's pg_restore: nothing was restored" },
  { error = "input file", why = "what Heroku downloaded is not the archive" },
  { error = "could not read from input file", why = "the download ended early" },
  { error = "COPY failed", why = "rows of a table are missing" },
  { error = "collation .- does not exist", why = "something that needs a collation is missing" },
  { error = "type .- does not exist", why = "something that needs a type is missing" },
  { error = "function .- does not exist", why = "something that needs a function is missing" },
  { error = "relation .- does not exist", why = "something that needs a table is missing" },
  { command = "^CREATE POLICY", why = "a row security policy is missing: rows may be visible that were not" },
  { error = "role .- does not exist", why = "something that names a role is missing" },
}

local function matches(rule, block)
  return (not rule.error or block.error:find(rule.error) ~= nil)
    and (not rule.command or (block.command or ""):find(rule.command) ~= nil)
    and (not rule.entry or (block.entry or ""):find(rule.entry) ~= nil)
end

local function judge(block)
  for _, rule in ipairs(HARMLESS) do
    if matches(rule, block) then return "harmless", rule.why end
  end
  for _, rule in ipairs(LOSSY) do
    if matches(rule, block) then return "lossy", rule.why end
  end
  return "lossy", "no rule knows this complaint"
end

local function text_of(block)
  local parts = { block.error }
  if block.detail then parts[#parts + 1] = block.detail end
  if block.command then parts[#parts + 1] = "Command was: " .. block.command end
  return table.concat(parts, "\n")
end

-- A line, once the level word is off: what it starts or belongs to. Only pg_restore's own lines open a block;
-- the lines after it (HINT, DETAIL, Command was) come without its name.
local function kind_of(line)
  local said = line:match("pg_restore: (.*)$")
  if said then
    if said:lower():match("^warning: errors ignored on restore: %d+") then
      return "count", math.tointeger(tonumber(said:match("(%d+)%s*$")))
    end
    if said:match("^from TOC entry") or said:match("Error from TOC entry") then return "entry", said end
    local problem = said:match("^error: (.*)$") or said:match("^warning: (.*)$") or said:match("^fatal: (.*)$")
      or said:match("^%[[%w ()]+%] (.*)$")
    if problem then return "problem", problem end
    return "progress"
  end
  local rest = line:match("^%s*Command was: (.*)$")
  if rest then return "command", rest end
  rest = line:match("^%s*(DETAIL:.*)$") or line:match("^%s*(HINT:.*)$") or line:match("^%s*(CONTEXT:.*)$")
  if rest then return "detail", rest end
  return "other"
end

local function blocks_of(lines)
  local blocks, open, entry, ignored = {}, nil, nil, nil
  for _, line in ipairs(lines) do
    local kind, value = kind_of(line)
    if kind == "count" then ignored, open = value, nil
    elseif kind == "entry" then entry, open = value, nil
    elseif kind == "problem" then
      open = { error = value, entry = entry }
      blocks[#blocks + 1] = open
    elseif kind == "progress" then open, entry = nil, nil
    elseif open and kind == "command" then open.command = value
    elseif open and kind == "detail" then open.detail = (open.detail and open.detail .. "\n" or "") .. value
    end
  end
  return blocks, ignored
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
---@return pgorch.RestoreLog
function M.classify(log)
  local lines = lines_of(log)
  local blocks, ignored = blocks_of(lines)
  local result = { lines = #lines, harmless = {}, lossy = {}, ignored = ignored }
  local errors = 0
  for _, block in ipairs(blocks) do
    local class, why = judge(block)
    local list = result[class]
    list[#list + 1] = { text = text_of(block), why = why }
    errors = errors + 1
  end
  -- A log that was cut says less than pg_restore counted: what is not shown cannot be called harmless.
  if ignored and ignored > errors then
    result.lossy[#result.lossy + 1] = { text = ("errors ignored on restore: %d"):format(ignored),
      why = ("the log shows only %d of them"):format(errors) }
  end
  return result
end

return M
