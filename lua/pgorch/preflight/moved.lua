-- An app that was moved already is not moved once more by mistake: what was written to its database since would not be
-- in the new one. Known by the record of runs, or, where that is another one, by the name of the add-on that a run
-- makes. Reads only.

local config_vars = require "pgorch.config_vars"
local fail        = require "pgorch.error"
local target      = require "pgorch.target"

local M = {}

-- What the app reads an add-on as; the name that is to be taken before all others.
local function in_use_as(attachments, addon, wanted)
  local name
  for _, each in ipairs(attachments) do
    if each.addon.name == addon and not target.is_idle(each.name) and name ~= wanted then name = each.name end
  end
  return name
end

-- By the record: what the app reads under this name is from any run, or what it reads under another one is this source,
-- moved.
local function by_record(ctx, source, attachments)
  local wanted = ctx.target.as
  for _, row in ipairs(ctx:in_other_runs "cut_over") do
    local did = row.state == "done" and row.app == ctx.target.app.name and row.result or {}
    local as = did.addon and in_use_as(attachments, did.addon, wanted)
    if as and (as == wanted or did.source == source:identity()) then
      return { addon = did.addon, as = as, run = row.run }
    end
  end
end

local function by_name(attachments, wanted)
  for _, each in ipairs(attachments) do
    if each.name == wanted and target.is_made_by_a_run(each.addon.name) then
      return { addon = each.addon.name, as = each.name }
    end
  end
end

-- Where config vars hold the source's address, they are what is replaced. The target itself may be one that is in use:
-- that it is overwritten was confirmed then.
local function find(ctx, source, own)
  local app = ctx.target.app
  if #config_vars.holders(app, source) > 0 then return nil end
  local attachments = app:attachments()
  local found = by_record(ctx, source, attachments) or by_name(attachments, ctx.target.as)
  return found and found.addon ~= own and found or nil
end

local function words(ctx, found)
  return ("%s was moved already%s: it uses %s as %s"):format(ctx.target.app.name,
    found.run and " by run " .. found.run or "", found.addon, found.as)
end

local FATE = "what was written to it since would not be in the new one"

local function cure(ctx, found)
  return ("nothing is left to do, unless %s and what was written to it may be given up for the source as it is now: "
    .. "--again"):format(ctx.target.app.name .. "'s " .. found.as)
end

---@param ctx pgorch.Context
---@param found pgorch.Findings
---@param source pgorch.Source
function M.check(ctx, found, source)
  local named = not ctx.target:is_ours() and ctx.target:attached()
  local moved = find(ctx, source, named and named.addon.name)
  if not moved then return end
  if ctx.params.again then
    return found:warn(("%s of %s is replaced, with what was written to it since"):format(moved.addon,
      ctx.target.app.name), { detail = moved.run and "made by run " .. moved.run or nil })
  end
  found:fail("PGO-MOVED", words(ctx, moved), { fate = FATE, cure = cure(ctx, moved) })
end

---The same just before the cut-over: another run may have come first.
---@param ctx pgorch.Context
---@param own string   the add-on that is cut over to
function M.refuse(ctx, own)
  local moved = not ctx.params.again and find(ctx, ctx.source, own)
  if moved then fail.raise("PGO-MOVED", words(ctx, moved), { detail = FATE, cure = cure(ctx, moved) }) end
end

return M
