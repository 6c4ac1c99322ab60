-- The source's extensions in the target: made there, each in the version that its server has; and what became of them
-- after a restore, in which Heroku makes them again.

local pg       = require "pgorch.pg"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

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

local function create(conn, extension)
  if extension.schema ~= "public" then conn:exec("create schema if not exists " .. pg.ident(extension.schema)) end
  conn:exec(("create extension if not exists %s schema %s"):format(pg.ident(extension.name),
    pg.ident(extension.schema)))
end

---Creates those that are not there.
---@param conn table
---@param wanted pgorch.restore.Extension[]
---@return {name: string, why: string}[] refused
function extensions.create(conn, wanted)
  local refused = {}
  for _, each in ipairs(wanted) do
    local _, why = snapshot.attempt(conn, create, conn, each)
    if why then refused[#refused + 1] = { name = each.name, why = why } end
  end
  return refused
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
