-- The steps that a rehearsal does in another way than a run. Keys and plan are checked against the real Heroku and the
-- real storage, by reading; the window opens at the local app alone; the source goes on being written, which is
-- expected. Each has the id of the step that it stands for, so that its time counts as that one's.

local allow_list = require "pgorch.allow_list"
local detector   = require "pgorch.detector"
local fail       = require "pgorch.error"
local freeze     = require "pgorch.freeze"
local plans      = require "pgorch.heroku.plans"
local sequences  = require "pgorch.rehearsal.sequences"
local shelf      = require "pgorch.sandbox.heroku.plans"
local source     = require "pgorch.source"

local M = {}

-- --- against the real world ---

-- The context with the real target and storage in the place of the local ones, and the parameters as they were given.
local function real(ctx, params)
  local instead = { target = "real_target", store = "real_store" }
  return setmetatable({ params = params }, { __index = function(_, name)
    local value = ctx[instead[name] or name]
    if type(value) ~= "function" then return value end
    return function(_, ...) return value(ctx, ...) end
  end })
end

---@param step pgorch.Step
---@param how {params: table, place: table}   as recipe.derive has them
function M.credentials(step, how)
  return { run = function(ctx) return step.run(real(ctx, how.params)) end }
end

-- One that the stand-in sells, of the size that is needed: its limits are checked like those of the real one.
local function plan_here(ctx, chosen)
  local slug = plans.slug(chosen)
  local sold = shelf.find(plans.full_name(slug))
  if sold and not sold.advanced then return slug end
  return plans.plan_for(ctx.result.size.bytes * 1.3, { tables = #ctx.result.size.tables })
end

function M.choose_plan(step, how)
  return { run = function(ctx)
    local result = step.run(real(ctx, how.params))
    local here = plan_here(ctx, result.plan)
    if here ~= plans.slug(result.plan) then ctx:note(("locally %s stands in for %s"):format(here, result.plan)) end
    result.real_plan, result.plan, result.cents = result.plan, here, nil
    return result
  end }
end

-- Without --open-allow-list a closed one is the end, as for `pgorch check`.
function M.allow_list()
  return { effect = "read", undo = false, run = function(ctx)
    local state = allow_list.state(ctx, ctx.source)
    if state.answer ~= "closed" then return { state = state.answer } end
    fail.raise("PGO-ALLOW-LIST", ("the allow list of %s does not let %s in"):format(ctx.source.label, state.address), {
      cure = ("Add %s to it, or pass --open-allow-list: then it is added, and taken out again."):format(state.cidr) })
  end }
end

-- --- the local world ---

local function facts_of(ctx)
  local conn <close> = ctx.source:connect()
  local names = {}
  for i, each in ipairs(conn:query(source.sql "extensions")) do names[i] = each.name end
  return { major = conn.server_version // 10000, size = ctx.result.size, extensions = names }
end

---The step that starts it.
function M.local_world(how)
  return { id = "local_world", title = "Start the local Heroku, storage and PostgreSQL", effect = "read",
           run = function(ctx)
             return how.place:start(ctx, how.params, facts_of(ctx))
           end }
end

-- --- the window ---

-- Only the app: the real one, its dynos, and the source and its sessions are left alone.
function M.window_opens()
  return { undo = false, run = function(ctx)
    local closed = freeze.means(ctx)["maintenance"] or false
    if closed then freeze.join_app(ctx, function() end) end
    ctx:note "the local app alone: the source stays open, and no command of yours runs"
    return { app_closed = closed }
  end }
end

function M.window_closes()
  return { undo = false, run = function(ctx)
    if (ctx.result.window_opens or {}).app_closed then freeze.leave_app(ctx) end
    return { read_only = false }
  end }
end

-- --- a source that is written to ---

local function tell_of_writes(ctx, asked)
  if asked.answer == "quiet" then return ctx:note "nothing was written during the rehearsal" end
  if asked.answer == "unclear" then
    return ctx:note(("whether anything was written cannot be told (%s), and need not be: the freeze is not rehearsed")
      :format(asked.why))
  end
  ctx:note(("%d of the source's tables and sequences were written during the rehearsal, as expected: the freeze is not "
    .. "rehearsed"):format(#asked.names))
end

function M.nothing_was_written()
  return { again_after_gate = false, run = function(ctx)
    local asked = detector.ask(ctx.source, ctx.result.fingerprint.mark, { settle = 0 })
    tell_of_writes(ctx, asked)
    return { answer = asked.answer, names = #asked.names }
  end }
end

local AGAIN = "Look at what differs. If it was truncated, rewritten or altered while the rehearsal ran, which a frozen "
  .. "source would not have been, rehearse again."

-- Compared is what both have in the dump's snapshot; sequences are in none.
function M.verify(step)
  return { run = function(ctx)
    sequences.settle(ctx)
    local ok, result = pcall(step.run, ctx)
    if ok then return result end
    if fail.is(result, "PGO-VERIFY") then result.cure = AGAIN end
    error(result, 0)
  end }
end

-- Signed here: the local storage has no provider with an API.
function M.presign() return { options = {} } end

return M
