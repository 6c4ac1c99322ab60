-- Which config vars of an app hold the source's address, and under which names the new database takes their place.
-- Reads only. The values are secrets; they are compared by the parts of the address, whoever the user in it is.

local pg = require "pgorch.pg"

local M = {}

-- Those that an attachment sets cannot be edited; only plain ones are looked at.
---@return table<string, any> vars, table<string, any> all
function M.plain(app)
  local all, plain = app:config(), {}
  for name, value in pairs(all) do plain[name] = value end
  for _, attachment in ipairs(app:attachments()) do
    for _, name in ipairs(attachment.config_vars or {}) do plain[name] = nil end
  end
  return plain, all
end

local function lower(host) return type(host) == "string" and host:lower():gsub("%.$", "") or host end

---Whether a value is an address of the source: postgres:// or postgresql://, or "host=... dbname=...".
---@param source pgorch.Source
---@param value any
---@return boolean
function M.is_source(source, value)
  local ok, dsn = pcall(pg.dsn, value)
  if not ok or not dsn.host or dsn.dbname ~= source.dbname or (dsn.port or 5432) ~= source.port then return false end
  for _, host in ipairs(source.hosts or { source.host }) do
    if lower(dsn.host) == lower(host) then return true end
  end
  return false
end

local function free(all, name)
  local wanted, n = name, 1
  while all[wanted] do
    n = n + 1
    wanted = ("%s_%d"):format(name, n)
  end
  return wanted
end

-- An attachment NAME sets NAME_URL. A var of another kind gets a copy of the address, and an attachment beside it.
local function attachment_for(all, name)
  if name:match "^%u[%u%d_]*_URL$" then return (name:gsub("_URL$", "")), false end
  local beside = name:upper():gsub("[^%u%d]", "_"):gsub("^_+", "")
  return all[beside .. "_URL"] and "PGORCH_" .. beside or beside, true
end

---@class pgorch.Holder
---@field name string         the config var
---@field old string          where its value is kept
---@field attachment string   what the new database is attached as
---@field copy boolean        no attachment can set that var: the address is copied into it

---@param app pgorch.heroku.App
---@param source pgorch.Source
---@return pgorch.Holder[]  by name
function M.holders(app, source)
  local plain, all = M.plain(app)
  local list = {}
  for name, value in pairs(plain) do
    if not name:match "^OLD_" and M.is_source(source, value) then
      local attachment, copy = attachment_for(all, name)
      list[#list + 1] = { name = name, old = free(all, "OLD_" .. name), attachment = attachment, copy = copy }
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

return M
