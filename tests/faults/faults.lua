-- `tests/faults/run faults [--long] [--case TEXT] [--recipe NAME] [--seed N]`: moves meet faults. A short run takes the
-- cases marked `ci` and a few of the product place x fault, --long takes all. Prints a table, and fails with the cases
-- in which something was lost, doubled or not said. The options come in FAULTS_LONG, FAULTS_CASE, FAULTS_RECIPE,
-- FAULTS_SEED; FAULTS_QUICK=1 leaves those out that wait for minutes, FAULTS_LANES=N runs so many moves side by side,
-- FAULTS_LIST=1 only lists, FAULTS_SAY=1 shows all that pgorch said.

local cases   = require "cases"
local driver  = require "driver"
local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local product = require "product"
local term    = require "pgorch.term"

local RECIPES = { "vultr", "linode", "digitalocean", "postgres" }
local FEW = 1                          -- of the product, for each recipe, in a short run
local SIDE_BY_SIDE = 4

local function option(name) return env.get("FAULTS_" .. name) end

local function number(name, otherwise)
  return math.tointeger(tonumber(option(name) or otherwise))
    or fail.raise("PGO-USAGE", ("FAULTS_%s is a number"):format(name))
end

local function options()
  return { seed = number("SEED", 1), lanes = number("LANES", 2), case = option "CASE", recipe = option "RECIPE",
    long = option "LONG" ~= nil, quick = option "QUICK" ~= nil, list = option "LIST" ~= nil, say = option "SAY" ~= nil }
end

-- Whether all cases are candidates, not those of the short run alone.
local function takes_all(o) return o.long or o.case end

local function is_wanted(case, o)
  if o.case and not ("%s %s"):format(case.recipe or "vultr", case.name):find(o.case, 1, true) then return false end
  return not case.long or o.long and not o.quick
end

local function chosen(profiles, o)
  local list = {}
  for _, case in ipairs(cases.cases) do
    local recipe = case.recipe or "vultr"
    if (not o.recipe or o.recipe == recipe) and is_wanted(case, o) and (takes_all(o) or case.ci) then
      list[#list + 1] = case
    end
  end
  for _, recipe in ipairs(RECIPES) do
    local all = {}
    for _, case in ipairs(profiles[recipe] and product.of(recipe, profiles[recipe].places, o.seed) or {}) do
      if is_wanted(case, o) then all[#all + 1] = case end
    end
    if not takes_all(o) then all = product.some(all, FEW, o.seed) end
    table.move(all, 1, #all, #list + 1, list)
  end
  return list
end

-- Those that wait need no processor: more of them run side by side.
local function run_all(list, profiles, o)
  local quick, slow = {}, {}
  for _, case in ipairs(list) do table.insert(case.long and slow or quick, case) end
  local rows = driver.run(quick, profiles, o)
  local more = driver.run(slow, profiles, { lanes = o.lanes * SIDE_BY_SIDE })
  return table.move(more, 1, #more, #rows + 1, rows)
end

-- What of a case's output tells why it ended so.
local function telling(output)
  local lines = {}
  for line in (output or ""):gmatch "[^\n]+" do
    local tells = line:find "PGO%-" or line:find "error: " or line:find "^%s*cure:" or line:find "^exit "
    if tells or line:find "NOT put back" then
      lines[#lines + 1] = line:sub(1, 1500)
    end
  end
  return table.concat(lines, "\n")
end

local function summary(rows)
  local wrong, skipped = {}, 0
  for _, row in ipairs(rows) do
    if row.skip then skipped = skipped + 1 end
    if #row.complaints > 0 then
      wrong[#wrong + 1] = ("== %s, %s: %s\n%s"):format(row.recipe, row.name, table.concat(row.complaints, "; "),
        telling(row.output))
    end
  end
  return wrong, skipped
end

-- Cases that not every machine can play: told as tests of their own, so that whoever left one out is seen.
local NEED_THIS_MACHINE = { ["full disk"] = "a full disk is passed", clock = "a clock that jumps is passed" }

local function skipped_of(rows, inject)
  local why, count = nil, 0
  for _, row in ipairs(rows) do
    if row.inject == inject and row.skip then why, count = row.skip, count + 1 end
  end
  return why, count
end

local all_rows = {}

describe("faults", function()
  it("are passed, or stop a move with its state kept and the cure said; nothing is lost, nothing doubled", function()
    local o = options()
    local profiles = driver.profiles(o.recipe and { o.recipe } or RECIPES, o)
    local list = chosen(profiles, o)
    term.out(("# %d cases, seed %d, %d lanes: injected | seen | outcome | after\n"):format(#list, o.seed, o.lanes))
    if o.list then
      for _, case in ipairs(list) do term.out(("# %s | %s\n"):format(case.recipe or "vultr", case.name)) end
      return
    end
    expect(#list).above(0)
    local rows = run_all(list, profiles, o)
    all_rows = rows
    local wrong, skipped = summary(rows)
    term.out(("# %d cases: %d right, %d wrong, %d skipped\n"):format(#rows, #rows - #wrong - skipped, #wrong, skipped))
    expect(#rows).is(#list)
    if #wrong > 0 then error(table.concat(wrong, "\n"), 0) end
  end, { limit = 6 * 3600 })

  for inject, title in pairs(NEED_THIS_MACHINE) do
    it(title, function()
      local why, count = skipped_of(all_rows, inject)
      if why then skip(("%d cases: %s"):format(count, why)) end
      for _, row in ipairs(all_rows) do
        if row.inject == inject then return expect(table.concat(row.complaints, "; ")).is "" end
      end
      skip "no case of it was chosen"
    end)
  end
end)
