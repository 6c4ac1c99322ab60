-- The true size, as psql's \l+ shows it: the provider's console figure also counts system files, and overstates.

local recipe = require "pgorch.recipe"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"
local values = require "pgorch.recipe.values"

local function table_list(conn)
  local list = {}
  for i, t in ipairs(conn:query(source.sql "tables")) do
    list[i] = { key = pg.ident(t.schema, t.name), schema = t.schema, name = t.name, bytes = t.bytes,
                index_bytes = t.index_bytes, estimate = t.estimate }
  end
  return list
end

local function run(ctx)
  local conn <close> = ctx.source:connect()
  local facts = conn:row(source.sql "database")
  local large = conn:row(source.sql "large_object_count")
  local tables = table_list(conn)
  local console = ctx.source.console_bytes and ctx.source.console_bytes() or nil
  local rows = {}
  for i = 1, math.min(5, #tables) do
    rows[i] = { tables[i].key, values.show_size(tables[i].bytes + tables[i].index_bytes),
                tostring(tables[i].estimate) }
  end
  ctx:table { title = "Largest tables", columns = { "table", "size", "rows (estimate)" }, rows = rows }
  ctx:note(("%s: PostgreSQL %s, %s%s"):format(ctx.source:name(), facts.version, values.show_size(facts.bytes),
    console and (" (the console says %s)"):format(values.show_size(console)) or ""))
  return { name = ctx.source:name(), bytes = facts.bytes, console_bytes = console, tables = tables,
           owner = facts.owner, version = facts.version,
           encoding = facts.encoding, collate = facts.collate, ctype = facts.ctype, major = facts.major,
           large_objects = large.count, large_object_bytes = large.bytes, source = ctx.source:identity() }
end

return recipe.step { id = "size", title = "Measure the database", effect = "read", run = run }
