-- The way that the data takes, --via: through object storage (archive), from server to server through this machine
-- (direct), or fetched by Heroku itself (heroku). `auto` is decided once, by the step choose_way; a run keeps its way.

local way = {}

---@alias pgorch.Way "archive"|"direct"|"heroku"

way.ALL = { "archive", "direct", "heroku" }

-- The step that brings the data, by way.
local BRINGS = { archive = "restore", direct = "copy", heroku = "pull" }

---The step that brings the data.
---@param name pgorch.Way
---@return string id
function way.step(name) return BRINGS[name] end

---The way of this run; nil while `auto` is not decided.
---@param ctx pgorch.Context
---@return pgorch.Way|nil
function way.of(ctx)
  local via = ctx.params.via or "archive"
  if via ~= "auto" then return via end
  local chosen = ctx.result.choose_way
  return chosen and chosen.way
end

---The same of a run on record.
---@param values table   its parameters
---@param chosen table   the result of choose_way, empty while there is none
---@return pgorch.Way|nil
function way.of_record(values, chosen)
  return way.of { params = values, result = { choose_way = next(chosen) and chosen or nil } }
end

---Whether a step is one of this run's way; one that belongs to none is one of every run.
---@param ctx pgorch.Context
---@param step table
---@return boolean
function way.has(ctx, step) return not step.way or step.way == way.of(ctx) end

---The result of the step that has brought the data, whichever way it was; nil when none has.
---@param ctx pgorch.Context
---@return table|nil
function way.brought(ctx)
  for _, name in ipairs(way.ALL) do
    local result = ctx.result[BRINGS[name]]
    if result then return result end
  end
end

---Whether the target holds the data of the source's snapshot, or the object storage does.
---@param ctx pgorch.Context
---@return boolean
function way.has_data(ctx)
  return ctx:finished "dump_to_store" or ctx:finished "copy" or ctx:finished "pull"
end

---What has begun to move the data, out of a run's rows: its way must not change any more.
---@param rows table[]   of the record
---@return pgorch.Way|nil
function way.begun(rows)
  local BEGINS = { dump_to_store = "archive", copy = "direct", pull = "heroku" }
  for _, row in ipairs(rows) do
    if BEGINS[row.id] and row.state ~= "undone" then return BEGINS[row.id] end
  end
end

return way
