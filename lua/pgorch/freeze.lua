-- The means by which writes are kept out during the window: maintenance mode with no dynos, a read-only source, the
-- user's own commands (hook), a step of the recipe's own. Each of pgorch's returns what was there before, and can put
-- exactly that back.

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

---What is wrong with the means that were chosen, for the preflight; nil: nothing.
---@return string|nil problem
---@return string|nil cure
function M.problem(ctx)
  local means = M.means(ctx)
  if means["hook"] and not (ctx.params.on_freeze and ctx.params.on_thaw) then
    return "--freeze hook leaves it to --on-freeze and --on-thaw, and one of them is not given", "Give both commands."
  end
  if #ctx.recipe.freezes > 0 then return end
  if not ctx.recipe.has_window then
    return "nothing would stop writes during the dump: the recipe has no step that opens a window",
      "Put step.window_opens before step.fingerprint, or write freezes = true in the step that keeps writes out."
  end
  if not (means["maintenance"] or means["read-only"] or means["hook"]) then
    return "nothing would stop writes during the dump"
  end
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
  local zero, said = {}, { "maintenance on" }
  for _, each in ipairs(formation) do
    if each.quantity > 0 then
      zero[#zero + 1] = { type = each.type, quantity = 0 }
      said[#said + 1] = ("%s %d -> 0"):format(each.type, each.quantity)
    end
  end
  return zero, table.concat(said, ", ")
end

---Maintenance on, every dyno of the formation stopped. What is no part of it (one-off, scheduled and release dynos) is
---left alone and named.
function M.stop_app(ctx, old)
  local app = ctx.target.app
  app:maintenance(true)
  local zero, said = scaled_to_zero(old.formation)
  if #zero > 0 then app:scale(zero) end
  ctx:note(said)
  for _, dyno in ipairs(app:wait_for_no_dynos(60)) do
    ctx:warn(("dyno %s (%s) still runs and may write: heroku ps:stop %s --app %s"):format(dyno.name, dyno.type,
      dyno.name, app.name))
  end
end

-- What differs from before, as an order to Heroku and in words.
local function dynos_to_start(app, formation)
  local back, said, now = {}, {}, {}
  for _, each in ipairs(#formation > 0 and app:formation() or {}) do now[each.type] = each.quantity end
  for _, each in ipairs(formation) do
    local quantity = now[each.type] or 0
    if each.quantity > 0 and quantity ~= each.quantity then
      back[#back + 1] = { type = each.type, quantity = each.quantity }
      said[#said + 1] = ("%s %d -> %d"):format(each.type, quantity, each.quantity)
    end
  end
  return back, said
end

---The dynos as they were, then maintenance as it was. What is so already is neither done nor said.
---@return string|nil what was put back
function M.start_app(ctx, old)
  local app, wanted = ctx.target.app, old.maintenance or false
  local back, said = dynos_to_start(app, old.formation or {})
  if #back > 0 then app:scale(back) end
  if app:maintenance(wanted) ~= wanted then said[#said + 1] = "maintenance " .. (wanted and "on" or "off") end
  return #said > 0 and table.concat(said, ", ") or nil
end

local TRIES = 10

-- Of those that were told to end, who is still there: a session does not listen while a disk or the network keeps it.
local function still_there(ctx, told)
  local list, here = {}, {}
  for _, each in ipairs(#told > 0 and ctx.source:sessions() or {}) do here[each.pid] = true end
  for _, each in ipairs(told) do
    if here[each.pid] then list[#list + 1] = each end
  end
  return list
end

-- Until none is left that began before the switch. Returns how many were ended, and those that cannot be.
local function end_sessions(ctx, since)
  local seen, ended, done = {}, 0, nil
  for _ = 1, TRIES do
    done = ctx.source:end_other_sessions(since)
    for _, each in ipairs(done.told) do
      if not seen[each.pid] then seen[each.pid], ended = true, ended + 1 end
    end
    if done.ended == 0 then break end
    task.sleep(math.min(1, poll.seconds "connect"))
  end
  local left, refused = still_there(ctx, done.told), done.refused
  table.move(left, 1, #left, #refused + 1, refused)
  return ended - #left, refused
end

local function show_clients(ctx, clients)
  if #clients == 0 then return end
  local rows = {}
  for i, c in ipairs(clients) do
    rows[i] = { c.application or "?", c.user or "?", c.address or "local", c.sessions, c.active, c.since }
  end
  ctx:table { title = "Clients of the source: ended, read-only from now on", rows = rows,
              columns = { "application", "user", "address", "sessions", "active", "since (UTC)" } }
end

---New sessions become read-only, and those that were opened before are ended. One that comes back is read-only, and is
---let be.
---@return table[] clients  who was connected before
function M.close_source(ctx)
  local clients = ctx.source:clients()
  local since = ctx.source:make_read_only()
  local ended, refused = end_sessions(ctx, since)
  ctx:note "source read-only"
  show_clients(ctx, clients)
  local back = #ctx.source:sessions() - #refused
  if ended > 0 then
    ctx:note(("%d sessions of others ended%s"):format(ended,
      back > 0 and (", %d are connected again, read-only"):format(back) or ""))
  end
  for _, each in ipairs(refused) do
    ctx:warn(("session %d of %s cannot be ended and may still write"):format(each.pid, each.user or "?"))
  end
  for _, role in ipairs(ctx.source:roles_that_stay_writable()) do
    ctx:warn(("role %s has default_transaction_read_only = off, which beats the database's: it may still write")
      :format(role))
  end
  return clients
end

---@return string|nil what was put back; nil: it was so already
function M.open_source(ctx, old)
  if ctx.source:read_only_setting() == old.setting then return nil end
  ctx.source:restore_setting(old.has_setting and old.setting or nil)
  return "source " .. (old.setting == "on" and "read-only, as before" or "writable")
end

return M
