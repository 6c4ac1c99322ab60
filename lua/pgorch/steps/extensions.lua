-- Creates the source's extensions on the target, and remembers how the restore request has to name them: Heroku empties
-- the database before it restores, and makes those again.

local recipe    = require "pgorch.recipe"
local made      = require "pgorch.restore.extensions"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

-- Heroku makes what is named before the restore, as somebody else: a schema that it made for that would not be ours,
-- and what the archive wants to put there be refused. So only those in `public` are named; the archive brings the
-- others with their schemas. Heroku's list is in lower case.
local function can_be_named(extension)
  return extension.schema == "public" and extension.name:match "^[%l%d_-]+$" ~= nil
end

local function run(ctx)
  local wanted
  do
    local conn <close> = ctx.source:connect()
    wanted = conn:query(source.sql "extensions")
  end
  local conn <close> = ctx.target:connect()
  local names, missing, reasons, refused = {}, {}, {}, {}
  for i, each in ipairs(made.create(conn, wanted)) do
    missing[i], reasons[i], refused[each.name] = each.name, ("%s (%s)"):format(each.name, each.why), true
  end
  for _, extension in ipairs(wanted) do
    if not refused[extension.name] and can_be_named(extension) then names[#names + 1] = "public." .. extension.name end
  end
  table.sort(names)
  -- What could not be created is judged by the preflight of the target, which knows what Heroku offers.
  if #missing > 0 then ctx:warn("not created on the target: " .. table.concat(reasons, ", ")) end
  return { names = names, missing = missing, wanted = wanted }
end

-- What a database of ours has of its own, Heroku decides when it is made; in another one we can look.
local function lacking(ctx, wanted)
  if ctx.target:is_ours() then return wanted end
  local conn <close> = ctx.target:connect()
  local have, list = {}, {}
  for _, each in ipairs(conn:query(source.sql "extensions")) do have[each.name] = true end
  for _, each in ipairs(wanted) do
    if not have[each.name] then list[#list + 1] = each end
  end
  return list
end

local function plan(ctx)
  local wanted = ctx.result.preflight.extensions
  if #wanted == 0 then return "no extensions are needed" end
  local names = {}
  for i, each in ipairs(lacking(ctx, wanted)) do names[i] = each.name end
  if #names == 0 then return "the extensions are there" end
  return ("+ %s: %s"):format(preflight.number(#names, "extension"), table.concat(names, ", "))
end

return recipe.step {
  id = "extensions", title = "Install the extensions", effect = "write", run = run, undo = false,
  needs = { "preflight" },
  plan = plan, estimate = 5,
}
