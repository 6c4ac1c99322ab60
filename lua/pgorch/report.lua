-- The report of one run as one object, the same for `--json`, for the page and for the text: what was moved from where
-- to where, when, what was checked, compared and put back. docs/report.md explains its fields. Reads the record alone.

local basis        = require "pgorch.rehearsal.basis"
local json         = require "pgorch.json"
local meaning      = require "pgorch.runner.meaning"
local moment       = require "pgorch.report.moment"
local native       = require "pgorch.native.host"
local outcome      = require "pgorch.report.outcome"
local rehearsed    = require "pgorch.rehearsal.report"
local summary      = require "pgorch.runner.summary"
local timeline     = require "pgorch.report.timeline"
local undo         = require "pgorch.runner.undo"
local verdict      = require "pgorch.restore.verdict"
local verification = require "pgorch.report.verification"
local way          = require "pgorch.way"

local report = { FORMAT = 1 }

local iso = moment.iso

local function list_of(list, fn)
  local out = json.array {}
  for _, each in ipairs(list) do out[#out + 1] = fn(each) end
  return out
end

local function by_name(list)
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- A deadline is kept as seconds since 1970.
local function flags(given)
  local list = json.array {}
  for name, value in pairs(given or {}) do
    local at = name == "deadline" and type(value) == "number"
    list[#list + 1] = { name = name, value = at and iso(math.floor(value) * 1000000) or value }
  end
  return by_name(list)
end

local function deadline_of(seen)
  local at = (seen.run.params.host or {}).deadline
  return type(at) == "number" and iso(math.floor(at) * 1000000) or nil
end

local function meaning_of(seen)
  local status = seen.run.exit_status
  if not status then return meaning.of_state(seen.state) end
  return seen.run.kind == "rehearsal" and rehearsed.meaning(status) or meaning.OF[status]
end

local function run_of(seen)
  local run = seen.run
  return {
    id = run.id, kind = run.kind or "run", state = seen.state, attempt = run.attempt, exit_status = run.exit_status,
    meaning = meaning_of(seen),
    app = run.params.values.app, created_at = iso(run.created_at), updated_at = iso(run.updated_at), error = run.error,
    gate = seen.state == "waiting" and run.gate or nil,
    recipe = { name = run.recipe, path = run.recipe_path, sha256 = run.recipe_hash, title = seen.recipe
      and seen.recipe.summary, article = seen.recipe and seen.recipe.article,
      unchanged = seen.recipe and seen.recipe.hash == run.recipe_hash },
    versions = run.versions, flags = flags(run.params.host), deadline = deadline_of(seen),
  }
end

-- A secret is told by its place alone: {env = "VULTR_API_KEY"}.
local function parameters(seen)
  local list, run, specs = json.array {}, seen.run, seen.recipe and seen.recipe.params or {}
  for name, value in pairs(run.params.values or {}) do
    list[#list + 1] = { name = name, value = value, type = specs[name] and specs[name].type }
  end
  for name, place in pairs(run.params.secrets or {}) do list[#list + 1] = { name = name, secret = place } end
  return by_name(list)
end

local function source_of(seen)
  local size = seen:found "size"
  return { name = size.name or seen.run.params.values.instance,
           version = size.version or seen:found("preflight").version,
           encoding = size.encoding, collate = size.collate, bytes = size.bytes, console_bytes = size.console_bytes,
           tables = size.tables and #size.tables or nil, large_objects = size.large_objects,
           large_object_bytes = size.large_object_bytes }
end

local function target_of(seen)
  local addon, plan = seen:found "addon", seen:found "choose_plan"
  return { name = addon.name, plan = plan.plan, cents_per_month = addon.cents or plan.cents, created = addon.created,
           major = seen:found("preflight_target").target_major }
end

local function stretch_of(each)
  return { from = iso(each.from), to = iso(each.to), what = each.what, state = each.state, attempt = each.attempt }
end

local function rate(bytes, seconds) return bytes and seconds and seconds > 0.05 and bytes / seconds or nil end

local function title_of(seen, row)
  local step = seen:step_of(row.id)
  return row.title or step and step.title or row.id
end

local function step_of(seen, row, stretches)
  local told, last = row.summary or {}, nil
  for _, each in ipairs(stretches) do
    if each.what ~= "undo" then last = each end
  end
  local base, step = row.id:match "^([^%[]+)%[" or row.id, seen:step_of(row.id)
  local seconds = last and moment.between(last.from, last.to)
  local state = row.state == "running" and last and last.state or row.state
  return {
    id = row.id, item = row.item and row.item.key, title = title_of(seen, row), heading = seen.headings[base],
    effect = step and step.effect, gate = row.id:match "^gate_" ~= nil or nil, state = state, attempt = row.attempt,
    started_at = iso(last and last.from), ended_at = iso(last and last.to), seconds = seconds, bytes = told.bytes,
    bytes_per_second = rate(told.bytes, seconds), notes = told.notes and json.array(told.notes),
    warnings = told.warnings and json.array(told.warnings), put_back = told.put_back and json.array(told.put_back),
    error = row.error, stretches = list_of(stretches, stretch_of),
  }
end

-- In the order of their first start; what the recipe has beyond them was not reached.
local function steps_of(seen, by_id, taken)
  local list = list_of(seen.list, function(row) return step_of(seen, row, by_id[row.id]) end)
  for _, id in ipairs(seen.ids) do
    local step = seen.steps[id]
    if not seen.rows[id] and (not step.way or step.way == taken) then
      list[#list + 1] = { id = id, title = step.title or id, heading = seen.headings[id], effect = step.effect,
                          gate = step.kind == "gate" or nil, state = "not reached", stretches = json.array {} }
    end
  end
  return list
end

local function window_of(seen, by_id)
  local it = timeline.window(seen, by_id)
  if #it.times == 0 then return { open = false, times = json.array {} } end
  return { open = it.open, opened_at = iso(it.from), closed_at = iso(it.to), seconds = it.seconds,
           times = list_of(it.times, function(each) return { from = iso(each.from), to = iso(each.to) } end) }
end

local CHECKS = { "credentials", "preflight", "preflight_target" }

-- A record of an earlier pgorch has the rows of the table alone.
local function findings_of(found)
  if found.findings then return json.array(found.findings) end
  return list_of(found.rows, function(row) return { level = row[1] ~= "" and row[1]:lower() or nil, what = row[2] } end)
end

local function preflight_of(seen)
  local list = json.array {}
  for _, id in ipairs(CHECKS) do
    for _, found in ipairs(seen:told(id).tables or {}) do
      if found.columns[2] == "finding" then
        list[#list + 1] = { step = id, title = found.title, findings = findings_of(found) }
      end
    end
  end
  return list
end

local function settings_of(seen)
  local result, rows = seen:found "reapply_settings", {}
  for _, each in ipairs(seen:told("reapply_settings").tables or {}) do rows = each.rows end
  return { reached = seen.rows.reapply_settings ~= nil, applied = json.array(result.applied or {}),
           differing = result.differing or #rows,
           rows = list_of(rows, function(row)
             return { setting = row[1], source = row[2], target = row[3], what = row[4] }
           end) }
end

-- A copy from server to server has no name at Heroku.
local function restore_of(seen, taken)
  local result = seen:found(taken and way.step(taken) or "restore")
  return { way = taken, name = result.num and verdict.name(result), rows = result.rows, tables = result.tables,
           bytes = taken == "direct" and result.bytes or nil, seconds = result.seconds, lines = result.lines,
           harmless = result.harmless, classes = json.array(result.classes or {}),
           refreshed = json.array(seen:found("refresh_matviews").refreshed or {}) }
end

local function dump_of(seen)
  local result = seen:found "dump_to_store"
  return { key = result.key, bytes = result.bytes, parts = result.parts, sha256 = result.sha256,
           seconds = result.seconds, bytes_per_second = rate(result.bytes, result.seconds), client = result.client,
           kept = seen:found("delete_dump").kept, deleted = seen:found("delete_dump").deleted ~= nil }
end

-- A record of an earlier pgorch has them as a table to be shown.
local function clients_of(seen)
  local result, told = seen:found "watch_source", seen:told "watch_source"
  local list = json.array(result.clients or {})
  for _, each in ipairs(not result.clients and told.tables or {}) do
    for _, row in ipairs(each.rows) do list[#list + 1] = { client = row[1], seen = row[2] == "seen" } end
  end
  return { looked = seen.rows.watch_source ~= nil and seen.rows.watch_source.state == "done", clients = list,
           strays = json.array(result.strays or {}), written = json.array(result.written or {}) }
end

local function gather(seen, field)
  local list = json.array {}
  for _, row in ipairs(seen.list) do
    for _, text in ipairs(row.summary and row.summary[field] or {}) do
      list[#list + 1] = { step = row.id, text = text }
    end
  end
  return list
end

local function not_put_back(seen)
  local list = json.array {}
  for _, row in ipairs(seen.list) do
    if row.state == "undo_failed" then
      list[#list + 1] = { step = row.id, title = title_of(seen, row), error = row.error }
    end
  end
  return list
end

local OVER = { done = true, put_back = true }

local function standing(seen)
  if OVER[seen.state] or not seen.recipe then return json.array {} end
  return json.array(undo.standing(seen))
end

local function events_of(seen)
  return list_of(seen.events, function(event)
    return { seq = event.seq, at = iso(event.at), kind = event.kind, data = event.data }
  end)
end

local function event_of(seen, kind)
  for i = #seen.events, 1, -1 do
    if seen.events[i].kind == kind then return seen.events[i] end
  end
end

local function afterwards(seen)
  local cleaned, destroyed = event_of(seen, "cleaned"), event_of(seen, "destroyed")
  return { cleaned_at = cleaned and iso(cleaned.at), cleaned = cleaned and json.array(cleaned.data.entries or {}),
           left = cleaned and cleaned.data.left, destroyed_at = destroyed and iso(destroyed.at),
           destroyed = destroyed and destroyed.data.source }
end

---@param seen pgorch.Recorded
---@return table
function report.of(seen)
  local by_id, taken = timeline.stretches(seen), way.of_record(seen.run.params.values, seen:found "choose_way")
  local it = {
    format = report.FORMAT, made_at = iso(seen.now), made_by = "pgorch " .. native.version, run = run_of(seen),
    parameters = parameters(seen), source = source_of(seen), target = target_of(seen),
    window = window_of(seen, by_id), rehearsed = basis.window(seen.events),
    cut_over_at = iso(seen.run.cut_over_at), steps = steps_of(seen, by_id, taken),
    attempts = list_of(timeline.attempts(seen), function(each)
      return { number = each.number, from = iso(each.from), to = iso(each.to), ended = each.ended }
    end),
    preflight = preflight_of(seen), settings = settings_of(seen), dump = dump_of(seen),
    restore = restore_of(seen, taken),
    verification = verification.of(seen), clients = clients_of(seen), warnings = gather(seen, "warnings"),
    put_back = gather(seen, "put_back"), not_put_back = not_put_back(seen), standing = standing(seen),
    kept = json.array(summary.kept(seen)), afterwards = afterwards(seen), events = events_of(seen),
  }
  it.run.outcome, it.run.tone = outcome.sentence(it), outcome.tone(it)
  return it
end

return report
