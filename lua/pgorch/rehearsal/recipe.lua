-- The recipe that a rehearsal runs, made out of the given one: the same steps in the same order under the same ids,
-- with a local target and storage. What would write elsewhere is left out, and listed. Builds tables; runs nothing.

local guard  = require "pgorch.rehearsal.guard"
local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"
local steps  = require "pgorch.rehearsal.steps"

local M = {}

-- Common steps whose effect is on the target and the storage alone: here both are local.
local LOCAL = { "app", "addon", "extensions", "bucket", "dump_to_store", "restore", "copy", "pull",
                "refresh_matviews", "reapply_settings", "analyze", "cut_over", "delete_dump" }

-- Common steps that a rehearsal does in another way: rehearsal/steps.lua has a function for each.
local OTHER = { "credentials", "allow_list", "choose_plan", "window_opens", "window_closes", "nothing_was_written",
                "verify", "presign" }

local LEFT_OUT = { watch_source = "nobody was moved away from the source" }

-- A step is known by what it runs: an option may have given it another id.
local function is_one_of(step, name) return require("pgorch.steps." .. name).run == step.run end

local function find(step, names)
  for _, name in ipairs(names) do
    if is_one_of(step, name) then return name end
  end
end

local function changed(step, fields)
  local copy = {}
  for field, value in pairs(step) do copy[field] = value end
  for field, value in pairs(fields) do copy[field] = value end
  return setmetatable(copy, getmetatable(step))
end

-- Nothing of it outlives the rehearsal, so nothing is undone, and the point of no return is none.
local function make_local(step)
  return changed(step, { title = step.title .. " (local)", undo = false, point_of_no_return = false })
end

-- The entry that --open-allow-list asks for is real, and so is its end: the step is the recipe's own.
local function other(step, name, how)
  if name == "allow_list" and how.open_allow_list then return step end
  local made = changed(step, steps[name](step, how))
  return made.effect == "read" and made or changed(made, { title = made.title .. " (of the local app)" })
end

-- The step as it is rehearsed; nil, and why it is not.
local function rehearsed(step, how)
  for name, why in pairs(LEFT_OUT) do
    if is_one_of(step, name) then return nil, why end
  end
  if step.rehearse == false then return nil, "the recipe says rehearse = false" end
  local name = find(step, OTHER)
  if name then return other(step, name, how) end
  if find(step, LOCAL) then return make_local(step) end
  if step.effect == "read" or step.rehearse then return step end
  return nil, "it writes, and the recipe does not say rehearse = true"
end

local function derive(list, how, left_out)
  local made = {}
  for _, item in ipairs(list) do
    if item.kind == "together" then
      local lists = {}
      for i, inner in ipairs(item.lists) do lists[i] = derive(inner, how, left_out) end
      made[#made + 1] = recipe.together(lists)
    elseif item.kind == "gate" then
      left_out[#left_out + 1] = { id = item.id, title = item.title, why = "nobody is asked" }
    elseif item.kind == "section" then
      made[#made + 1] = item
    else
      local step, why = rehearsed(item, how)
      if step then made[#made + 1] = step
      else left_out[#left_out + 1] = { id = item.id, title = item.title, why = why } end
    end
  end
  return made
end

-- Steps that need no local world: it is started after the last of them that stands in the recipe.
local BEFORE = { "credentials", "allow_list", "size", "choose_plan" }

local function insert_world(list, how)
  local at = 0
  for i, item in ipairs(list) do
    if item.kind == "step" then
      for _, name in ipairs(BEFORE) do
        if item.id == name then at = i end
      end
    end
  end
  table.insert(list, at + 1, recipe.step(steps.local_world(how)))
end

local function uses_of(base, how)
  local uses, params = {}, how.params
  for name, constructor in pairs(base.uses) do
    uses[name] = function(_, use)
      local made = constructor(params, use)
      return how.open_allow_list and made or guard.client(made)      -- the entry is put there by a PUT
    end
  end
  uses.source = function(_, use)
    return guard.source(base.uses.source(params, use), { allow_list = how.open_allow_list })
  end
  uses.real_target = function(_, use)
    local made = base.uses.target(params, use)
    guard.client(made.client)
    return made
  end
  uses.real_store = base.uses.store and function(_, use) return base.uses.store(params, use) end
  uses.target = function(p) return how.place:target(p.app) end
  uses.store = function(_, use) return how.place:bucket(use.run.id) end
  return uses
end

-- What means the real target, or runs in the real world.
local OF_THE_REAL = { "database", "version", "target_ca", "on_freeze", "on_thaw" }

---The parameters of the steps. Those of the real target are left to the constructors and steps that look at it.
---@param given table
---@return table
function M.params(given)
  local params = {}
  for name, value in pairs(given) do params[name] = value end
  for _, name in ipairs(OF_THE_REAL) do params[name] = nil end
  return params
end

---@param base pgorch.Recipe
---@param how {place: pgorch.rehearsal.Place, params: table, open_allow_list?: boolean}
---@return pgorch.Recipe
---@return {id: string, title: string, why: string}[] left_out
function M.derive(base, how)
  for _, name in ipairs { "source", "target" } do
    if not base.uses[name] then
      fail.raise("PGO-RECIPE", ("recipe %s: `uses` has no %s, so there is nothing to rehearse"):format(base.name, name))
    end
  end
  local made, left_out = changed(base, {}), {}
  made.steps = derive(base.steps, how, left_out)
  insert_world(made.steps, how)
  made.uses = uses_of(base, how)
  return made, left_out
end

---The recipe as the record of a rehearsal is read by: what its steps did was local, and stands no more.
---@param base pgorch.Recipe
---@return pgorch.Recipe
function M.recorded(base)
  return (M.derive(base, { place = {}, params = {}, open_allow_list = true }))
end

return M
