-- What became of the source's extensions in the target: Heroku makes them again, in the version that its server has.
-- Only reads.

local source = require "pgorch.source"

local extensions = {}

---@class pgorch.restore.Extension
---@field name string
---@field schema string
---@field version string

local function by_name(list)
  local map = {}
  for _, each in ipairs(list) do map[each.name] = each end
  return map
end

---Other versions are told, for a person to read what is new in them; a missing one or another schema needs a look.
---@param wanted pgorch.restore.Extension[]  of the source
---@param have pgorch.restore.Extension[]    of the target
---@return string[] notes
---@return string[] warnings
function extensions.compare(wanted, have)
  local notes, warnings, there = {}, {}, by_name(have)
  for _, each in ipairs(wanted) do
    local found = there[each.name]
    if not found then
      warnings[#warnings + 1] = ("extension %s is not in the target"):format(each.name)
    else
      if found.version ~= each.version then
        notes[#notes + 1] = ("extension %s is %s on the source, %s on the target"):format(each.name, each.version,
          found.version)
      end
      if found.schema ~= each.schema then
        warnings[#warnings + 1] = ("extension %s is in schema %s on the source, in %s on the target"):format(each.name,
          each.schema, found.schema)
      end
    end
  end
  return notes, warnings
end

---Reads the target's and tells what differs.
---@param ctx pgorch.Context
---@param wanted pgorch.restore.Extension[]
---@return pgorch.restore.Extension[] have
function extensions.tell(ctx, wanted)
  local conn <close> = ctx.target:connect()
  local have = conn:query(source.sql "extensions")
  local notes, warnings = extensions.compare(wanted, have)
  for _, text in ipairs(notes) do ctx:note(text) end
  for _, text in ipairs(warnings) do ctx:warn(text) end
  return have
end

return extensions
