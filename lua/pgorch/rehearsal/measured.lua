-- What a rehearsal has measured, and the window that follows from it: the time of each step, for which of them the app
-- would have been closed, what this machine cannot measure, and what is assumed of it instead. Pure figures.

local M = {}

local SECOND = 1e6

-- What nobody here can measure is counted with these, and said so.
M.WIRE_BYTES = 20e6            -- a second, to an object storage of the same provider
M.SLOWER_THERE = 2             -- Heroku's restore against the one on this machine
M.APP_SECONDS = 60             -- dynos that stop and start, and the release of the new config

-- Steps that fill the target, in words.
local BRINGS = { restore = "restore", copy = "copy", pull = "copy" }

---@class pgorch.rehearsal.Step
---@field id string
---@field title string
---@field seconds number
---@field bytes integer|nil
---@field rate number|nil       bytes a second
---@field window boolean        the app would be closed meanwhile

local function in_order(rows)
  local list = {}
  for _, row in pairs(rows) do
    if row.state == "done" and row.ended_at and row.id ~= "local_world" and not row.item then list[#list + 1] = row end
  end
  table.sort(list, function(a, b) return a.position < b.position end)
  return list
end

-- From when to when the app would have been closed: the recipe's own words, else the snapshot and the cut-over.
local function window_of(list, steps)
  local from, to
  for _, row in ipairs(list) do
    local step = steps[row.id] or {}
    if step.opens_window or not from and row.id == "fingerprint" then from = from or row.started_at end
    if step.closes_window or row.id == "cut_over" then to = row.ended_at end
  end
  return from or 0, to or 0
end

---@param rows table<string, table>    of the record, by id
---@param steps table<string, pgorch.Step>
---@return pgorch.rehearsal.Step[] measured
---@return number|nil seconds           that the window took; nil where the recipe has none
function M.of(rows, steps)
  local list, measured = in_order(rows), {}
  local from, to = window_of(list, steps)
  for i, row in ipairs(list) do
    local seconds = math.max(0, (row.ended_at - row.started_at) / SECOND)
    local bytes = row.summary and row.summary.bytes
    measured[i] = { id = row.id, title = row.title, seconds = seconds, bytes = bytes,
                    rate = bytes and seconds > 0.05 and bytes / seconds or nil,
                    window = row.started_at >= from and row.ended_at <= to }
  end
  return measured, to > from and (to - from) / SECOND or nil
end

---@class pgorch.rehearsal.Unmeasured
---@field what string
---@field assumed string         "not measured", or what is counted with
---@field seconds number|nil     that it adds to the window

---@param measured pgorch.rehearsal.Step[]
---@param results table<string, any>  of the steps
---@param given {hooks: boolean}      whether the user's own commands would run in the window
---@return pgorch.rehearsal.Unmeasured[]
function M.not_measured(measured, results, given)
  local dump, brought, list = results.dump_to_store, nil, {}
  for _, each in ipairs(measured) do
    if BRINGS[each.id] then brought = each end
  end
  if dump then
    list[#list + 1] = { what = "upload over the real wire", seconds =
      math.max(0, dump.bytes / M.WIRE_BYTES - dump.seconds), assumed = ("at %.0f MB/s"):format(M.WIRE_BYTES / 1e6) }
  end
  if brought then
    list[#list + 1] = { what = ("the %s on Heroku's hardware"):format(BRINGS[brought.id]), seconds =
      brought.seconds * (M.SLOWER_THERE - 1), assumed = ("%d times as long as here"):format(M.SLOWER_THERE) }
  end
  list[#list + 1] = { what = "dynos that stop and start, a release", seconds = M.APP_SECONDS, assumed =
    ("%d s"):format(M.APP_SECONDS) }
  list[#list + 1] = { what = "a person's answer at a gate", assumed = "not measured" }
  if given.hooks then list[#list + 1] = { what = "--on-freeze and --on-thaw", assumed = "not measured" } end
  list[#list + 1] = { what = "provisioning at Heroku (before the window)", assumed = "not measured: some minutes" }
  return list
end

-- A figure to tell people: whole minutes, above ten of them in steps of five.
local function rounded(seconds)
  local step = seconds > 600 and 300 or 60
  return math.ceil(seconds / step) * step
end

-- Common steps that write, and whose time is that of the data.
local ON_THE_DATA = { refresh_matviews = true, reapply_settings = true, analyze = true }

---How long a step of a move will take, by its time in a rehearsal. nil: that time was of something else, as there was
---no app, no add-on and no bucket.
---@param step pgorch.Step
---@param seconds number            that it took here
---@param dump_bytes integer|nil
---@return number|nil seconds
---@return boolean measured         nothing was assumed
function M.of_a_move(step, seconds, dump_bytes)
  if BRINGS[step.id] then return seconds * M.SLOWER_THERE, false end
  if step.id == "dump_to_store" then return math.max(seconds, (dump_bytes or 0) / M.WIRE_BYTES), false end
  if step.effect == "read" or step.rehearse or ON_THE_DATA[step.id] then return seconds, true end
  return nil, false
end

---@param seconds number|nil      that the window took here
---@param unmeasured pgorch.rehearsal.Unmeasured[]
---@return {measured: number, margin: number, announce: number}|nil
function M.window(seconds, unmeasured)
  if not seconds then return nil end
  local margin = 0
  for _, each in ipairs(unmeasured) do margin = margin + (each.seconds or 0) end
  return { measured = seconds, margin = margin, announce = rounded(seconds + margin) }
end

return M
