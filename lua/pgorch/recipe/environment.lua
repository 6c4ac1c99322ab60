-- The globals that a recipe sees, and the bounds that hold while its top level runs. No io, os, debug or bytecode.
-- A recipe is trusted once it runs: the bounds are against mistakes, and so that looking at a recipe does nothing.

local fail = require "pgorch.error"

local environment = {}

local INSTRUCTIONS = 20 * 1000 * 1000
local KILOBYTES    = 64 * 1024
local STRIDE       = 10000

local GLOBALS = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget",
                  "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION" }
local LIBRARIES = { "math", "string", "table", "utf8" }

-- Loading thread -> its budget; a coroutine that the recipe makes shares the one of its maker.
local budgets = setmetatable({}, { __mode = "k" })

local function watch(thread, budget)
  local function tick()
    budget.used = budget.used + (budget.over and 1 or STRIDE)
    if budget.used < INSTRUCTIONS and collectgarbage("count") - budget.before < KILOBYTES then return end
    -- From now on every instruction raises, so that a pcall in the recipe cannot go on.
    if not budget.over then
      budget.over = true
      debug.sethook(thread, tick, "", 1)
    end
    fail.raise("PGO-RECIPE", budget.used >= INSTRUCTIONS and "the top level of the recipe runs for too long"
      or "the top level of the recipe uses too much memory", { cure = "Move the work into a step." })
  end
  debug.sethook(thread, tick, "", STRIDE)
end

---Bounds what `thread` may do until unbound.
---@param thread thread
function environment.bound(thread)
  budgets[thread] = { used = 0, before = collectgarbage("count") }
  watch(thread, budgets[thread])
end

---@param thread thread
function environment.unbound(thread)
  debug.sethook(thread)
  budgets[thread] = nil
end

local function bounded_create(fn)
  local thread = coroutine.create(fn)
  local budget = budgets[coroutine.running()]
  if budget then
    budgets[thread] = budget
    watch(thread, budget)
  end
  return thread
end

local function bounded_wrap(fn)
  local thread = bounded_create(fn)
  return function(...)
    local results = table.pack(coroutine.resume(thread, ...))
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end
end

local function copy(library)
  local to = {}
  for name, value in pairs(library) do to[name] = value end
  return to
end

---A new set of globals.
---@param require_ function  the recipe's own
---@return table
function environment.new(require_)
  local globals = { require = require_ }
  for _, name in ipairs(GLOBALS) do globals[name] = _G[name] end
  for _, name in ipairs(LIBRARIES) do globals[name] = copy(_G[name]) end
  globals.coroutine = copy(coroutine)
  globals.coroutine.create, globals.coroutine.wrap = bounded_create, bounded_wrap
  globals.load = function(chunk, name, _, env) return load(chunk, name, "t", env or globals) end
  globals._G = globals
  return globals
end

return environment
