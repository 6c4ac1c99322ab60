-- The means by which writes are kept out during the window: maintenance mode with no dynos, a read-only source, the
-- user's own commands (hook), a step of the recipe's own. Each of pgorch's returns what was there before, and can put
-- exactly that back. App and source may be kept closed by several runs: the last one opens them (runner/shared.lua).

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

local function look_at_app(app) return { maintenance = app:info().maintenance, formation = app:formation() } end

local function look_at_source(source)
  local setting = source:read_only_setting()
  return { setting = setting, has_setting = setting ~= nil }
end

local function names(runs) return (#runs > 1 and "runs " or "run ") .. table.concat(runs, ", ") end

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

-- Maintenance on, every dyno of the formation stopped. What is no part of it (one-off, scheduled and release dynos) is
-- left alone and named.
local function stop_app(ctx, old)
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

-- The dynos as they were, then maintenance as it was. What is so already is neither done nor said.
local function start_app(ctx, old)
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

-- New sessions become read-only, and those that were opened before are ended. One that comes back is read-only, and is
-- let be. Returns who was connected before.
local function close_source(ctx)
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

-- Not under a run of another machine. Nothing is said where it was so already.
local function open_source(ctx, old)
  ctx.source:claim(ctx, { if_reachable = true })
  if ctx.source:read_only_setting() == old.setting then return nil end
  ctx.source:restore_setting(old.has_setting and old.setting or nil)
  return "source " .. (old.setting == "on" and "read-only, as before" or "writable")
end

-- --- what several runs may do at once ---

local function app_name(ctx) return "freeze:app:" .. ctx.target.app.name end

local function source_name(identity) return "freeze:source:" .. identity end

-- Out of what the window's opening has stored.
local function app_before(old)
  return old.formation and { maintenance = old.maintenance, formation = old.formation } or nil
end

local function source_before(old)
  return old.has_setting ~= nil and { setting = old.setting, has_setting = old.has_setting } or nil
end

---Keeps the app down, with the runs that do so already.
---@param ctx pgorch.Context
---@param seen fun(before: {maintenance: boolean, formation: table})  told before anything is done
---@param old? table   what an earlier attempt has stored
function M.join_app(ctx, seen, old)
  ctx:join(app_name(ctx), { recorded = app_before(old or {}),
    look = function() return look_at_app(ctx.target.app) end,
    effect = function(before, others)
      seen(before)
      stop_app(ctx, before)
      if #others > 0 then ctx:note("the app is kept down by " .. names(others) .. " too") end
    end })
end

---The app as it was, if no other run keeps it down.
---@param ctx pgorch.Context
---@param old? table   what the window's opening has stored
function M.leave_app(ctx, old)
  local left = ctx:leave(app_name(ctx), function(before) return start_app(ctx, before) end,
    { recorded = app_before(old or {}) })
  if left and left.result then ctx:put_back(left.result) end
  if left and #left.others > 0 then
    ctx:note(("the app stays down: %s still needs that, and starts it again"):format(names(left.others)))
  end
end

---Keeps the source read-only, with the runs that do so already.
---@param ctx pgorch.Context
---@param seen fun(before: {setting: string|nil, has_setting: boolean})  told before anything is done
---@param old? table   what an earlier attempt has stored
---@return table[] clients  who was connected before
function M.join_source(ctx, seen, old)
  local clients
  ctx:join(source_name(ctx.source:identity()), { recorded = source_before(old or {}),
    look = function() return look_at_source(ctx.source) end,
    effect = function(before, others)
      seen(before)
      clients = close_source(ctx)
      if #others > 0 then ctx:note("the source is kept read-only by " .. names(others) .. " too") end
    end })
  return clients
end

---The source as it was, if no other run keeps it closed, nor has left it closed for good.
---@param ctx pgorch.Context
---@param old {source: string, setting: string|nil, has_setting: boolean|nil}
function M.leave_source(ctx, old)
  local left = ctx:leave(source_name(old.source), function(before) return open_source(ctx, before) end,
    { recorded = source_before(old) })
  if not left then return end
  if left.result then ctx:put_back(left.result) end
  if #left.left_by > 0 then
    ctx:warn(("the source stays read-only: %s has moved away from it"):format(names(left.left_by)))
  elseif #left.others > 0 then
    ctx:warn(("the source stays read-only until %s is done with it"):format(names(left.others)))
  end
end

---The source stays read-only for good.
---@param ctx pgorch.Context
---@param old {source: string, setting: string|nil, has_setting: boolean|nil}
function M.leave_source_closed(ctx, old)
  ctx:leave_for_good(source_name(old.source), { recorded = source_before(old) })
end

---A run that had left the source so, or opened it, has a say in it again: it is to be as it was when that run came.
---@param ctx pgorch.Context
---@param old {source: string, setting: string|nil, has_setting: boolean}
function M.rejoin_source(ctx, old)
  ctx:join(source_name(old.source), {
    look = function() return { setting = old.setting, has_setting = old.has_setting } end, effect = function() end })
end

return M
