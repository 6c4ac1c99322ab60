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

---For a step's `only_if`: it belongs to one of the ways.
---@param name pgorch.Way
---@return fun(ctx: pgorch.Context): boolean
function way.only(name)
  return function(ctx) return way.of(ctx) == name end
end

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

---Whether the data has begun to move, whatever became of it.
---@param ctx pgorch.Context
---@return boolean
function way.has_begun(ctx)
  return ctx:begun "dump_to_store" or ctx:begun "copy" or ctx:begun "pull"
end

return way
