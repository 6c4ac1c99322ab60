-- A made-up batch on record, for the tests of its pages: rows of every state, their runs as tests/support/records.lua
-- makes them, each later than the one before, and names that would break a page.

local json    = require "pgorch.json"
local records = require "support.records"
local store   = require "pgorch.store"

local M = {}

local RUN = { "id", "recipe", "recipe_path", "recipe_hash", "params", "versions", "state", "attempt", "exit_status",
              "error", "gate", "cut_over_at", "created_at", "updated_at", "kind" }
local STEP = { "run", "id", "title", "position", "attempt", "state", "item", "remembered", "result", "summary", "error",
               "started_at", "ended_at" }
local EVENT = { "run", "seq", "at", "kind", "data" }

local function insert(into, names, from)
  local places, statement = {}, { "", n = #names + 1 }
  for i, name in ipairs(names) do
    local value = from[name]
    places[i] = "$" .. i
    statement[i + 1] = type(value) == "table" and json.encode(value) or value
  end
  statement[1] = ("insert into %s (%s) values (%s)"):format(into, table.concat(names, ", "), table.concat(places, ", "))
  return statement
end

local TIMES = { "created_at", "updated_at", "cut_over_at", "started_at", "ended_at", "at" }

local function shifted(from, microseconds, more)
  local made = {}
  for name, value in pairs(from) do made[name] = value end
  for _, name in ipairs(TIMES) do made[name] = made[name] and made[name] + microseconds end
  for name, value in pairs(more) do made[name] = value end
  return made
end

local function params_of(id)
  return { values = { app = "acme-" .. id, instance = "shop-db" }, secrets = { token = { env = "VULTR_API_KEY" } },
           host = {} }
end

-- Puts a made-up run on record, so many seconds later than it was made up.
local function put(st, id, seen, later, state)
  local by, list = later * 1000000, {}
  list[1] = insert("run", RUN, shifted(seen.run, by, { id = id, params = params_of(id), state = state }))
  for _, step in ipairs(seen.list) do list[#list + 1] = insert("step", STEP, shifted(step, by, { run = id })) end
  for _, event in ipairs(seen.events) do list[#list + 1] = insert("event", EVENT, shifted(event, by, { run = id })) end
  st.db:batch(list)
  return seen.run.created_at + by, seen.run.updated_at + by
end

local UPDATE = "update batch_row set state = $3, run = $4, exit_status = $5, error = $6, started_at = $7, "
  .. "ended_at = $8, stands = $9, fence = 1 where batch = $1 and id = $2"

local function set(st, id, o)
  st.db:batch { { UPDATE, "night", id, o.state, o.run, o.exit_status, o.error and json.encode(o.error), o.from, o.to,
    o.stands and 1 or 0, n = 10 } }
end

-- What becomes of the rows, over and over.
local ENDS = {
  { state = "done", exit_status = 3, made = function() return records.moved() end },
  { state = "done", exit_status = 3, made = function() return records.moved { tables = 3 } end },
  { state = "done", exit_status = 3, made = function() return records.moved { tables = 30 } end },
}

-- These once each, from the third row on.
local SOME = {
  { state = "failed", exit_status = 1, made = records.attempts,
    error = { id = "PGO-RESTORE-LOSSY", message = "1 lossy line of 1812: no unique index " .. records.EVIL } },
  { state = "attention", exit_status = 11, stands = true, made = records.attempts, run_state = "undo_failed",
    error = { id = "PGO-VULTR", message = "the allow list could not be closed again: the service answered 500" } },
  { state = "refused", exit_status = 4, error = { id = "PGO-PREFLIGHT",
    message = "policy orders_own names role `report`, which will not exist" } },
  { state = "blocked", error = { id = "PGO-BATCH", message = "row-004 is failed" } },
  { state = "ready" },
}

local function ids_of(count)
  local ids = {}
  for i = 1, count do ids[i] = ("row-%03d"):format(i) end
  ids[2] = records.EVIL
  return ids
end

---@param url string
---@param count integer
---@return pgorch.Store
function M.new(url, count)
  local st, rows = store.open(url), {}
  for i, id in ipairs(ids_of(count)) do
    rows[i] = { id = id, recipe = "vultr", recipe_path = "/gone/recipe.lua", recipe_hash = ("ab"):rep(32), scopes = {},
      argv = { "--app=acme-" .. i }, labels = i % 2 == 0 and { "shops", "north" } or nil,
      group = i == 9 and "pair" or nil }
  end
  st:submit_batch { name = "night", options = { attempts = 3, limits = { jobs = 4 } }, rows = rows }
  for i, row in ipairs(rows) do
    local o = SOME[i - 3] or ENDS[i % #ENDS + 1]
    local made = { state = o.state, exit_status = o.exit_status, error = o.error, stands = o.stands }
    if o.made then
      made.run = ("%04x"):format(0x7000 + i)
      made.from, made.to = put(st, made.run, o.made(), i // 4 * 700 + i % 4 * 60, o.run_state)
    end
    set(st, row.id, made)
  end
  return st
end

return M
