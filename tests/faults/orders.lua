-- What several runs hold: in every order of their steps, with kills anywhere, it is held as long as one needs it, and
-- afterwards it is as before. Every order is tried, over names in memory and an app that has two things to be changed.

local interleavings = require "support.interleavings"
local json   = require "pgorch.json"
local memory = require "pgorch.store.memory"
local poll   = require "pgorch.poll"
local shared = require "pgorch.runner.shared"
local task   = require "pgorch.task"

local NAME, TURN = "freeze:app:shop", "turn:freeze:app:shop"

local function show(answer)
  local parts = {}
  for i = 1, answer.n do
    local value = answer[i]
    if type(value) == "table" then
      local rows = {}
      for j, row in ipairs(value) do rows[j] = (row.run or "") .. (row.data and json.encode(row.data) or "") end
      value = value.run or value.web and json.encode(value) or table.concat(rows, " ")
    end
    parts[i] = tostring(value)
  end
  return table.concat(parts, " ")
end

-- The outside: the app, the names, what each run has recorded of itself, and which process has it.
local function new_outside(endings)
  local outside = { app = { web = 2, maintenance = false }, names = memory.new(), runs = {}, endings = endings }
  for name in pairs(endings) do outside.runs[name] = { owner = 1, alive = true } end
  return outside
end

-- The store as a process sees it: each call is a step of its own. `without`: a rule that is switched off.
local function store_for(outside, at, without)
  local store, names = {}, outside.names
  for _, method in ipairs { "lock", "unlock", "holders", "share" } do
    store[method] = function(_, ...)
      local arguments = table.pack(...)
      return at(method, function()
        if without == "turn" and method == "lock" then return true end
        return names[method](names, table.unpack(arguments, 1, arguments.n))
      end)
    end
  end
  function store.take_over(_, name, run, from, owner)
    return at("take over", function()
      local same = tostring(outside.runs[from].owner) == owner or without == "owner"
      return same and names:take_over(name, run, from)
    end)
  end
  return store
end

local function session_for(outside, name, at, without)
  return { store = store_for(outside, at, without), run = { id = name },
    durably = function(_, fn, ...) return fn(...) end,
    is_at_work = function(_, run)
      return at("at work?", function() return outside.runs[run].alive, tostring(outside.runs[run].owner) end)
    end }
end

-- Two changes each, one after the other; the second look may come after somebody else's change. `at_once`: neither.
local function means(app, at, at_once)
  if at_once then at = function(_, fn) return fn() end end
  local function set(field, value) at(field, function() app[field] = value end) end
  return {
    look = function()
      local web = at("look at web", function() return app.web end)
      return { web = web, maintenance = at("look at maintenance", function() return app.maintenance end) }
    end,
    effect = function()
      set("maintenance", true)
      set("web", 0)
    end,
    put_back = function(before)
      set("web", before.web)
      set("maintenance", before.maintenance)
    end }
end

-- A run: joins, works, ends. "stay": leaves it down for good; "return": does, and is rolled back later.
local function program(outside, o)
  return function(name, how, at)
    local run, session = outside.runs[name], session_for(outside, name, at, o.without)
    local does = means(outside.app, at, o.at_once)
    local function record(field, value) at("record", function() run[field] = value end) end
    local function join()
      shared.join(session, NAME, does)
      record("down", true)
    end
    if how == "go on" and run.ended then return end
    if how ~= "put back" and not run.down and not run.stayed then join() end
    if how ~= "put back" and outside.endings[name] ~= "leave" and not run.stayed then
      shared.leave_for_good(session, NAME)
      record("stayed", true)
    end
    if outside.endings[name] == "stay" and how ~= "put back" then return end
    if run.stayed then join() end
    record("ending", true)
    shared.leave(session, NAME, does.put_back)
    record("ended", true)
  end
end

local function is_down(app) return app.maintenance and app.web == 0 end

local function taken_for_before(outside)
  for _, row in ipairs(outside.names:holders(NAME)) do
    if row.data.before.web ~= 2 or row.data.before.maintenance then
      return ("run %s stored %s as what was there before"):format(row.run, json.encode(row.data.before))
    end
  end
end

local function rules(outside)
  local all_leave = true
  for _, ending in pairs(outside.endings) do all_leave = all_leave and ending == "leave" end
  local function wrong()
    for name, run in pairs(outside.runs) do
      if run.down and not run.ending and not is_down(outside.app) then return "the app is up, and down for " .. name end
    end
    return all_leave and taken_for_before(outside) or nil
  end
  local function wrong_at_end()
    local stays, app = false, outside.app
    for name, run in pairs(outside.runs) do
      stays = stays or outside.endings[name] == "stay" and run.stayed and not run.ended
    end
    if stays then return not is_down(app) and "it was to stay down, and is up" or nil end
    if app.web ~= 2 or app.maintenance then return "not as before: " .. json.encode(app) end
    return #outside.names:holders(NAME) > 0 and "somebody still holds it" or nil
  end
  return wrong, wrong_at_end
end

local function sorted_keys(of)
  local list = {}
  for name in pairs(of) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function state_of(outside)
  local parts = { json.encode(outside.app) }
  for _, name in ipairs { NAME, TURN } do
    for _, row in ipairs(outside.names:holders(name)) do
      parts[#parts + 1] = name .. row.run .. (row.data and json.encode(row.data) or "")
    end
  end
  for _, name in ipairs(sorted_keys(outside.runs)) do
    local run, fields = outside.runs[name], {}
    for _, field in ipairs(sorted_keys(run)) do fields[#fields + 1] = field .. tostring(run[field]) end
    parts[#parts + 1] = name .. table.concat(fields, " ")
  end
  return table.concat(parts, "\n")
end

-- One that waits its turn goes on when that is free, or when nobody is at work on the run that has it.
local function may_go_on(outside, turn)
  return function(name, what)
    if what ~= "wait turn" then return true end
    for _, row in ipairs(outside.names:holders(turn)) do
      if row.run ~= name and outside.runs[row.run].alive then return false end
    end
    return true
  end
end

-- What is on record is not in the program's hands any more; and who tries for his turn again does so as at first.
local function matters(what, seen)
  if what == "record" then return {} end
  if what ~= "lock" and what ~= "take over" then return seen end
  local first = #seen
  for i = #seen, 1, -1 do
    if seen[i]:find "^unlock" then break end
    if seen[i]:find "^lock" then first = i end
  end
  local last = seen[#seen]:match "=(%w+)"
  seen = table.move(seen, 1, first - 1, 1, {})
  seen[first] = "lock=" .. last
  return seen
end

local function case(endings, o)
  return function()
    local outside = new_outside(endings)
    local wrong, wrong_at_end = rules(outside)
    return { names = sorted_keys(endings), kills = o.kills, ways = { "go on", "put back" },
      program = program(outside, o), show = show, matters = matters, may = may_go_on(outside, TURN), wrong = wrong,
      wrong_at_end = wrong_at_end, state = function() return state_of(outside) end,
      killed = function(name) outside.runs[name].alive = false end,
      began = function(name)
        outside.runs[name].alive, outside.runs[name].owner = true, outside.runs[name].owner + 1
      end }
  end
end

-- --- one list with an entry for each name ---

-- As an allow list: read, then written as a whole. Two runs need the same entry, one needs another.
local ENTRY, LIST, LIST_TURN = { a = "x", b = "y", c = "x" }, "allow-list:shop", "turn:allow-list:shop"

local function entry_name(name) return LIST .. ":" .. ENTRY[name] end

local function has(list, entry) return (" " .. list .. " "):find(" " .. entry .. " ", 1, true) ~= nil end

local function edited(list, entry, there)
  local words = { there and entry or nil }
  for word in list:gmatch "%S+" do
    if word ~= entry then words[#words + 1] = word end
  end
  table.sort(words)
  return table.concat(words, " ")
end

-- `apart`: each name has a turn of its own.
local function list_program(outside, o)
  return function(name, how, at)
    local run, session, entry = outside.runs[name], session_for(outside, name, at, o.without), ENTRY[name]
    local turn = not o.apart and LIST or nil
    local function get() return at("get", function() return outside.list end) end
    local function put(list) at("put", function() outside.list = list end) end
    local function record(field) at("record", function() run[field] = true end) end
    if how == "go on" and run.ended then return end
    if how ~= "put back" and not run.listed then
      shared.join(session, entry_name(name), { turn = turn,
        look = function() return { listed = has(get(), entry) } end,
        effect = function(before)
          local list = get()
          if not before.listed and not has(list, entry) then put(edited(list, entry, true)) end
        end })
      record "listed"
    end
    record "ending"
    shared.leave(session, entry_name(name), function(before)
      if not before.listed then put(edited(get(), entry, false)) end
    end, { turn = turn })
    record "ended"
  end
end

local function list_wrong(outside)
  for name, run in pairs(outside.runs) do
    if run.listed and not run.ending and not has(outside.list, ENTRY[name]) then
      return ("%s needs %s, and the list is: %s"):format(name, ENTRY[name], outside.list)
    end
  end
  return not has(outside.list, "owner") and "the owner's entry is gone" or nil
end

local function list_wrong_at_end(outside)
  if outside.list ~= "owner" then return "not as before: " .. outside.list end
  for _, entry in ipairs { "x", "y" } do
    if #outside.names:holders(LIST .. ":" .. entry) > 0 then return "somebody still holds " .. entry end
  end
end

local function list_state(outside)
  local parts = { outside.list }
  for _, name in ipairs { LIST .. ":x", LIST .. ":y", LIST_TURN, "turn:" .. LIST .. ":x", "turn:" .. LIST .. ":y" } do
    for _, row in ipairs(outside.names:holders(name)) do
      parts[#parts + 1] = name .. row.run .. (row.data and json.encode(row.data) or "")
    end
  end
  for _, name in ipairs(sorted_keys(outside.runs)) do
    for _, field in ipairs(sorted_keys(outside.runs[name])) do
      parts[#parts + 1] = name .. field .. tostring(outside.runs[name][field])
    end
  end
  return table.concat(parts, "\n")
end

local function list_case(runs, o)
  return function()
    local outside = new_outside(runs)
    outside.list = "owner"
    return { names = sorted_keys(runs), kills = o.kills, ways = { "go on", "put back" }, show = show,
      program = list_program(outside, o), matters = matters, may = may_go_on(outside, LIST_TURN),
      wrong = function() return list_wrong(outside) end,
      wrong_at_end = function() return list_wrong_at_end(outside) end,
      state = function() return list_state(outside) end,
      killed = function(name) outside.runs[name].alive = false end,
      began = function(name)
        outside.runs[name].alive, outside.runs[name].owner = true, outside.runs[name].owner + 1
      end }
  end
end

local function search_of(new_case)
  local sleep, seconds = task.sleep, poll.seconds
  local _ <close> = setmetatable({}, { __close = function() task.sleep, poll.seconds = sleep, seconds end })
  poll.seconds = function(what) return what end
  task.sleep = function(what) coroutine.yield("wait " .. what, function() end) end
  return interleavings.search(new_case)
end

local function search(...) return search_of(case(...)) end

local function expect_right(endings, o)
  local states, wrong = search(endings, o)
  if wrong then error(wrong, 0) end
  if states < 300 then error(("only %d states were seen"):format(states), 0) end
end

local function expect_found(without, kills)
  local _, wrong = search({ a = "leave", b = "leave" }, { kills = kills, without = without })
  if not wrong then error("nothing was found without the rule: " .. without, 0) end
end

local LONG = { limit = 400 }

describe("what several runs hold", function()
  for _, endings in ipairs { { a = "leave", b = "leave" }, { a = "leave", b = "stay" }, { a = "return", b = "leave" },
                             { a = "return", b = "stay" } } do
    it(("is held while one needs it, and right at the end, whoever is killed: %s, %s"):format(endings.a, endings.b),
      function() expect_right(endings, { kills = 1, at_once = endings.a ~= endings.b }) end, LONG)
  end

  it("is so with three of them", function()
    expect_right({ a = "leave", b = "leave", c = "stay" }, { kills = 0, at_once = true })
  end, LONG)

  it("would not be without turns, nor if a turn were taken from a process that is at work again", function()
    expect_found("turn", 0)
    expect_found("owner", 1)
  end, LONG)
end)

describe("two names under one turn, whose effect edits one list", function()
  it("have their entries while they need them, and leave the list as it was, whoever is killed", function()
    local states, wrong = search_of(list_case({ a = true, b = true }, { kills = 1 }))
    if wrong then error(wrong, 0) end
    expect(states >= 300).is(true)
  end, LONG)

  it("are so with a third run that shares an entry", function()
    local states, wrong = search_of(list_case({ a = true, b = true, c = true }, { kills = 0 }))
    if wrong then error(wrong, 0) end
    expect(states >= 300).is(true)
  end, LONG)

  it("would lose an entry if each name had a turn of its own, or none", function()
    for _, o in ipairs { { kills = 0, apart = true }, { kills = 0, without = "turn" } } do
      local _, wrong = search_of(list_case({ a = true, b = true }, o))
      if not wrong then error("nothing was found", 0) end
    end
  end, LONG)
end)
