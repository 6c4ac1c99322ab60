-- The live table of a batch as lines: rows at work, then those that need a person, then how many wait and why, then
-- the totals. As many lines as there is room for, none wider than there are columns. Pure.

local columns = require "pgorch.columns"
local figures = require "pgorch.batch.board.figures"
local lines   = require "pgorch.runner.lines"
local state   = require "pgorch.batch.state"
local values  = require "pgorch.recipe.values"

local table_of = {}

---@class pgorch.board.Room
---@field width integer    columns that may be used
---@field height integer   lines that may be used
---@field now number       by the clock of batch.began
---@field time number      seconds since 1970
---@field paint fun(how: string, text: string): string

-- --- cells of a row at work ---

local function percent(row)
  local part = row.progress and row.progress.fraction
  return part and ("%3.0f %%"):format(part * 100) or ""
end

local function bar(width)
  return function(row)
    local part = row.progress and row.progress.fraction
    return part and ("%s %s"):format(lines.bar(part, width), percent(row)) or row.progress and row.progress.bytes
      and values.show_size(row.progress.bytes) or ""
  end
end

local function rate(row)
  local bytes = row.progress and row.progress.rate
  return bytes and values.show_size(bytes) .. "/s" or ""
end

local function left(row)
  local eta = row.progress and row.progress.eta
  return eta and figures.brief(eta) or ""
end

local function took(row, room)
  return row.started_at and figures.brief(room.time - row.started_at / 1e6) or ""
end

-- Where there is room for one of them.
local function left_or_took(row, room)
  local time = left(row)
  return time ~= "" and "ETA " .. time or took(row, room)
end

local function step(row)
  local at = row.progress
  return at and (at.title or at.step) or "begins"
end

local function target(row, room)
  local app = state.app(row)
  if not app then return row.recipe or "" end
  return room.width >= 110 and ("%s to %s"):format(row.recipe, app) or app
end

-- Columns of which each has its width, and those that share what is left of the line.
local FIXED = {
  { title = "progress", width = 14, right = false, cell = bar(6), from = 70, below = 100 },
  { title = "progress", width = 20, right = false, cell = bar(12), from = 100 },
  { title = "", width = 5, right = true, cell = percent, from = 36, below = 70 },
  { title = "rate", width = 8, right = true, cell = rate, from = 70 },
  { title = "time", width = 12, right = true, cell = left_or_took, from = 56, below = 100 },
  { title = "left", width = 9, right = true, cell = left, from = 100 },
  { title = "took", width = 9, right = true, cell = took, from = 100 },
}

local GAP = 2

local function fixed_columns(width)
  local list, used = {}, 0
  for _, each in ipairs(FIXED) do
    if width >= each.from and width < (each.below or math.huge) then
      list[#list + 1], used = each, used + each.width + GAP
    end
  end
  return list, used
end

local function widest(rows, cell, room)
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, columns.width(columns.line(cell(row, room)))) end
  return width
end

local function id_of(row) return row.id end

-- Row, target and step share what the others leave: the first two take what they need, up to a third each. By all
-- rows of the batch, so that columns stay where they are whatever runs.
local function layout(batch, room)
  local fixed, used = fixed_columns(room.width)
  local rest = room.width - used
  local third = math.max(6, (rest - 2 * GAP) // 3)
  local id = { title = "row", cell = id_of, width = math.min(math.max(3, widest(batch.rows, id_of, room)), third + 2) }
  local to = { title = "to", cell = target, width = math.min(math.max(2, widest(batch.rows, target, room)), third) }
  local at = { title = "step", cell = step, width = rest - id.width - to.width - 2 * GAP }
  local list = { id, to, at }
  if at.width < 8 then list, id.width = { id, at }, math.min(id.width, math.max(4, rest // 2)) end
  if at.width < 8 then at.width = math.max(0, rest - id.width - GAP) end
  return table.move(fixed, 1, #fixed, #list + 1, list)
end

local function row_line(list, cell_of, room)
  local cells = {}
  for i, column in ipairs(list) do
    if column.width > 0 then cells[i] = columns.fit(columns.line(cell_of(column)), column.width, column.right) end
  end
  return columns.clip((table.concat(cells, (" "):rep(GAP)):gsub("%s+$", "")), room.width)
end

-- --- the parts ---

local function sorted(batch, is_wanted)
  local list = {}
  for _, row in ipairs(batch.rows) do
    if is_wanted(row) then list[#list + 1] = row end
  end
  table.sort(list, function(a, b)
    local p, q = state.rank(a), state.rank(b)
    if p ~= q then return p < q end
    return a.at < b.at
  end)
  return list
end

local function is_at_work(row) return row.state == "running" and not state.gate(row) end

-- At most so many lines; what there is no room for is counted.
local function cut(list, most, what, room, line_of)
  local out, shown = {}, #list <= most and #list or math.max(0, most - 1)
  for i = 1, shown do out[i] = line_of(list[i]) end
  if shown < #list and most > 0 then
    out[#out + 1] = columns.clip(("... and %d more %s"):format(#list - shown, what), room.width)
  end
  return out
end

local TONES = { bad = "red", wait = "yellow" }

-- A row that needs a person: what it came to, and what it says.
local function person_line(batch, persons, room)
  local width = math.min(math.max(3, widest(persons, id_of, room)), math.max(6, room.width // 4))
  return function(row)
    local id, word = columns.fit(columns.line(row.id), width), state.words(row)
    local text = columns.clip(("%s  %s  %s"):format(id, word, state.why(batch.name, row) or ""), room.width)
    local head = #id + 2 + #word
    if #text < head or text:sub(1, head) ~= id .. "  " .. word then return text end
    return ("%s  %s%s"):format(id, room.paint(TONES[state.tone(row)] or "bold", word), text:sub(head + 1))
  end
end

-- How many are in a state, and why most of them are.
local function waiting_line(batch, name, room)
  local count, reasons, most = 0, {}, nil
  for _, row in ipairs(batch.rows) do
    if row.state == name then
      count = count + 1
      local why = row.reason or ""
      reasons[why] = (reasons[why] or 0) + 1
      if why ~= "" and (not most or reasons[why] > reasons[most]) then most = why end
    end
  end
  if count == 0 or not most and name == "ready" then return nil end
  local several = most and reasons[most] < count and ("  (%d of them)"):format(reasons[most]) or ""
  return columns.clip(columns.line(("%d %s: %s%s"):format(count, name, most or "to be tried again", several)),
    room.width)
end

-- That a batch goes on is told by how far it is.
local function head_of(batch, it, room)
  if batch.awaits_approval then return "waits for approval: pgorch batch approve " .. batch.name end
  if batch.state ~= "running" then return batch.state .. (batch.reason and ": " .. batch.reason or "") end
  local part = it.total > 0 and (it.counts.done or 0) / it.total or 0
  local pace = table.concat(figures.pace(it), ", ")
  return ("%s %3.0f %%%s"):format(lines.bar(part, math.min(20, room.width // 5)), part * 100,
    pace ~= "" and "  " .. pace or "")
end

local function head_line(batch, it, room)
  local took_until_now = figures.brief(room.now - batch.began)
  return room.paint("bold", columns.clip(columns.line(("batch %s  %s  (%s)"):format(batch.name,
    head_of(batch, it, room), took_until_now)), room.width))
end

local function append(out, list) table.move(list, 1, #list, #out + 1, out) end

-- Those that need a person get a third of the room where there is not enough for all.
local function share(room, at_work, persons)
  if at_work + persons <= room then return at_work, persons end
  local least = math.min(persons, math.max(1, room // 3))
  local first = math.max(0, math.min(at_work, room - least))
  return first, room - first
end

local function waiting_lines(batch, room)
  local list = {}
  for _, name in ipairs { "waiting", "ready" } do list[#list + 1] = waiting_line(batch, name, room) end
  return list
end

---@param batch pgorch.board.Batch
---@param room pgorch.board.Room
---@return string[]
function table_of.lines(batch, room)
  local it = figures.of(batch, room.now)
  local totals = columns.clip(figures.states(it), room.width)
  if room.height < 4 then return { totals } end
  local at_work, persons = sorted(batch, is_at_work), sorted(batch, state.needs_person)
  local waiting = room.height >= 8 and waiting_lines(batch, room) or {}
  local heading = #at_work > 0 and 1 or 0
  local first, second = share(room.height - 2 - heading - #waiting, #at_work, #persons)
  local list, out = layout(batch, room), { head_line(batch, it, room) }
  if first > 0 then
    out[2] = room.paint("dim", row_line(list, function(column) return column.title end, room))
    append(out, cut(at_work, first, "at work", room, function(row)
      return row_line(list, function(column) return column.cell(row, room) end, room)
    end))
  end
  append(out, cut(persons, second, "that need somebody", room, person_line(batch, persons, room)))
  append(out, waiting)
  out[#out + 1] = totals
  return out
end

return table_of
