-- Batches of moves for tests: each row is a move of tests/support/moves.lua, with an app, a bucket and a lane of its
-- own; workers are `pgorch worker` as child processes, each with state of its own unless it is told otherwise. What is
-- judged is what became of the databases, and what the record and the stand-ins tell.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local loader  = require "pgorch.recipe.load"
local moves   = require "support.moves"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local batches = {}

---Options with what a test leaves out.
local function options_of(more)
  local options = { attempts = 20, yes_cut_over = true, limits = { jobs = 100 } }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

---A row for a move.
---@param move Move
---@param more? table  fields of the row; argv: further words
---@return table
function batches.row(move, more)
  more = more or {}
  local label = move.lane.entry.object.label
  local row = { id = more.id or move.id, recipe = "vultr", recipe_path = "vultr",
    recipe_hash = loader.load("vultr").hash, scopes = { instance = label }, estimate = 10,
    argv = { "--instance=" .. label, "--app=" .. move.app_name, "--plan=essential-1", "--bucket=" .. move.bucket } }
  for name, value in pairs(more) do
    if name == "argv" then table.move(value, 1, #value, #row.argv + 1, row.argv) else row[name] = value end
  end
  return row
end

---@param url string      of the record
---@param rows table[]
---@param options? table
---@param name? string
function batches.submit(url, rows, options, name)
  local st <close> = store.open(url)
  return st:submit_batch { name = name or "b", options = options_of(options), rows = rows }
end

---What a worker process is started with.
---@param world table
---@param url string
---@param o? {dir?: string, env?: table}
function batches.environment(world, url, o)
  o = o or {}
  local variables = sandbox.environment(world)
  variables.XDG_STATE_HOME, variables.PGORCH_STATE = o.dir or world.dir .. "/worker", url
  variables.PGORCH_POLL_SCALE = "0.02"
  for name, value in pairs(o.env or {}) do variables[name] = value or nil end
  return variables
end

---Starts a worker. Its folder of recipes is empty: it runs the built-in ones.
---@param world table
---@param url string
---@param o? {dir?: string, env?: table, words?: string[], said?: string[]}   said: gets what it writes
---@return pgorch.Process
function batches.worker(world, url, o)
  o = o or {}
  fs.mkdir(world.dir .. "/no-recipes", { parents = true })
  local words = { host.executable(), "worker", "--recipes", world.dir .. "/no-recipes" }
  for _, word in ipairs(o.words or {}) do words[#words + 1] = word end
  words.env, words.env_clear = batches.environment(world, url, o), true
  words.stdout, words.stderr, words.death_signal = "null", "capture", "KILL"
  return process.spawn(words)
end

---Waits until test(batch, store) is true, of the batch as it is on record.
---@param url string
---@param test fun(batch: pgorch.BatchRead, st: pgorch.Store): any
---@param seconds? number
function batches.wait_until(url, test, seconds)
  local st <close> = store.open(url)
  task.timeout(seconds or 100, function()
    while not test(st:batch "b", st) do task.sleep(0.05) end
  end)
end

---"a done, b failed"
---@param url string
---@return string
function batches.states(url)
  local st <close> = store.open(url)
  local list = {}
  for i, row in ipairs(st:batch("b").rows) do list[i] = row.id .. " " .. row.state end
  return table.concat(list, ", ")
end

---Every claim of a row has the next number, and who ended a row had the last one then: no write of a worker that was
---fenced off has come through.
---@param url string
---@return integer claims
function batches.expect_fenced(url)
  local st <close> = store.open(url)
  local fence, claims = {}, 0
  for _, event in ipairs(st:batch_events "b") do
    local id, number = event.row_id, event.data.fence
    if event.kind == "claimed" then
      if number <= (fence[id] or 0) then error(("row %s: claim %d after %d"):format(id, number, fence[id]), 0) end
      fence[id], claims = number, claims + 1
    elseif id and number and fence[id] and number ~= fence[id] then
      error(("row %s: %s by the claim %d, and the last one was %d"):format(id, event.kind, number, fence[id]), 0)
    end
  end
  return claims
end

---All of the moves have come to their end, each once.
---@param list Move[]
function batches.expect_moved(list)
  for _, move in ipairs(list) do
    local ok, err = pcall(function()
      move:expect_moved()
      move:expect_once()
    end)
    if not ok then error(("%s: %s"):format(move.id, tostring(err)), 0) end
  end
end

batches.moves = moves

return batches
