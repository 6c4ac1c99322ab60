-- Lets this machine through the source's allow list, and takes that one entry out again at the end, good or bad.
-- Where the list is open, or has us already, nothing is added.

local recipe     = require "pgorch.recipe"
local allow_list = require "pgorch.allow_list"
local fail       = require "pgorch.error"
local task       = require "pgorch.task"
local poll       = require "pgorch.poll"

-- A new entry takes seconds to minutes to reach the database's firewall.
local function wait_until_reachable(ctx)
  local deadline = task.now() + 180
  while true do
    local ok, answer = pcall(function()
      local conn <close> = ctx.source:connect()
      return conn.server_version
    end)
    if ok then return end
    local network = fail.is(answer, "PGO-PG-CONNECT") or fail.is(answer, "PGO-NET") or fail.is(answer, "PGO-TIMEOUT")
    if not network or task.now() > deadline then error(answer, 0) end
    ctx:progress { text = "waiting for the allow list to spread" }
    task.sleep(poll.seconds "allow_list")
  end
end

local function run(ctx)
  local state = allow_list.state(ctx, ctx.source)
  if state.answer ~= "closed" then
    -- An entry that an interrupted attempt added is ours to remove, although the list now has it.
    local ours = ctx.recall and ctx.recall.cidr or nil
    return { state = state.answer, cidr = ours }
  end
  ctx:remember { cidr = state.cidr }
  ctx.source.allow_list.add(state.cidr)
  wait_until_reachable(ctx)
  return { state = "added", cidr = state.cidr }
end

local function undo(ctx, result)
  if not result.cidr then return end
  local kept = ctx.source.allow_list.remove(result.cidr) == "kept"
  if kept then
    ctx:warn(result.cidr .. " stays on the allow list: without it the list would be empty, which means open to all")
  else
    ctx:put_back("allow list: " .. result.cidr .. " removed")
  end
end

-- check and plan change nothing: there a closed list ends it, with the address to add.
local function plan(ctx)
  local state = allow_list.state(ctx, ctx.source)
  if state.answer ~= "closed" then return "allow list: " .. state.answer end
  if not ctx.params.open_allow_list then
    fail.raise("PGO-ALLOW-LIST", ("the allow list of %s does not have this machine"):format(ctx.source.label),
      { detail = "add " .. state.cidr .. ", or pass --open-allow-list" })
  end
  ctx.source.allow_list.add(state.cidr)
  ctx:keep("allow_list", setmetatable({}, { __close = function() ctx.source.allow_list.remove(state.cidr) end }))
  wait_until_reachable(ctx)
  return "~ allow list + " .. state.cidr
end

return recipe.step {
  id = "allow_list", title = "Be let in by the allow list", effect = "write", run = run, plan = plan,
  undo = undo, undo_when = "always",
  by_hand = function(_, result) return result.cidr and "remove " .. result.cidr .. " from the allow list" end,
}
