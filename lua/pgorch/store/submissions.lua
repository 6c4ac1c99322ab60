-- The part of the store that takes a manifest: all of its rows, or nothing. The same one again changes nothing of what
-- stands or is done: such rows keep their state and the parameters that they were begun with, also where the manifest
-- has others now (a plan chosen by today's size). New rows join; those of which nothing stands are as the manifest has
-- them now; those that were never begun go with it.

local fail = require "pgorch.error"
local json = require "pgorch.json"

local Submissions = {}

local COLUMNS = { "position", "recipe", "recipe_path", "recipe_hash", "argv", "labels", "scopes", "priority", "grp",
                  "depends_on", "estimate", "findings" }

-- As the table has it.
local function values_of(row, position)
  return { position = position, recipe = row.recipe, recipe_path = row.recipe_path, recipe_hash = row.recipe_hash,
    argv = json.encode(json.array(row.argv)), labels = row.labels and json.encode(json.array(row.labels)),
    scopes = json.encode(row.scopes or {}), priority = row.priority or 0, grp = row.group or row.grp,
    depends_on = json.encode(json.array(row.depends_on or {})), estimate = row.estimate,
    findings = row.findings and json.encode(row.findings) }
end

local function insert(batch, row, values)
  local statement, places = { "", batch, row.id }, {}
  for i, name in ipairs(COLUMNS) do
    places[i] = "$" .. i + 2
    statement[i + 3] = values[name]
  end
  statement.n = #COLUMNS + 3
  statement[1] = ("insert into batch_row (batch, id, state, %s) values ($1, $2, 'ready', %s)")
    :format(table.concat(COLUMNS, ", "), table.concat(places, ", "))
  return statement
end

-- A row that was looked at and cannot be moved as it is stays out, and says why.
local REFUSE = "update batch_row set state = 'refused', error = $3, ended_at = %s where batch = $1 and id = $2 "
  .. "and state <> 'done' and stands = 0"

local function replace(batch, row, values, again)
  local statement, sets = { "", batch, row.id }, {}
  for i, name in ipairs(COLUMNS) do
    sets[i] = ("%s = $%d"):format(name, i + 2)
    statement[i + 3] = values[name]
  end
  statement.n = #COLUMNS + 3
  if again then
    sets[#sets + 1] = "run = null, state = 'ready', attempt = 0, exit_status = null, error = null, progress = null, "
      .. "not_before = null, started_at = null, ended_at = null, fence = fence + 1"
  end
  statement[1] = ("update batch_row set %s where batch = $1 and id = $2"):format(table.concat(sets, ", "))
  return statement
end

local function is_same(present, row)
  return json.encode(json.array(present.argv)) == json.encode(json.array(row.argv))
    and present.recipe_path == row.recipe_path and present.recipe_hash == row.recipe_hash
end

-- A run goes on only as it was begun. Once it was put back, or refused before it touched anything, another one may
-- begin instead.
local function change(batch, present, row, values, told)
  local anew = present.state == "refused" and not present.stands and not row.refused
  if is_same(present, row) then return replace(batch, row, values, anew) end
  if not present.stands and present.state ~= "done" then
    return replace(batch, row, values, anew or present.run ~= nil)
  end
  told.kept[#told.kept + 1] = row.id
end

local function statements_for(o, present, told, now)
  local statements, named = {}, {}
  for position, row in ipairs(o.rows) do
    local values, before = values_of(row, position), present[row.id]
    named[row.id] = true
    if before then statements[#statements + 1] = change(o.name, before, row, values, told)
    else statements[#statements + 1] = insert(o.name, row, values) end
    if row.refused then
      statements[#statements + 1] = { REFUSE:format(now), o.name, row.id, json.encode(row.refused) }
    end
  end
  for id, row in pairs(present) do
    if not named[id] and not row.run then
      told.removed[#told.removed + 1] = id
      statements[#statements + 1] = { "delete from batch_row where batch = $1 and id = $2", o.name, id }
    end
  end
  return statements
end

local CREATE = "insert into batch (name, options, state, created_at, updated_at) values ($1, $2, 'running', %s, %s)"

-- Who submits it again wants it to go on, also where it had stopped by itself; a pause is somebody's.
local AGAIN = "update batch set options = $2, updated_at = NOW, "
  .. "continued_at = case when state = 'stopped' then NOW else continued_at end, "
  .. "reason = case when state in ('done', 'stopped') then null else reason end, "
  .. "state = case when state in ('done', 'stopped') then 'running' else state end where name = $1"

local function head(self, o, found)
  local now, options = self:now_sql(), json.encode(o.options or {})
  if not found then return { CREATE:format(now, now), o.name, options } end
  return { (AGAIN:gsub("NOW", now)), o.name, options }
end

local function try(self, o)
  local revision, found, present = self:schedule_revision(), self:find_batch(o.name), {}
  local told = { kept = {}, removed = {} }
  for _, row in ipairs(found and found.rows or {}) do present[row.id] = row end
  local statements = { self:schedule_changes(revision), head(self, o, found) }
  for _, each in ipairs(statements_for(o, present, told, self:now_sql())) do statements[#statements + 1] = each end
  statements[#statements + 1] = self:batch_told(o.name, nil, "submitted", { rows = #o.rows })
  local ok, err = pcall(self.db.batch, self.db, statements)
  if ok then return told end
  if not fail.is(err, "PGO-BATCH-CHANGED") then error(err, 0) end
end

---Puts a batch on record, or brings the one of this name up to date.
---@param o {name: string, options: table, rows: table[]}   a row: {id, recipe, recipe_path, recipe_hash, argv, labels?,
---scopes?, priority?, group?, depends_on?, estimate?, findings?, refused?}   refused: the
---error of one that cannot be moved as it is
---@return pgorch.BatchRead
---@return {kept: string[], removed: string[]} told  ids of rows that were begun, and keep the parameters that they had;
---of rows that are no longer in the manifest
function Submissions:submit_batch(o)
  local told
  repeat told = try(self, o) until told
  return self:batch(o.name), told
end

return Submissions
