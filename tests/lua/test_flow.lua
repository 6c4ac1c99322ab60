-- docs/flow.md says for each step of the articles, and for each trap, which code takes care of it and which test shows
-- it. What is named there exists.

local fs = require "pgorch.fs"

local ROOT = TEST_FOLDER .. "/../.."

local function rows_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    local number, code, shown = line:match "^| (%d+) |[^|]*|([^|]*)|([^|]*)|$"
    if number then rows[#rows + 1] = { number = tonumber(number), code = code, shown = shown } end
  end
  return rows
end

-- What is wrong with a row, as a list: code that is not there, a test that is not there, none of either.
local function check_code(row, problems)
  local count = 0
  for path in row.code:gmatch "`([^`]+)`" do
    count = count + 1
    if not fs.exists(ROOT .. "/" .. path) then problems[#problems + 1] = ("%d: no %s"):format(row.number, path) end
  end
  if count == 0 then problems[#problems + 1] = ("%d names no code"):format(row.number) end
end

-- The title as it stands in the file, where the test may make a part of it.
local function has_test(path, title)
  return fs.exists(ROOT .. "/" .. path) and fs.read(ROOT .. "/" .. path, 1 << 24):find('"' .. title, 1, true) ~= nil
end

local function check_tests(row, problems)
  local count = 0
  for path, title in row.shown:gmatch "`(tests/[%w/_.]+): ([^`]+)`" do
    count = count + 1
    if not has_test(path, title) then
      problems[#problems + 1] = ("%d: %s has no `%s`"):format(row.number, path, title)
    end
  end
  if count == 0 then problems[#problems + 1] = ("%d names no test"):format(row.number) end
end

local function check(rows)
  local problems = {}
  for _, row in ipairs(rows) do
    check_code(row, problems)
    check_tests(row, problems)
  end
  return problems
end

describe("docs/flow.md", function()
  local text = fs.read(ROOT .. "/docs/flow.md", 1 << 20)

  it("has a row for each of the articles' 27 steps, and for each of the 25 traps", function()
    local next_number, tables = 1, {}
    for _, row in ipairs(rows_of(text)) do
      if row.number == 1 then
        next_number, tables[#tables + 1] = 1, 0
      end
      expect(row.number).is(next_number)
      next_number, tables[#tables] = next_number + 1, row.number
    end
    expect(tables).same { 27, 25 }
  end)

  it("names code and tests that exist", function()
    expect(table.concat(check(rows_of(text)), "\n")).is ""
  end)

  it("is found out when it names what does not exist", function()
    local rows = rows_of("| 1 | x | `lua/pgorch/none.lua` | `tests/lua/test_flow.lua: none of` |\n"
      .. "| 2 | x | none | none |")
    expect(#check(rows)).is(4)
  end)
end)
