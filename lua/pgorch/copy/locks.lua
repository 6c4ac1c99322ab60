-- The source's tables stay what they are in the snapshot: its session holds them, because one that is truncated or
-- rewritten meanwhile looks empty there. Waits for no lock longer than a moment: whoever waits to have a table for
-- himself waits for that session, and all who come after him, readers too, would wait for the end of the copy.

local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"
local task   = require "pgorch.task"
local values = require "pgorch.recipe.values"

local locks = {}

local AT_ONCE = 500

-- --- who is in the way ---

local function who(session)
  if not session then return "another session" end
  if not session.pid then return "a prepared transaction" end
  return ("session %d (user %s, application %s, for %s)"):format(session.pid, session.username or "?",
    session.application or "?", session.age and values.show_duration(session.age) or "an unknown time")
end

-- Asked by a session of its own: that of the refusal stands in a transaction that has failed.
local function look(place, keys)
  local ok, session = pcall(function()
    local conn <close> = place:connect()
    return conn:row(source.sql "copy/in_the_way", json.encode(keys))
  end)
  if not ok and task.cancelled(session) then error(session, 0) end
  return ok and session or nil
end

---The error of a lock that did not come in time, with the table and whoever wants or has it for himself; any other
---error is given back as it is.
---@param err any
---@param place pgorch.Source
---@param keys string[]   quoted names of the tables that may be meant
---@return any err
function locks.explain(err, place, keys)
  if not fail.is(err, "PGO-PG-QUERY") or err.sqlstate ~= "55P03" then return err end
  local session = look(place, keys)
  local name = session and session.name or #keys == 1 and keys[1] or "a table of the source"
  return fail.new("PGO-DUMP-LOCK", ("%s cannot be read: %s %s it alone"):format(name, who(session),
    session and session.granted and "has" or "waits to have"), { cause = err, sqlstate = err.sqlstate })
end

-- --- the tables are held ---

local function lock(conn, place, keys)
  local names = {}
  for i, key in ipairs(keys) do names[i] = "only " .. key end
  local ok, err = pcall(conn.exec, conn, ("lock table %s in access share mode"):format(table.concat(names, ", ")))
  if not ok then error(locks.explain(err, place, keys), 0) end
end

-- pg_dump may have ended before the tables were held: what waited for it has had them then.
local function refuse_changed(conn, oids)
  local changed = conn:query(source.sql "copy/changed", "{" .. table.concat(oids, ",") .. "}")
  if #changed == 0 then return end
  local names = {}
  for i, row in ipairs(changed) do names[i] = row.name end
  fail.raise("PGO-COPY", ("%s was truncated, rewritten, renamed or dropped since the snapshot was taken: its rows of "
    .. "then may be gone"):format(names[1]), { detail = table.concat(names, "\n", 1, math.min(#names, 20)),
    cure = "See that nobody does this to tables of the source while they are copied; then resume." })
end

---Locks every table with rows to copy, until the session ends. Raises PGO-DUMP-LOCK when one is not to be had in time,
---PGO-COPY when one is no longer what it is in the snapshot.
---@param conn pgorch.Connection    in the snapshot
---@param place pgorch.Source
---@param entries pgorch.archive.Entry[]
function locks.hold(conn, place, entries)
  local keys, oids = {}, {}
  for _, entry in ipairs(entries) do
    if entry.desc == "TABLE DATA" then
      keys[#keys + 1], oids[#oids + 1] = pg.ident(entry.namespace, entry.tag), entry.oid
    end
  end
  for first = 1, #keys, AT_ONCE do
    lock(conn, place, table.move(keys, first, math.min(first + AT_ONCE - 1, #keys), 1, {}))
  end
  refuse_changed(conn, oids)
end

---Raises PGO-COPY when the session that holds the tables was lost: what was read since then may be of any moment.
---@param conn pgorch.Connection
function locks.expect_held(conn)
  local ok, err = pcall(conn.value, conn, "select 1")
  if ok then return end
  if task.cancelled(err) or not fail.is(err) then error(err, 0) end
  fail.raise("PGO-COPY", "the session that held the source's tables was lost while they were copied: " .. err.message,
    { detail = "a table that was truncated since then looked empty", cause = err, retryable = true,
      cure = "See why the source has ended it; then resume." })
end

return locks
