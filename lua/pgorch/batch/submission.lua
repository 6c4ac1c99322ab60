-- From a manifest to a batch on record: the rows that may be moved are looked at, then all of them are put down at
-- once. Nothing is put down where one cannot be moved as it is, unless the batch says that such rows are left out.

local clock   = require "pgorch.clock"
local examine = require "pgorch.batch.examine"
local fail    = require "pgorch.error"
local loader  = require "pgorch.recipe.load"
local term    = require "pgorch.term"
local window  = require "pgorch.batch.window"

local submission = {}

local function by_id(rows)
  local index = {}
  for _, row in ipairs(rows or {}) do index[row.id] = row end
  return index
end

-- What is done, or stands, is not looked at again: its target is no longer empty, its source may be closed.
local function untouched(batch, known)
  local list = {}
  for _, row in ipairs(batch.rows) do
    local found = known[row.id]
    if not found or found.state ~= "done" and found.state ~= "running" and not found.stands then
      list[#list + 1] = row
    end
  end
  return list
end

-- The window that a batch on record has is kept while it can be: a run on Sunday morning does not mean next week.
local function resolved(wanted, found)
  if not wanted then return nil end
  local old = found and found.options.window
  local same = old and old.opens == wanted.opens and old.closes == wanted.closes
  if same and (not old.closes_at or old.closes_at > clock.time()) then return old end
  return window.resolve(wanted)
end

local function submitted_row(row, seen, recipe)
  local refused = seen and seen.verdict == "refused"
  return {
    id = row.id, recipe = row.recipe, recipe_path = row.recipe_path, recipe_hash = row.recipe_hash,
    argv = examine.argv(row, recipe), labels = row.labels, scopes = row.scopes, priority = row.priority,
    group = row.group, depends_on = row.depends_on, estimate = row.estimate or seen and seen.estimate, findings = seen,
    refused = refused and { id = "PGO-PREFLIGHT", message = seen.reason } or nil,
  }
end

local function put_down(st, batch, of, found)
  local options, rows, recipes = {}, {}, {}
  for name, value in pairs(batch.options) do options[name] = value end
  options.window, options.manifest = resolved(batch.options.window, found), batch.path
  for i, row in ipairs(batch.rows) do
    recipes[row.recipe_path] = recipes[row.recipe_path] or loader.load(row.recipe_path)
    rows[i] = submitted_row(row, of[row], recipes[row.recipe_path])
  end
  return st:submit_batch { name = batch.name, options = options, rows = rows }
end

-- What is wrong is always said; that all is well only to whom it may concern.
local function tell(batch, rows, of, host)
  local counts = examine.counts(of)
  if host.json then return end
  if counts.refused + counts.unknown > 0 then term.err(examine.text(batch, rows, of))
  elseif #rows > 0 and not host.quiet then term.err(("%d rows looked at: all are ready\n"):format(#rows)) end
end

-- Their apps may be closed: they go on, whatever is found about the others.
local function any_begun(found)
  for _, row in ipairs(found and found.rows or {}) do
    if row.stands or row.state == "running" then return true end
  end
  return false
end

local function refused(of, options)
  local counts = examine.counts(of)
  if counts.refused > 0 and options.on_refused ~= "skip" then return 4 end
  return counts.unknown > 0 and 6 or nil
end

-- Rows that are begun go on as they were begun, whatever the manifest says by now.
local function tell_kept(told, host)
  if host.quiet then return end
  if #told.kept > 0 then
    term.err(("begun with other parameters, which they keep: %s\n"):format(table.concat(told.kept, ", ")))
  end
  if #told.removed > 0 then
    term.err(("no longer in the manifest, and taken out: %s\n"):format(table.concat(told.removed, ", ")))
  end
end

-- Two files may be called the same: where no row of one is in the other, it is another batch.
local function refuse_namesake(batch, found, known)
  local before = found and found.options.manifest
  if not before or before == batch.path then return end
  for _, row in ipairs(batch.rows) do
    if known[row.id] then return end
  end
  fail.raise("PGO-BATCH", ("a batch %s is on record, with other rows, of %s"):format(batch.name, before),
    { cure = "Give this one another name: --name NAME" })
end

---@param st pgorch.Store
---@param batch pgorch.batch.Manifest
---@param host table   flags
---@return pgorch.BatchRead|nil  nil: nothing was put down
---@return integer|nil status    why
function submission.make(st, batch, host)
  local found = st:find_batch(batch.name)
  local known = by_id(found and found.rows)
  refuse_namesake(batch, found, known)
  local rows = untouched(batch, known)
  local of = host.check ~= false and examine.rows(batch, rows, { quiet = host.quiet or host.json, known = known }) or {}
  tell(batch, rows, of, host)
  local status = refused(of, batch.options)
  if status and any_begun(found) then
    term.err "rows that are begun go on; those that cannot be moved as they are, are left out\n"
  elseif status then
    if host.json then term.out(examine.lines(batch, rows, of)) end
    term.err "nothing was touched\n"
    return nil, status
  end
  for _, text in ipairs(host.quiet and {} or examine.warnings(batch, of)) do
    term.err(("warning: %s\n"):format(text))
  end
  local made, told = put_down(st, batch, of, found)
  tell_kept(told, host)
  return made
end

return submission
