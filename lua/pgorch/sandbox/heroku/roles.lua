-- Credentials beyond the default one, as real roles of the target cluster: they may connect to their database and see
-- what they are granted, no more. The cluster is shared, so a name that another database's role has gets a suffix.

local crypto = require "pgorch.crypto"
local pg     = require "pgorch.pg"

local roles = {}

---@param addon table
---@param name string
---@return table|nil credential {name, uuid, user, password, url}
function roles.find(addon, name)
  for _, each in ipairs(addon.credentials) do
    if each.name == name then return each end
  end
end

local function new_password()
  return "p" .. crypto.hex(crypto.random(32))
end

local function set_url(server, addon, credential)
  credential.url = server.target.cluster:url(credential.user, credential.password, addon.database.dbname)
end

--- Makes a credential.
---@return table credential
function roles.create(server, addon, name)
  local credential = { name = name, uuid = crypto.uuid(), user = name, password = new_password() }
  server.target:admin(nil, function(conn)
    local is_taken = conn:value("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name)
    if is_taken then credential.user = ("%s-%s"):format(name, crypto.hex(crypto.random(3))) end
    conn:exec(("CREATE ROLE %s LOGIN PASSWORD %s"):format(pg.ident(credential.user), pg.literal(credential.password)))
    conn:exec(("GRANT CONNECT ON DATABASE %s TO %s"):format(addon.database.dbname, pg.ident(credential.user)))
  end)
  set_url(server, addon, credential)
  table.insert(addon.credentials, credential)
  return credential
end

--- Gives a credential a new password: the old one stops working at once.
function roles.rotate(server, addon, credential)
  credential.password = new_password()
  server.target:admin(nil, function(conn)
    conn:exec(("ALTER ROLE %s PASSWORD %s"):format(pg.ident(credential.user), pg.literal(credential.password)))
  end)
  set_url(server, addon, credential)
end

--- Removes a credential. What it owned falls to the default one.
function roles.drop(server, addon, credential)
  server.target:admin(addon.database.dbname, function(conn)
    conn:exec(("REASSIGN OWNED BY %s TO %s"):format(pg.ident(credential.user), addon.database.user))
    conn:exec(("DROP OWNED BY %s"):format(pg.ident(credential.user)))
    conn:exec(("DROP ROLE %s"):format(pg.ident(credential.user)))
  end)
  for i, each in ipairs(addon.credentials) do
    if each == credential then table.remove(addon.credentials, i) break end
  end
end

--- Removes the roles of a database that is gone already.
function roles.drop_all(server, addon)
  server.target:admin(nil, function(conn)
    for _, each in ipairs(addon.credentials) do conn:exec(("DROP ROLE %s"):format(pg.ident(each.user))) end
  end)
  addon.credentials = {}
end

return roles
