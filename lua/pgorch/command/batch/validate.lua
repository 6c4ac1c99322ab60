-- pgorch batch validate MANIFEST: is every row as it must be, and what stands in its way? Touches nothing.

local check    = require "pgorch.batch.check"
local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local loader   = require "pgorch.recipe.load"
local manifest = require "pgorch.batch.manifest"
local progress = require "pgorch.runner.progress"
local summary  = require "pgorch.runner.summary"
local task     = require "pgorch.task"
local term     = require "pgorch.term"
local values   = require "pgorch.recipe.values"

local word = {}

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

local function counted(list, of)
  local counts = { ready = 0, refused = 0, unknown = 0 }
  for _, row in ipairs(list) do
    local seen = of[row]
    if seen then counts[seen.verdict] = counts[seen.verdict] + 1 end
  end
  return counts
end

local function failure_text(finding)
  local text = ("  FAIL  %s %s"):format(finding.id, finding.what)
  for name in (finding.detail or ""):gmatch "[^\n]+" do text = text .. "\n          " .. name end
  return finding.cure and text .. "\n          cure: " .. finding.cure or text
end

-- What stands in the way of rows, said once for all that share it.
local function write_problems(list, of)
  local texts, rows_of = {}, {}
  for _, row in ipairs(list) do
    local seen = of[row]
    for _, each in ipairs(seen and seen.findings or {}) do
      local text = each.level == "fail" and failure_text(each)
      if text and not rows_of[text] then texts[#texts + 1], rows_of[text] = text, {} end
      if text then table.insert(rows_of[text], row.id) end
    end
    if seen and seen.verdict == "unknown" then term.out(("  ?     %s: %s\n"):format(row.id, seen.reason)) end
  end
  for _, text in ipairs(texts) do
    term.out(("%s\n          rows: %s\n"):format(text, table.concat(rows_of[text], ", ")))
  end
end

local function write_text(batch, of, counts, looked)
  local lines = {}
  for i, row in ipairs(batch.rows) do lines[i] = line_of(row, of[row]) end
  term.out(summary.table { title = ("Batch %s"):format(batch.name), rows = lines,
    columns = { "row", "recipe", "app", "size", "takes", "verdict", "group" } } .. "\n")
  write_problems(batch.rows, of)
  if not looked then return term.out(("%d rows are as they must be\n"):format(#batch.rows)) end
  term.out(("%d rows: %d ready, %d refused%s\n"):format(#batch.rows, counts.ready, counts.refused,
    counts.unknown > 0 and (", %d not known"):format(counts.unknown) or ""))
end

local function write_json(batch, of, counts)
  for _, row in ipairs(batch.rows) do
    local seen = of[row] or {}
    term.out(json.encode { event = "row", batch = batch.name, row = row.id, recipe = row.recipe, verdict = seen.verdict,
      bytes = seen.bytes, estimate = row.estimate or seen.estimate, reason = seen.reason,
      findings = seen.findings } .. "\n")
  end
  counts.event, counts.batch, counts.rows = "batch", batch.name, #batch.rows
  term.out(json.encode(counts) .. "\n")
end

---Looks at rows, several at a time.
---@param rows pgorch.batch.Row[]
---@param jobs integer
---@param seen fun(row: pgorch.batch.Row, checked: pgorch.batch.Checked)
function word.check(rows, jobs, seen)
  local recipes = {}
  for _, row in ipairs(rows) do
    recipes[row.recipe_path] = recipes[row.recipe_path] or loader.load(row.recipe_path)
  end
  task.map(rows, { limit = jobs }, function(row) seen(row, check.row(recipes[row.recipe_path], row)) end)
end

-- While it is looked at: how far it is, on a terminal alone.
local function look(batch, host)
  local of, done, live = {}, 0, term.is_tty(2) and not host.json and not host.quiet
  word.check(batch.rows, batch.options.limits.jobs, function(row, checked)
    of[row], done = checked, done + 1
    if live then term.err(("\r%d of %d rows looked at"):format(done, #batch.rows)) end
  end)
  if live then term.err "\r\27[K" end
  return of
end

function word.run(argv)
  local path = table.remove(argv, 1)
  if not path or path:match "^%-" then
    fail.raise("PGO-USAGE", "no manifest is named: pgorch batch validate MANIFEST")
  end
  local batch, host = manifest.read(path, argv)
  progress.new(host)                                    -- with --json: the line with the version
  local looked = host.check ~= false
  local of = looked and look(batch, host) or {}
  local counts = counted(batch.rows, of)
  if host.json then write_json(batch, of, counts) else write_text(batch, of, counts, looked) end
  return counts.refused > 0 and 4 or counts.unknown > 0 and 6 or 0
end

return word
