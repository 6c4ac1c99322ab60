-- The part of the store that forgets runs, because somebody asks for it: those that are over and long unchanged, with
-- their steps and events. Their files are the command's business.

local Pruning = {}

-- Over: moved or put back, nothing held, nobody at work. What stands or waits is somebody's way back.
local IS_OVER = "state in ('done', 'put_back') and owner is null and updated_at < $1 "
  .. "and not exists (select 1 from lock where lock.run = run.id)"

---Runs that are over and have not changed since, oldest first.
---@param before integer   microseconds since 1970
---@return pgorch.Run[]
function Pruning:over_since(before)
  local ids = self.db:query("select id from run where " .. IS_OVER .. " order by updated_at", before)
  local runs = {}
  for i, row in ipairs(ids) do runs[i] = self:run(row.id) end
  return runs
end

---Forgets a run that is over. The caller has claimed it, so that nobody resumes it meanwhile.
---@param run string
function Pruning:forget_run(run)
  self:write(run, { { "delete from run where id = $1", run } })
end

return Pruning
