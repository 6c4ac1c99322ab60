-- What the record keeps of a rehearsal, and how it is found again: figures for a plan of the same source.

local measured = require "pgorch.rehearsal.measured"

local M = {}

---Keeps the figures with the run.
---@param store pgorch.Store
---@param session pgorch.Session
---@param e {measured: table[], unmeasured: table[], window: table|nil}
function M.keep(store, session, e)
  local results = session.results
  local size, dump, world = results.size or {}, results.dump_to_store or {}, results.local_world or {}
  store:event(session.run.id, "rehearsed", { source = session.use and session.use.source:identity(),
    app = session.params.app, bytes = size.bytes, dump_bytes = dump.bytes, source_major = size.major,
    target_major = world.major, steps = e.measured, not_measured = e.unmeasured, window = e.window,
    assumed = { wire_bytes = measured.WIRE_BYTES, slower_there = measured.SLOWER_THERE,
                app_seconds = measured.APP_SECONDS } })
end

local function find_event(events)
  for _, event in ipairs(events) do
    if event.kind == "rehearsed" then return event end
  end
end

---The window that a rehearsal has come to; nil where it has not come to its end.
---@param events table[]  of the run
---@return {measured: number, margin: number, announce: number}|nil
function M.window(events)
  local event = find_event(events)
  return event and event.data.window
end

---The newest good rehearsal of a source; nil when the record has none.
---@param store pgorch.Store
---@param source string   its identity
---@return {run: string, at: integer, steps: pgorch.rehearsal.Step[], window: table, bytes: integer|nil}|nil
function M.find(store, source)
  for _, run in ipairs(store:runs()) do
    local event = run.kind == "rehearsal" and run.state == "done" and find_event(store:events(run.id))
    if event and event.data.source == source then
      event.data.run, event.data.at = run.id, event.at
      return event.data
    end
  end
end

return M
