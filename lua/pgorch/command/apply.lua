-- pgorch apply FILE: runs exactly what `pgorch plan --out FILE` has shown, or stops before anything is touched if the
-- world is no longer as it was then.

local arguments  = require "pgorch.recipe.arguments"
local changes    = require "pgorch.runner.changes"
local checks     = require "pgorch.preflight.report"
local clock      = require "pgorch.clock"
local drift      = require "pgorch.plan.drift"
local fail       = require "pgorch.error"
local file       = require "pgorch.plan.file"
local history    = require "pgorch.plan.history"
local invocation = require "pgorch.invocation"
local notify     = require "pgorch.runner.notify"
local params     = require "pgorch.recipe.params"
local planning   = require "pgorch.plan"
local runner     = require "pgorch.runner"
local term       = require "pgorch.term"
local values     = require "pgorch.recipe.values"

local command = {
  takes_flags = true,
  summary = "run what a plan has shown, if the world is still so",
  usage = "pgorch apply FILE [--deadline TIME] [FLAGS]   FILE is a plan that `pgorch plan` kept",
  flags = {},
}

-- A plan says which run it is, and is done as it stands.
local NOT_FOR_A_PLAN = { ["run-id"] = true, only = true, ["accept-changes"] = true, ["lose-writes"] = true }
for _, each in ipairs(invocation.FLAGS) do
  if not NOT_FOR_A_PLAN[each.name] then command.flags[#command.flags + 1] = each end
end

local DAY = 86400

local function take_file(argv)
  local file_name = argv[1] and argv[1]:sub(1, 1) ~= "-" and argv[1]
    or arguments.parse(argv, arguments.flags({}, command.flags)).words[1]
  for i, word in ipairs(argv) do
    if word == file_name then return table.remove(argv, i) end
  end
  fail.raise("PGO-USAGE", "no plan is named: pgorch apply FILE")
end

-- What was planned is what is done: another recipe or other parameters are another plan.
local function refuse_changes(path, kept, o)
  local list = {}
  if o.recipe.hash ~= kept.recipe.hash then
    list[1] = ("recipe %s: its text changed (%s, was %s)"):format(kept.recipe.path, o.recipe.hash:sub(1, 12),
      kept.recipe.hash:sub(1, 12))
  end
  for name, value in pairs(o.given) do
    local is, was = changes.show(value), changes.show(kept.values[name])
    if is ~= was then
      list[#list + 1] = ("%s: %s, planned: %s"):format(params.flag(name), is, was)
    end
  end
  if #list == 0 then return end
  table.sort(list)
  fail.raise("PGO-CHANGED", ("%s was made with something else"):format(path), { detail = table.concat(list, "\n"),
    cure = ("Make another plan: pgorch plan %s ... --out %s --force"):format(kept.recipe.path, path) })
end

local function refuse_second(store, id)
  if not history.has_run(store, id) then return end
  fail.raise("PGO-USAGE", ("the plan was applied already: it is run %s"):format(id),
    { cure = ("`pgorch status %s` shows it, `pgorch resume %s` goes on with it."):format(id, id) })
end

local function warn_of_age(o, path, kept)
  local age = clock.time() - kept.made_at
  if age < DAY then return end
  o.display:emit("message", { text = ("%s is %s old"):format(path, values.show_duration(age)) })
end

-- The plan as it would be made now; nil when something stands in the way, which is shown.
local function made_again(o, kept)
  local plan = planning.make { recipe = o.recipe, params = o.params, run = kept.run, state = o.state,
    open_allow_list = kept.open_allow_list, say = function(text) o.display:emit("message", { text = text }) end }
  if plan.survey then return file.of(plan, o) end
  checks.write(plan.seen, { host = o.host, display = o.display, write = term.out })
end

local function compared(o, path, kept)
  o.display:emit("message", { text = "is the world still as it was planned for?" })
  local now = made_again(o, kept)
  if not now then return false end
  drift.refuse(path, kept, now)
  o.display:emit("message", { text = "it is: what was planned is done now" })
  return true
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local path = take_file(argv)
  local kept = file.read(path)
  local o = invocation.planned(argv, kept, command.flags)
  refuse_changes(path, kept, o)
  o.state = invocation.store_url(o.host)
  local store <close> = invocation.open_store(o.host)
  refuse_second(store, kept.run)
  warn_of_age(o, path, kept)
  if not planning.telling(o, compared, o, path, kept) then return 4 end
  o.store, o.planned, o.host["run-id"] = store, kept.steps, kept.run
  return notify.around(o, nil, function() return runner.start(o) end)
end

return command
