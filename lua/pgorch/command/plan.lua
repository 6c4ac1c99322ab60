-- pgorch plan RECIPE: what a run would do, and what it would cost and take. Changes nothing; with --out the plan is
-- kept in a file, for `pgorch apply`.

local fail       = require "pgorch.error"
local file       = require "pgorch.plan.file"
local help       = require "pgorch.help"
local history    = require "pgorch.plan.history"
local invocation = require "pgorch.invocation"
local planning   = require "pgorch.plan"
local report     = require "pgorch.plan.report"
local checks     = require "pgorch.preflight.report"
local store      = require "pgorch.store"
local term       = require "pgorch.term"

local OWN = {
  { name = "out", type = "string", value = "FILE", help = "keep the plan, for `pgorch apply FILE`" },
  { name = "force", type = "boolean", help = "--out may replace a file" },
  { name = "open-allow-list", type = "boolean",
    help = "put this machine on a closed allow list, and take it out again" },
  { name = "json", type = "boolean", help = "JSON Lines on standard output" },
  { name = "verbose", short = "v", type = "boolean", help = "every step, with what it is about to take" },
  { name = "quiet", short = "q", type = "boolean", help = "only how much there is to do" },
  { name = "no-color", type = "boolean", help = "no colour" },
  { name = "help", short = "h", type = "boolean", help = "this text" },
}
local SHARED = { ["run-id"] = true, ["state-env"] = true, ["state-file"] = true }

local command = {
  takes_flags = true,
  summary = "show what a run would create, change, destroy, cost and take, without doing it",
  usage = "pgorch plan RECIPE [--PARAMETER VALUE ...] [--out FILE] [FLAGS]   exit 10: there is something to do",
  flags = OWN,
}
for _, each in ipairs(invocation.FLAGS) do
  if SHARED[each.name] then table.insert(OWN, #OWN, each) end
end

-- The names in a plan are those of its run: there must be none of that id yet.
local function refuse_existing(url, id)
  local record <close> = id and store.find(url) or nil
  if not id or not history.has_run(record, id) then return end
  fail.raise("PGO-USAGE", ("there is a run %s already: `pgorch resume %s` goes on with it"):format(id, id))
end

local function run_id(host) return host["run-id"] or host.out and store.new_id() or nil end

local function make(o, url)
  return planning.make { recipe = o.recipe, params = o.params, run = run_id(o.host), state = url,
    open_allow_list = o.host["open-allow-list"], say = function(text) o.display:emit("message", { text = text }) end }
end

-- What `check` has no use for, and whether a value follows.
local NOT_CHECKED = { out = true, force = false, ["run-id"] = true, ["state-env"] = true, ["state-file"] = true }

-- As a shell takes it.
local function quoted(word) return word:find "[^%w_./=:,@-]" and "'" .. word:gsub("'", "'\\''") .. "'" or word end

-- What was typed, as words of `pgorch check`: it tells what a plan only counts.
local function check_line(argv)
  local words, is_value = { "pgorch check" }, false
  for _, word in ipairs(argv) do
    local name, equals = word:match "^%-%-([%w-]+)(=?)"
    local known = name and NOT_CHECKED[name]
    if is_value then
      is_value = false
    elseif known ~= nil then
      is_value = known and equals == ""
    else
      words[#words + 1] = quoted(word)
    end
  end
  return table.concat(words, " ")
end

---@param arguments string[]
---@return integer status
function command.run(arguments)
  local check = check_line(arguments)
  local o, recipe = invocation.new(arguments, command.flags)
  if not o then
    term.out(help.recipe(recipe, { verb = "plan", flags = command.flags }))
    return 0
  end
  local url = invocation.store_url(o.host)
  if o.host.out then file.refuse(o.host.out, o.host.force) end
  refuse_existing(url, o.host["run-id"])
  local plan = planning.telling(o, make, o, url)
  if not plan.survey then
    checks.write(plan.seen, { host = o.host, display = o.display, write = term.out })
    return 4
  end
  local status = plan.survey.changes + plan.survey.open > 0 and 10 or 0
  if o.host.out then file.write(o.host.out, file.of(plan, o)) end
  report.write(plan, { host = o.host, display = o.display, status = status, file = o.host.out, check = check })
  if o.host.out and not o.host.quiet and not o.host.json then
    term.err(("kept in %s, with run id %s: pgorch apply %s\n"):format(o.host.out, plan.run, o.host.out))
  end
  return status
end

return command
