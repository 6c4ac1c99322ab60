-- An entry on the source's allow list that a rehearsal has put there and, killed (-9), has not taken out again. The
-- next run on that source, or rehearsal which may open the list, takes it over, and takes it out: a rehearsal cannot
-- be resumed.

local owner   = require "pgorch.runner.owner"

local M = {}

local function is_dead(run)
  return run.kind == "rehearsal" and run.state == "running" and not owner.is_at_work(run)
end

-- Joined in the place of the killed one, which knew what was there before it. Where this machine has another address by
-- now, its entry goes at once.
local function take_over(ctx, store, run, entry)
  ctx:join(entry.name, { turn = entry.turn, look = function() return { listed = true } end, effect = function() end })
  store:unlock(entry.name, run.id)
  if entry.is_ours then return end
  ctx:leave(entry.name, function(before)
    if not before.listed then ctx.source.allow_list.remove(entry.cidr) end
  end, { turn = entry.turn })
end

---Called once this machine is on the list.
---@param ctx pgorch.Context
---@param store pgorch.Store
---@param own string|nil      the entry that this run needs and takes out itself
function M.take_over(ctx, store, own)
  local turn = ("allow-list:%s:%s"):format(ctx.source.provider, ctx.source.id)
  local prefix = turn .. ":"
  for _, run in ipairs(store:runs()) do
    for _, lock in ipairs(is_dead(run) and store:locks(run.id) or {}) do
      local cidr = lock.name:sub(1, #prefix) == prefix and lock.name:sub(#prefix + 1)
      if cidr then
        take_over(ctx, store, run, { name = lock.name, turn = turn, cidr = cidr, is_ours = cidr == own })
        store:update_run(run.id, { state = "stopped" })
        ctx:note(("%s was left on the allow list by rehearsal %s, which was killed"):format(cidr, run.id))
      end
    end
  end
end

return M
