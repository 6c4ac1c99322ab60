-- Moves, killed after each of their writes to the record in turn: process after process dies of the first write that
-- nobody has died of yet, and the next one goes on. Then the world must be as an undisturbed move leaves one, and hold
-- nothing that it does not. Which writes are deadly, where that is limited, is decided by a seed.

local ending = require "pgorch.test.ending"
local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local task   = require "pgorch.task"
local term   = require "pgorch.native.term"

local kills = {}

local MOST = 1000                       -- processes
local KILLED = 137

local function lines(path, word)
  local list = {}
  for line in (fs.exists(path) and fs.read(path, 1 << 22) or ""):gmatch "[^\n]+" do
    list[#list + 1] = line:match("^" .. word .. " (.*)$")
  end
  return list
end

local function temporary()
  return setmetatable({ path = fs.mkdtemp "pgorch-kills-" }, { __close = function(self)
    task.shield(60, fs.remove_tree, self.path)
  end })
end

local function deadly(file, o)
  return { PGORCH_SANDBOX_DEATHS = file, PGORCH_SANDBOX_DEATHS_SHARE = tostring(o.share),
    PGORCH_SANDBOX_DEATHS_SEED = tostring(o.seed or 1) }
end

local function expect_exit(done, wanted, when)
  if done.exit == wanted then return end
  fail.raise("PGO-TEST", ("%s it ends with status %d, not %d"):format(when, done.exit, wanted))
end

-- Which writes there are, and how the world is then.
local function undisturbed(moves, recipe, params, o)
  local done = moves:run(recipe, params, deadly(o.file, { share = 0 }))
  expect_exit(done, o.exit, "undisturbed")
  return ending.of(moves.world, moves.stand_ins), #lines(o.file, "write")
end

-- A run whose process died before it was on record begins again.
local function next_process(moves, recipe, params, env)
  if moves.before and moves:has_run("t" .. moves.number) then return moves:resume({ yes_cut_over = true }, env) end
  moves.number = 0
  return moves:run(recipe, params, env)
end

-- One move, process after process. A process that comes to a run which has ended already says so, and ends with 0.
local function disturbed(moves, recipe, params, o)
  for _ = 1, MOST do
    local done = next_process(moves, recipe, params, deadly(o.file, o))
    if done.exit ~= KILLED then
      local dead = lines(o.file, "died")
      if done.exit ~= 0 or #dead == 0 then
        expect_exit(done, o.exit, ("after %d deaths, the last one at `%s`,"):format(#dead, dead[#dead] or "none"))
      end
      return #dead
    end
  end
  fail.raise("PGO-TEST", ("%d processes were killed, and there is no end"):format(MOST))
end

local SHOWN = 20                        -- of more deaths, nobody reads where each was

local function refuse_differences(calm, moves, file)
  local differences = ending.differences(calm, ending.of(moves.world, moves.stand_ins))
  if #differences == 0 then return end
  local dead = lines(file, "died")
  if #dead <= SHOWN then differences[#differences + 1] = "killed after: " .. table.concat(dead, "; ") end
  fail.raise("PGO-TEST", ("after %d kills the world is another one"):format(#dead),
    { detail = table.concat(differences, "\n") })
end

---Runs a recipe undisturbed, then in new worlds with kills, and compares. Some writes are only there where nobody died
---of the one before: they are for the worlds after the first.
---@param fresh fun(): pgorch.test.Moves  a new world in the place of the present one
---@param recipe string
---@param params? table
---@param o? {limit?: integer, seed?: integer, exit?: integer}  limit: about so many kills, chosen by the seed; all
---@return {deaths: integer, writes: integer}
function kills.everywhere(fresh, recipe, params, o)
  o = o or {}
  local dir <close> = temporary()
  local wanted = { exit = o.exit or 0, seed = o.seed, file = dir.path .. "/writes" }
  local calm, writes = undisturbed(fresh(), recipe, params, wanted)
  wanted.share = o.limit and math.min(1, o.limit / writes) or 1
  local dead = 0
  repeat
    local moves, before = fresh(), dead
    dead = disturbed(moves, recipe, params, wanted)
    refuse_differences(calm, moves, wanted.file)
    moves:refuse_left()
  until o.limit or dead == before
  term.out(("# killed %d times; undisturbed there are %d writes to the record\n"):format(dead, writes))
  if dead > 0 then return { deaths = dead, writes = writes } end
  fail.raise("PGO-TEST", ("of %d writes, none was chosen to die of"):format(writes), { cure = "Raise `limit`." })
end

return kills
