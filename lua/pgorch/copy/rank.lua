-- How long the work is that begins with each piece of it: its own weight and that of the longest chain of what follows.
-- Who takes the longest first is not left with a long chain when all else is done (a small table that the foreign key
-- of a large one waits for goes early). Changes no order of dependencies.

local rank = {}

-- Each after all that it waits for; what waits in a circle is left out.
local function in_order(works)
  local left, list = {}, {}
  for _, work in ipairs(works) do
    left[work] = work.waits > 0 and work.waits or nil
    if work.waits == 0 then list[#list + 1] = work end
  end
  local at = 1
  while list[at] do
    for _, follower in ipairs(list[at].followers or {}) do
      left[follower] = left[follower] > 1 and left[follower] - 1 or nil
      if not left[follower] then list[#list + 1] = follower end
    end
    at = at + 1
  end
  return list
end

---Gives each piece of work its rank.
---@param works pgorch.copy.Work[]
function rank.set(works)
  local list = in_order(works)
  for i = #list, 1, -1 do
    local work, longest = list[i], 0
    for _, follower in ipairs(work.followers or {}) do longest = math.max(longest, follower.rank) end
    work.rank = (work.weight or 0) + longest
  end
end

return rank
