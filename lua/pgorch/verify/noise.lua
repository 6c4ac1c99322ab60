-- Differences between a source and a database at Heroku that mean nothing: the list, as data, each with its reason.
-- What is ignored is returned and reported, never dropped silently. A missing table or index is never noise.

local M = {}

---@class pgorch.Noise
---@field kind string     Lua pattern of the object's kind, or of several
---@field name string     Lua pattern of its name
---@field only? "source"|"target"   ignored only where it is on this side and not on the other
---@field why string

---@type pgorch.Noise[]
M.LIST = {
  { kind = "^schema$", name = "^public$", only = "target", why = "every new database has this schema" },
  { kind = "^schema$", name = "^heroku_ext$", only = "target", why = "a schema of Heroku's own" },
  { kind = "^schema$", name = "^_heroku$", only = "target", why = "a schema of Heroku's own" },
  { kind = "", name = "^heroku_ext%.", only = "target", why = "in a schema of Heroku's own" },
  { kind = "", name = "^_heroku%.", only = "target", why = "in a schema of Heroku's own" },
  { kind = "^extension$", name = "^pg_stat_statements$", why = "Heroku has installed it in each database" },
  { kind = "^extension$", name = "^plpgsql$", why = "every database has it" },
  { kind = "^extension$", name = "^aiven_extras$", only = "source", why = "a helper of the provider's" },
  { kind = "^schema$", name = "^_aiven$", only = "source", why = "a helper of the provider's" },
  { kind = "^schema$", name = "^aiven_extras$", only = "source", why = "a helper of the provider's" },
  { kind = "", name = "^_aiven%.", only = "source", why = "a helper of the provider's" },
  { kind = "", name = "^aiven_extras%.", only = "source", why = "a helper of the provider's" },
  { kind = "^[%a ]*view$", name = "%.pg_stat_statements$", why = "figures of one server about itself" },
  { kind = "^[%a ]*view$", name = "%.pg_stat_statements_info$", why = "figures of one server about itself" },
  { kind = "^column$", name = "%.pg_stat_statements%.", why = "figures of one server about itself" },
  { kind = "^column$", name = "%.pg_stat_statements_info%.", why = "figures of one server about itself" },
  { kind = "^comment$", name = "^extension ", why = "extensions belong to Heroku; only its owner may comment on one" },
  { kind = "^comment$", name = "^schema public$", why = "the schema public belongs to Heroku" },
}

---Why this difference means nothing; nil where it means something.
---@param kind string
---@param name string
---@param only "source"|"target"|nil   the side that has it, nil when both do
---@return string|nil why
function M.reason(kind, name, only)
  for _, noise in ipairs(M.LIST) do
    if (not noise.only or noise.only == only) and kind:find(noise.kind) and name:find(noise.name) then
      return noise.why
    end
  end
end

---A name as objects have it, quoted only where it must be, of one that is quoted throughout.
---@param key string  `"shop"."Orders"`
---@return string     `shop."Orders"`
function M.plain(key)
  local whole = key:gsub('""', "\0"):gsub('"([^"]*)"', function(part)
    return part:find "^[%l_][%l%d_]*$" and part or nil
  end)
  return (whole:gsub("\0", '""'))
end

---Why this difference of a table, sequence or column means nothing that only one side has.
---@param key string   quoted throughout
---@param mine any     nil where the source lacks it
---@param theirs any   nil where the target does
---@return string|nil why
function M.reason_of_key(kind, key, mine, theirs)
  if (mine == nil) == (theirs == nil) then return nil end
  return M.reason(kind, M.plain(key), theirs == nil and "source" or "target")
end

---Why an extension that both have, but not alike, is alike enough: its version is what the server offers, and the
---preflight has warned of it. Nil where its schema is another, which breaks names.
---@param kind string
---@param a any  its definition on the source
---@param b any  on the target
---@return string|nil why
function M.version_only(kind, a, b)
  if kind ~= "extension" or type(a) ~= "string" or type(b) ~= "string" then return nil end
  if a:match "^(.*), version" ~= b:match "^(.*), version" then return nil end
  return "another version of it, as the server offers it"
end

return M
