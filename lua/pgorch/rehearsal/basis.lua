-- What the record keeps of a rehearsal besides the times of its steps: the window to announce, and from what that
-- follows.

local measured = require "pgorch.rehearsal.measured"

local M = {}

---Keeps the figures with the run.
---@param session pgorch.Session
---@param e {measured: table[], unmeasured: table[], window: table|nil}
function M.keep(session, e)
  local results = session.results
  local size, dump, world = results.size or {}, results.dump_to_store or {}, results.local_world or {}
  session.store:event(session.run.id, "rehearsed", { source = session.use and session.use.source:identity(),
    app = session.params.app, bytes = size.bytes, dump_bytes = dump.bytes, source_major = size.major,
    target_major = world.major, steps = e.measured, not_measured = e.unmeasured, window = e.window,
    assumed = { wire_bytes = measured.WIRE_BYTES, slower_there = measured.SLOWER_THERE,
                app_seconds = measured.APP_SECONDS } })
end

---The window that a rehearsal has come to; nil where it has not come to its end.
---@param events table[]  of the run
---@return {measured: number, margin: number, announce: number}|nil
function M.window(events)
  for _, event in ipairs(events) do
    if event.kind == "rehearsed" then return event.data.window end
  end
end

return M
