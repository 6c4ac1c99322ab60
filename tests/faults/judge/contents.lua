-- What a database holds, as one text for each thing: the rows of each table, sequences, large objects, and the names of
-- what is made of SQL. Plain SQL of its own: nothing of what pgorch compares by is used. Reads as a superuser.

local pg = require "pgorch.pg"

local contents = {}

-- Row text must mean the same on both sides, whatever the databases' own settings are.
local SAME = [[set search_path = ''; set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'iso_8601';
  set extra_float_digits = 3; set bytea_output = 'hex'; set lc_monetary = 'C']]

-- Schemas of the user's; Heroku keeps two for itself.
local OURS = [[n.nspname !~ '^pg_' and n.nspname not in ('information_schema', '_heroku', 'heroku_ext')]]
local MEMBER = [[exists (select from pg_depend d where d.objid = %s and d.deptype = 'e')]]

local TABLES = ([[select format('%%I.%%I', n.nspname, c.relname) as name, c.relispopulated as filled,
    c.relpersistence = 'u' as unlogged
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and %s and not %s order by 1]]):format(OURS, MEMBER:format "c.oid")

local ROWS = [[select count(*) || ' rows ' ||
  coalesce(md5(string_agg(t::text, e'\n' order by t::text collate "C")), '') from only %s t]]

local SEQUENCES = [[select format('%I.%I', schemaname, sequencename) as name,
  coalesce(last_value::text, 'never') as value from pg_sequences order by 1]]

local LARGE_OBJECTS = [[select count(*) || ' ' ||
  coalesce(md5(string_agg(oid || md5(lo_get(oid)), ' ' order by oid)), '') from pg_largeobject_metadata]]

local NAMES = ([[select kind, string_agg(name, e'\n' order by name collate "C") as names from (
    select 'relations' as kind, format('%%s %%I.%%I', c.relkind, n.nspname, c.relname) as name, c.oid
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where %s and c.relkind <> 't'
    union all select 'constraints', format('%%s %%I.%%I %%s', o.contype, n.nspname, o.conname,
      o.convalidated), o.oid from pg_constraint o join pg_namespace n on n.oid = o.connamespace
      where %s and o.contype <> 'n'
    union all select 'routines', format('%%I.%%I(%%s)', n.nspname, p.proname,
      pg_get_function_identity_arguments(p.oid)), p.oid
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where %s
    union all select 'triggers', format('%%I %%s on %%I.%%I', t.tgname, t.tgenabled, n.nspname, c.relname), t.oid
      from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
      where %s and not t.tgisinternal
  ) as all_of_it where not %s group by 1]]):format(OURS, OURS, OURS, OURS, MEMBER:format "all_of_it.oid")

---@param conn table   of a superuser
---@return table<string, string>
---@return table<string, boolean> unlogged  the names of those that a crash of the server empties
function contents.read(conn)
  local found, unlogged = {}, {}
  conn:exec(SAME)
  for _, each in ipairs(conn:query(TABLES)) do
    unlogged["table " .. each.name] = each.unlogged or nil
    found["table " .. each.name] = each.filled and conn:value(ROWS:format(each.name)) or "not filled"
  end
  for _, each in ipairs(conn:query(SEQUENCES)) do found["sequence " .. each.name] = each.value end
  for _, each in ipairs(conn:query(NAMES)) do found["names of " .. each.kind] = each.names end
  found["large objects"] = conn:value(LARGE_OBJECTS)
  return found, unlogged
end

-- Which lines only one of two long texts has.
local function only_in(a, b)
  local has, list = {}, {}
  for line in b:gmatch "[^\n]+" do has[line] = true end
  for line in a:gmatch "[^\n]+" do
    if not has[line] then list[#list + 1] = line end
  end
  return table.concat(list, ", ", 1, math.min(#list, 5))
end

---@param a table<string, string>
---@param b table<string, string>
---@param names string[]  what they are of: "the source", "the new database"
---@param say fun(format: string, ...)
---@param except? table<string, boolean>  names that do not count
function contents.compare(a, b, names, say, except)
  except = except or {}
  for name, value in pairs(a) do
    local other = b[name]
    if except[name] then
      goto next
    elseif other == nil then
      say("%s: %s has none", name, names[2])
    elseif other ~= value and name:find "^names" then
      say("%s: only %s has [%s], only %s [%s]", name, names[1], only_in(value, other), names[2], only_in(other, value))
    elseif other ~= value then
      say("%s: %s in %s, %s in %s", name, value, names[1], other, names[2])
    end
    ::next::
  end
  for name in pairs(b) do
    if a[name] == nil and not except[name] then say("%s: only %s has it", name, names[2]) end
  end
end

---The settings of a database itself, without `except`.
---@param conn table
---@param dbname string
---@param except? string
---@return string
function contents.settings(conn, dbname, except)
  return conn:value(([[select coalesce(string_agg(one, ' ' order by one), '') from pg_database d
    join pg_db_role_setting s on s.setdatabase = d.oid and s.setrole = 0, unnest(s.setconfig) as one
    where d.datname = %s and one not like %s]]):format(pg.literal(dbname), pg.literal((except or "nothing") .. "=%")))
end

return contents
