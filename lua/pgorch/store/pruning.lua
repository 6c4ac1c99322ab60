-- The part of the store that forgets runs, because somebody asks for it: those that are over and long unchanged, with
-- their steps and events. Their files are the command's business.

local Pruning = {}

-- Over: moved or put back, and nobody at work.
local IS_OVER = "state in ('done', 'put_back') and owner is null and updated_at < $1"

local function is_for_good(row) return row.data ~= nil and row.data.for_good == true end

-- What stands or waits is somebody's way back. What a run has left so for good (its source, read-only) is nobody's,
-- unless a run that is not to be forgotten goes by it.
local function is_held(self, id, over)
  for _, lock in ipairs(self:locks(id)) do
    if not is_for_good(lock) then return true end
    for _, holder in ipairs(self:holders(lock.name)) do
      if not over[holder.run] or not is_for_good(holder) then return true end
    end
  end
  return false
end

-- One that is held keeps those that it shares a name with.
local function take_out_held(self, over)
  repeat
    local found = false
    for id in pairs(over) do
      if is_held(self, id, over) then over[id], found = nil, true end
    end
  until not found
end

---Runs that are over and have not changed since, oldest first.
---@param before integer   microseconds since 1970
---@return pgorch.Run[]
function Pruning:over_since(before)
  local ids = self.db:query("select id from run where " .. IS_OVER .. " order by updated_at", before)
  local over, runs = {}, {}
  for _, row in ipairs(ids) do over[row.id] = true end
  take_out_held(self, over)
  for _, row in ipairs(ids) do
    if over[row.id] then runs[#runs + 1] = self:run(row.id) end
  end
  return runs
end

---Forgets a run that is over. The caller has claimed it, so that nobody resumes it meanwhile.
---@param run string
function Pruning:forget_run(run)
  self:write(run, { { "delete from run where id = $1", run } })
end

return Pruning
