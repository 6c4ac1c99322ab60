-- The snapshot that the dump, the counts and the checksums are all read in: the step fingerprint keeps the session that
-- holds it. A session can be lost while nobody uses it (a server's limit, a firewall, a failover), and with it the
-- snapshot: so it is asked before each use. Takes no snapshot itself.

local detector = require "pgorch.detector"
local fail     = require "pgorch.error"
local task     = require "pgorch.task"

local M = {}

local LOOK_SECONDS = 10

-- Steps side by side ask the same session: one at a time.
local turns = setmetatable({}, { __mode = "k" })

---The snapshot's id, or nil where no session of this process holds it (any more): what is read then is the source as it
---is now, and the write detector has to say that it is the same.
---@param ctx pgorch.Context
---@return string|nil
function M.id(ctx)
  local conn = ctx.live.snapshot
  if not conn then return nil end
  turns[conn] = turns[conn] or task.semaphore(1)
  local ok, err = turns[conn]:with(function()
    return pcall(task.timeout, LOOK_SECONDS, conn.value, conn, "select 1")
  end)
  if ok then return ctx.result.fingerprint.snapshot end
  if task.cancelled(err) then error(err, 0) end
  ctx:keep("snapshot", nil)
  ctx:note "the session that held the dump's snapshot was lost: the source is read as it is now, if nothing was written"
  return nil
end

---The snapshot's id; nil where it is lost and nothing was written since: what is read now is the same.
---@param ctx pgorch.Context
---@return string|nil
function M.id_or_quiet(ctx)
  local id = M.id(ctx)
  if id then return id end
  local asked = detector.ask(ctx.source, ctx.result.fingerprint.mark)
  if asked.answer == "written" then
    fail.raise("PGO-WRITTEN", "the source was written to after the dump", { detail = table.concat(asked.names, "\n") })
  end
end

return M
