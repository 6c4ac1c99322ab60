-- Which instance of an account, and which database inside it, the user means. Whatever is not there is answered with
-- what is.

local fail = require "pgorch.error"

local choice = {}

local function listed(names, none)
  local all = { table.unpack(names) }
  table.sort(all)
  return #all > 0 and "there are: " .. table.concat(all, ", ") or none
end

---The item of that label or id.
---@param title string        "Vultr"
---@param items {id: any, label: string}[]
---@param wanted string|nil
---@return table item
function choice.instance(title, items, wanted)
  local labels, matches = {}, {}
  for _, item in ipairs(items) do
    labels[#labels + 1] = item.label
    if tostring(item.id) == wanted then return item end
    if item.label == wanted then matches[#matches + 1] = item end
  end
  if #matches > 1 then
    fail.raise("PGO-PROVIDER-INSTANCE", ("%d %s databases are labelled %s: name one by its id"):format(#matches, title,
      wanted))
  end
  if not matches[1] then
    fail.raise("PGO-PROVIDER-INSTANCE", wanted and ("there is no %s PostgreSQL database %s"):format(title, wanted)
      or ("no %s database was named (--instance)"):format(title),
      { detail = listed(labels, "the account has no PostgreSQL database"), absent = wanted ~= nil })
  end
  return matches[1]
end

---The database inside an instance. A connection pool of that name is none: a dump needs the server itself.
---@param label string
---@param names string[]          databases
---@param wanted string|nil       --dbname
---@param pools (fun(): {name: string, database: string}[])|nil
---@return string|nil dbname      nil: the instance lists none, and none was asked for
function choice.database(label, names, wanted, pools)
  if not wanted then
    if #names < 2 then return names[1] end
    fail.raise("PGO-PROVIDER-INSTANCE", ("%s holds several databases: choose one with --dbname"):format(label),
      { detail = listed(names) })
  end
  for _, name in ipairs(names) do
    if name == wanted then return name end
  end
  if #names == 0 then return wanted end
  for _, pool in ipairs(pools and pools() or {}) do
    if pool.name == wanted then
      fail.raise("PGO-PROVIDER-INSTANCE", ("%s is a connection pool of %s: name its database, --dbname %s"):format(
        wanted, label, pool.database))
    end
  end
  fail.raise("PGO-PROVIDER-INSTANCE", ("%s holds no database %s"):format(label, wanted), { detail = listed(names) })
end

return choice
