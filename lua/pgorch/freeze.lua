-- The means by which writes are kept out during the window: maintenance mode with no dynos, and a read-only source.
-- Each returns what was there before, and can put exactly that back.

local task = require "pgorch.task"
local poll = require "pgorch.poll"

local M = {}

---@param ctx table
---@return table<string, boolean> means
function M.means(ctx)
  local means = {}
  for _, name in ipairs(ctx.params.freeze or { "maintenance", "read-only" }) do means[name] = true end
  return means
end

---What the app and the source are like now.
---@return {maintenance: boolean|nil, formation: table|nil, setting: string|nil, has_setting: boolean|nil}
function M.look(ctx, means)
  local old = {}
  if means["maintenance"] then
    local app = ctx.target.app
    old.maintenance, old.formation = app:info().maintenance, app:formation()
  end
  if means["read-only"] then
    old.setting = ctx.source:read_only_setting()
    old.has_setting = old.setting ~= nil
  end
  return old
end

local function scaled_to_zero(formation)
  local zero = {}
  for _, each in ipairs(formation) do
    if each.quantity > 0 then zero[#zero + 1] = { type = each.type, quantity = 0 } end
  end
  return zero
end

---Maintenance on, every dyno of the formation stopped.
function M.stop_app(ctx, old)
  local app = ctx.target.app
  app:maintenance(true)
  local zero = scaled_to_zero(old.formation)
  if #zero == 0 then return end
  app:scale(zero)
  for _, dyno in ipairs(app:wait_for_no_dynos(60)) do
    ctx:warn(("dyno %s (%s) still runs and may write"):format(dyno.name, dyno.type))
  end
end

---The dynos as they were, then maintenance as it was.
---@return string what was put back
function M.start_app(ctx, old)
  local app, back, said = ctx.target.app, {}, {}
  for _, each in ipairs(old.formation or {}) do
    if each.quantity > 0 then
      back[#back + 1] = { type = each.type, quantity = each.quantity }
      said[#said + 1] = ("%s 0 -> %d"):format(each.type, each.quantity)
    end
  end
  app:scale(back)
  app:maintenance(old.maintenance or false)
  said[#said + 1] = "maintenance " .. (old.maintenance and "on, as before" or "off")
  return table.concat(said, ", ")
end

---New sessions become read-only, the others are ended until none is left that was opened before.
function M.close_source(ctx)
  ctx.source:make_read_only()
  local refused = {}
  for _ = 1, 10 do
    local done = ctx.source:end_other_sessions()
    refused = done.refused
    if done.ended == 0 then break end
    task.sleep(math.min(1, poll.seconds "connect"))
  end
  for _, each in ipairs(refused) do
    ctx:warn(("session %d of %s cannot be ended and may still write"):format(each.pid, each.user or "?"))
  end
end

---@return string what was put back
function M.open_source(ctx, old)
  ctx.source:restore_setting(old.has_setting and old.setting or nil)
  return "source " .. (old.setting == "on" and "read-only, as before" or "writable")
end

return M
