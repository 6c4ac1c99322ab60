-- A plan in a file: what was asked for, where its secrets come from (never what they are), what each step would do, and
-- the id that is kept for the run. Only the owner can read it. What is read is checked before anything is made of it.

local clock  = require "pgorch.clock"
local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local native = require "pgorch.native.host"

local M = { FORMAT = 1 }

local LARGEST = 16 * 2 ^ 20

---@class pgorch.plan.Kept
---@field format integer
---@field pgorch string        version that made it
---@field made_at integer      epoch
---@field run string
---@field recipe {name: string, path: string, hash: string}
---@field values table         parameters that are no secrets
---@field secrets table        where the others come from
---@field open_allow_list boolean
---@field source {name: string, identity: string, major: integer}|nil   nil: the recipe moves no database
---@field steps {id: string, title: string, lines: pgorch.planned.Line[]}[]  those that write, in order

---Raises where a plan cannot be put there: before the work of making it.
---@param path string
---@param force boolean|nil
function M.refuse(path, force)
  if fs.exists(path) and not force then
    fail.raise("PGO-USAGE", ("%s exists"):format(path), { cure = "Name another file, or pass --force." })
  end
  local folder = path:match "^(.*)/[^/]*$" or "."
  local there = fs.stat(folder == "" and "/" or folder)
  if not there or there.type ~= "directory" then fail.raise("PGO-USAGE", ("there is no folder %s"):format(folder)) end
  local now = fs.stat(path)
  if now and now.type ~= "file" then fail.raise("PGO-USAGE", ("%s is no file"):format(path)) end
end

-- Only what a run is compared with: a step that reads may find other things.
local function steps_of(survey)
  local list = json.array {}
  for _, entry in ipairs(survey.steps) do
    if entry.effect == "write" or entry.effect == "destroy" then
      list[#list + 1] = { id = entry.id, title = entry.title, lines = json.array(entry.lines) }
    end
  end
  return list
end

---What of a plan a run is held to.
---@param plan pgorch.Plan
---@param o table    of the command line: recipe, recipe_path, values, places, host
---@return pgorch.plan.Kept
function M.of(plan, o)
  return { format = M.FORMAT, pgorch = native.version, made_at = math.floor(clock.time()), run = plan.run,
           recipe = { name = o.recipe.name, path = o.recipe_path, hash = o.recipe.hash }, values = o.values,
           secrets = o.places, open_allow_list = o.host["open-allow-list"] or false, source = plan.source,
           steps = steps_of(plan.survey) }
end

---@param path string
---@param kept pgorch.plan.Kept
function M.write(path, kept)
  fs.write(path, json.encode { pgorch_plan = kept } .. "\n", { mode = 0600 })
end

local function refuse(path, why, cure)
  fail.raise("PGO-PLAN-FILE", ("%s %s"):format(path, why), { cure = cure })
end

local FIELDS = { pgorch = "string", made_at = "number", run = "string", recipe = "table", values = "table",
                 secrets = "table", open_allow_list = "boolean", steps = "table" }

local function check_lines(path, step)
  if type(step) ~= "table" or type(step.id) ~= "string" or type(step.lines) ~= "table" then
    refuse(path, "is damaged: a step of it is none")
  end
  for _, line in ipairs(step.lines) do
    if type(line) ~= "table" or type(line.sign) ~= "string" or type(line.text) ~= "string" then
      refuse(path, ("is damaged: what %s does is not told"):format(step.id))
    end
  end
end

local function check(path, kept)
  for name, wanted in pairs(FIELDS) do
    if type(kept[name]) ~= wanted then refuse(path, ("is damaged: it has no `%s`"):format(name)) end
  end
  if not kept.run:match "^[%l%d][%l%d_%-]*$" then refuse(path, "is damaged: it names no run") end
  for _, name in ipairs { "name", "path", "hash" } do
    if type(kept.recipe[name]) ~= "string" then refuse(path, "is damaged: it names no recipe") end
  end
  for _, step in ipairs(kept.steps) do check_lines(path, step) end
end

---@param path string
---@return pgorch.plan.Kept
function M.read(path)
  if not fs.exists(path) then refuse(path, "is not there") end
  if fs.stat(path).type ~= "file" then refuse(path, "is no file") end
  local ok, whole = pcall(json.decode, fs.read(path, LARGEST))
  if not ok then refuse(path, "is no plan, or not all of it: it cannot be read as JSON") end
  local kept = type(whole) == "table" and whole.pgorch_plan
  if type(kept) ~= "table" or math.type(kept.format) ~= "integer" then refuse(path, "is no plan of pgorch") end
  if kept.format > M.FORMAT then
    refuse(path, ("was made by pgorch %s, which is newer than this one (%s)"):format(tostring(kept.pgorch),
      native.version), "Use that version, or make the plan again with this one.")
  end
  check(path, kept)
  return kept
end

return M
