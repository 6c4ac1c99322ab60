-- pgorch prune --older-than 90d: forgets runs that are over and long unchanged, with their events and their files. Only
-- what the record knows of them goes; what a run left at Heroku or a provider is the business of `pgorch cleanup`.

local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local invocation = require "pgorch.invocation"
local meaning    = require "pgorch.runner.meaning"
local moment     = require "pgorch.report.moment"
local owner      = require "pgorch.runner.owner"
local store      = require "pgorch.store"
local term       = require "pgorch.term"
local values     = require "pgorch.recipe.values"

local OLDER = { name = "older-than", type = "duration", value = "AGE", help = "of the last change: 90d" }
local DRY = { name = "dry-run", type = "boolean", help = "only say what would go" }

local command = {
  takes_flags = true,
  summary = "forget runs that are over",
  usage = "pgorch prune --older-than 90d [--dry-run]     runs that moved or were put back, with their events and files",
  flags = invocation.with_record { OLDER, DRY },
}

local function was_cleaned(st, run)
  for _, event in ipairs(st:events(run.id)) do
    if event.kind == "cleaned" and event.data.left == 0 then return true end
  end
  return false
end

local function line(st, run)
  return ("%s  %s  %s%s  unchanged for %s%s"):format(run.id, meaning.of_state(run.state), run.recipe,
    run.params.values.app and "  " .. run.params.values.app or "",
    values.show_duration((store.now() - run.updated_at) / 1e6),
    was_cleaned(st, run) and "" or ("  (`pgorch cleanup %s` was never asked to remove what it left)"):format(run.id))
end

-- Files first: a run that is still in the record is found again by the next prune.
local function forget(st, run)
  local ok, mine = pcall(owner.take, st, run)
  if not ok and not fail.is(mine, "PGO-LOCKED") then error(mine, 0) end
  if not ok or not mine then return false end
  fs.remove_tree(st:run_dir(run.id))
  mine:forget_run(run.id)
  return true
end

function command.run(arguments)
  local word, host = invocation.simple(arguments, command.flags, command.usage)
  if word then fail.raise("PGO-USAGE", ("prune takes no run (%s)"):format(word), { cure = command.usage }) end
  local age = host["older-than"]
  if not age then fail.raise("PGO-USAGE", "--older-than says how long a run must be over", { cure = command.usage }) end
  local st <close> = invocation.find_store(host)
  local gone = 0
  for _, run in ipairs(st:over_since(store.now() - math.floor(age * 1e6))) do
    local text = line(st, run)
    local done = host["dry-run"] or forget(st, run)
    if done then gone = gone + 1 end
    term.out(("%s%s\n"):format(done and "" or "taken up meanwhile, kept: ", text))
  end
  local kept = #st:runs() - (host["dry-run"] and gone or 0)
  term.out(("%s %s; %s kept in %s\n"):format(moment.number(gone, "run"),
    host["dry-run"] and "would be forgotten" or "forgotten", moment.number(kept, "run"), st.path))
  return 0
end

return command
