-- Looks at the rows of a batch before anything is touched, several at a time, and tells what stands in their way. What
-- was found lately of a row that is the same is not asked again: 500 rows are many requests.

local check     = require "pgorch.batch.check"
local clock     = require "pgorch.clock"
local json      = require "pgorch.json"
local loader    = require "pgorch.recipe.load"
local relations = require "pgorch.batch.relations"
local summary   = require "pgorch.runner.summary"
local task      = require "pgorch.task"
local term      = require "pgorch.term"
local values    = require "pgorch.recipe.values"
local window    = require "pgorch.batch.window"
local words     = require "pgorch.batch.words"

local examine = {}

local FRESH_SECONDS = 30 * 60

---What a row's process is started with, after the recipe.
---@param row pgorch.batch.Row
---@param recipe? pgorch.Recipe
---@return string[]
function examine.argv(row, recipe)
  local list = words.of(recipe or loader.load(row.recipe_path), row)
  table.remove(list, 1)
  return list
end

-- As it is on record, the row was looked at lately, and passed.
local function is_fresh(found, row, argv)
  if not found or not found.findings or found.findings.verdict ~= "ready" then return false end
  return clock.time() - (found.findings.at or 0) < FRESH_SECONDS and found.recipe_hash == row.recipe_hash
    and table.concat(found.argv, "\0") == table.concat(argv, "\0")
end

local function told(live, done, all)
  if live then term.err(("\r%d of %d rows looked at"):format(done, all)) end
end

---Looks at rows. Gives what was found, by row.
---@param batch pgorch.batch.Manifest
---@param rows pgorch.batch.Row[]
---@param o {quiet?: boolean, known?: table<string, pgorch.BatchRow>}   known: rows on record, by id
---@return table<pgorch.batch.Row, pgorch.batch.Checked>
function examine.rows(batch, rows, o)
  local recipes, of, done = {}, {}, 0
  local live = term.is_tty(2) and not o.quiet
  task.map(rows, { limit = batch.options.limits.jobs }, function(row)
    local recipe = recipes[row.recipe_path] or loader.load(row.recipe_path)
    recipes[row.recipe_path] = recipe
    local found = o.known and o.known[row.id]
    if is_fresh(found, row, examine.argv(row, recipe)) then
      of[row] = found.findings
    else
      of[row] = check.row(recipe, row, { open_allow_list = batch.options.open_allow_list })
      of[row].at = clock.time()
    end
    done = done + 1
    told(live, done, #rows)
  end)
  if live then term.err "\r\27[K" end
  return of
end

---@param of table<pgorch.batch.Row, pgorch.batch.Checked>
---@return {ready: integer, refused: integer, unknown: integer}
function examine.counts(of)
  local counts = { ready = 0, refused = 0, unknown = 0 }
  for _, seen in pairs(of) do counts[seen.verdict] = counts[seen.verdict] + 1 end
  return counts
end

---What can be done as it is, but may not be meant. Awaits, where the batch has a window.
---@param batch pgorch.batch.Manifest
---@param of table<pgorch.batch.Row, pgorch.batch.Checked>
---@return string[]
function examine.warnings(batch, of)
  local list = relations.warnings(batch.rows, batch.options)
  local resolved = batch.options.window and window.resolve(batch.options.window)
  for _, row in ipairs(batch.rows) do
    local estimate = row.estimate or of[row] and of[row].estimate
    if not window.could_fit(resolved, estimate) then
      list[#list + 1] = ("row %s takes about %s: it fits into no window from %s to %s"):format(row.id,
        values.show_duration(estimate or 0), resolved.opens, resolved.closes)
    end
  end
  return list
end

-- --- text ---

local function target_of(row)
  local given = row.params.values
  return given.app and ("%s %s"):format(given.app, given.as or "") or ""
end

local VERDICTS = { ready = "ready", refused = "REFUSED", unknown = "cannot tell" }

local function line_of(row, seen)
  local verdict = seen and VERDICTS[seen.verdict] or "not looked at"
  if seen and seen.warned > 0 and seen.verdict == "ready" then
    verdict = ("ready, %d warning%s"):format(seen.warned, seen.warned == 1 and "" or "s")
  end
  local estimate = row.estimate or seen and seen.estimate
  return { row.id, row.recipe, target_of(row), seen and seen.bytes and values.show_size(seen.bytes) or "",
           estimate and values.show_duration(estimate) or "", verdict, row.group or "" }
end

local function failure_text(finding)
  local text = ("  FAIL  %s %s"):format(finding.id, finding.what)
  for name in (finding.detail or ""):gmatch "[^\n]+" do text = text .. "\n          " .. name end
  return finding.cure and text .. "\n          cure: " .. finding.cure or text
end

-- {text of a failure, ...} and the rows of each: one that many rows share is said once.
local function failures(rows, of)
  local texts, rows_of = {}, {}
  for _, row in ipairs(rows) do
    for _, each in ipairs(of[row] and of[row].findings or {}) do
      local text = each.level == "fail" and failure_text(each)
      if text and not rows_of[text] then texts[#texts + 1], rows_of[text] = text, {} end
      if text then table.insert(rows_of[text], row.id) end
    end
  end
  return texts, rows_of
end

local function last_line(rows, of)
  local counts = examine.counts(of)
  if next(of) == nil then return ("%d rows are as they must be\n"):format(#rows) end
  return ("%d rows: %d ready, %d refused%s\n"):format(#rows, counts.ready, counts.refused,
    counts.unknown > 0 and (", %d not known"):format(counts.unknown) or "")
end

---@param batch pgorch.batch.Manifest
---@param rows pgorch.batch.Row[]
---@param of table<pgorch.batch.Row, pgorch.batch.Checked>
---@return string
function examine.text(batch, rows, of)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = line_of(row, of[row]) end
  local out = { summary.table { title = ("Batch %s"):format(batch.name), rows = lines,
    columns = { "row", "recipe", "app", "size", "takes", "verdict", "group" } } .. "\n" }
  local texts, rows_of = failures(rows, of)
  for _, row in ipairs(rows) do
    local seen = of[row]
    if seen and seen.verdict == "unknown" then out[#out + 1] = ("  ?     %s: %s\n"):format(row.id, seen.reason) end
  end
  for _, text in ipairs(texts) do
    out[#out + 1] = ("%s\n          rows: %s\n"):format(text, table.concat(rows_of[text], ", "))
  end
  return table.concat(out) .. last_line(rows, of)
end

---The same as JSON Lines.
---@param batch pgorch.batch.Manifest
---@param rows pgorch.batch.Row[]
---@param of table<pgorch.batch.Row, pgorch.batch.Checked>
---@return string
function examine.lines(batch, rows, of)
  local out = {}
  for i, row in ipairs(rows) do
    local seen = of[row] or {}
    out[i] = json.encode { event = "checked", batch = batch.name, row = row.id, recipe = row.recipe,
      verdict = seen.verdict, bytes = seen.bytes, estimate = row.estimate or seen.estimate, reason = seen.reason,
      findings = seen.findings }
  end
  local counts = examine.counts(of)
  counts.event, counts.batch, counts.rows = "batch_checked", batch.name, #rows
  out[#out + 1] = json.encode(counts)
  return table.concat(out, "\n") .. "\n"
end

return examine
