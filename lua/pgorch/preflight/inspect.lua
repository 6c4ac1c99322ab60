-- All that can be known before a run: the checks of its steps `credentials`, `size`, `choose_plan`, `preflight`,
-- `backup_is_fresh` and `preflight_target`, told as one list of findings. Reads only, but for an entry on the source's
-- allow list that was asked for: that one is taken out again on every way out.

local fail         = require "pgorch.error"
local cut_over     = require "pgorch.preflight.cut_over"
local fs           = require "pgorch.fs"
local host         = require "pgorch.native.host"
local input        = require "pgorch.preflight.input"
local not_carried  = require "pgorch.preflight.not_carried"
local preflight    = require "pgorch.preflight"
local source       = require "pgorch.preflight.source"
local store        = require "pgorch.store"
local surroundings = require "pgorch.preflight.surroundings"
local target       = require "pgorch.preflight.target"
local task         = require "pgorch.task"

local M = {}

local UNDO_SECONDS = 120

---@class pgorch.preflight.Seen
---@field found pgorch.Findings
---@field inspection pgorch.Inspection
---@field facts table|nil      of the source; nil when it could not be looked into
---@field size table|nil       result of the step `size`
---@field target string|nil    name of the target that exists and was looked into
---@field sql string|nil       what makes again that which is left behind

-- What a step said becomes findings; its tables are left to the report. A step that could not tell is no pass.
local function tell(seen, id, result)
  local unknown = type(result) == "table" and result.unknown
  for _, each in ipairs(seen.inspection.said) do
    if each.id == id and each.kind == "note" and not unknown then seen.found:pass(each.text) end
    if each.id == id and (each.kind == "warn" or unknown) then seen.found:warn(each.text) end
  end
end

local function look(seen, id)
  local result = seen.found:try(seen.found.ask, seen.found, id, seen.inspection.look, seen.inspection, id)
  if id ~= "size" then tell(seen, id, result) end
  return result
end

local function take_out(step, ctx, row)
  local ok, why = pcall(task.shield, UNDO_SECONDS, step.undo, ctx, row.remembered or {})
  host.last_words(nil)
  if ok then return end
  fail.raise("PGO-UNDO", ("%s is still on the allow list"):format(row.remembered.cidr),
    { cause = why, cure = "Take it out in the provider's console." })
end

-- Lets this machine in with the recipe's own step while fn runs. Whatever happens, the entry is taken out again.
local function let_in(seen, cidr, say, fn)
  local step, row = seen.inspection:step "allow_list", {}
  seen.inspection.rows.allow_list = row
  local ctx = seen.inspection:context(step, row)
  host.last_words(("left at once. NOT put back: %s is on the source's allow list"):format(cidr))
  local _ <close> = setmetatable({}, { __close = function() take_out(step, ctx, row) end })
  say(("%s is put on the allow list; it takes some time until the database lets it in"):format(cidr))
  step.run(ctx)
  seen.found:pass(("allow list: %s is added, and taken out again"):format(cidr))
  fn()
end

local function refuse(seen, ctx, state)
  local what = ("the allow list of %s does not let %s in"):format(ctx.source.label, state.address)
  seen.found:fail("PGO-ALLOW-LIST", what, {
    fate = "nothing of the database could be looked at",
    cure = ("add %s to it, or pass --open-allow-list: then it is added, and taken out again"):format(state.cidr) })
end

local function look_into_source(seen, ctx, o)
  seen.facts = seen.found:try(source.check, ctx, seen.found)
  if not seen.facts or not seen.facts.name then
    seen.facts = nil
    return
  end
  if o.sql then
    local conn <close> = ctx.source:connect { settings = source.LIMITS }
    seen.sql = not_carried.sql(conn, seen.facts)
  end
end

-- The database named by --database, or the one that an earlier run has left.
local function look_at_target(seen, ctx, app)
  if not app then return end
  local there = seen.found:try(function() return ctx.target:attached() end)
  if not there and ctx.target:is_ours() then return end
  if seen.facts then
    if seen.found:try(target.check, ctx, seen.found) then seen.target = ctx.target:name() end
  else
    seen.found:try(target.check_empty, ctx, seen.found)
  end
end

---The folder in which a run would make its own, or the nearest one above that is there.
---@param url? string  of the record of runs
---@return string
function M.folder(url)
  local path = store.folder(url)
  repeat path = path:match "^(.+)/[^/]*$" or "/" until path == "/" or fs.exists(path)
  return path
end

local function check_disk(found) surroundings.disk(found, M.folder()) end

local function look_into_all(seen, ctx, may, o)
  seen.size = look(seen, "size")
  if seen.size and may.heroku and (may.app or not ctx.params.database) then look(seen, "choose_plan") end
  look_into_source(seen, ctx, o)
  if may.app and not may.config_vars then cut_over.check(ctx, seen.found) end
  if may.heroku then look_at_target(seen, ctx, may.app) end
end

-- What needs no look into the source; then whatever else the caller has to ask while this machine is let in.
local function rest(seen, ctx, o)
  if seen.found:try(function() return ctx.source end) then look(seen, "backup_is_fresh") end
  seen.found:try(check_disk, seen.found)
  if o.more then o.more(seen) end
end

local function with_source(seen, ctx, may, o)
  if not may.source and may.closed and o.open_allow_list and seen.inspection:step "allow_list" then
    local asked = false
    seen.found:try(let_in, seen, may.closed.cidr, o.say, function()
      asked = true
      if seen.found:try(input.login, seen.found, ctx.source) then look_into_all(seen, ctx, may, o) end
      rest(seen, ctx, o)
    end)
    if not asked then rest(seen, ctx, o) end
    return tell(seen, "allow_list")
  end
  if may.source then
    look_into_all(seen, ctx, may, o)
  else
    if may.closed then refuse(seen, ctx, may.closed) end
    if may.heroku then look_at_target(seen, ctx, may.app) end
  end
  rest(seen, ctx, o)
end

---@param of pgorch.Inspection
---@param o {open_allow_list?: boolean, sql?: boolean, say: fun(text: string), more?: fun(seen: pgorch.preflight.Seen)}
---@return pgorch.preflight.Seen
function M.all(of, o)
  local seen = { found = preflight.new(), inspection = of }
  local ctx = of:context()
  with_source(seen, ctx, input.check(ctx, seen.found), o)
  return seen
end

return M
