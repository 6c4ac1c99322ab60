-- DigitalOcean's API v2, as far as a migration needs it: managed PostgreSQL, its CA, backups and trusted sources; and
-- Spaces, whose keys come from the environment. Never creates a database.

local crypto   = require "pgorch.crypto"
local env      = require "pgorch.env"
local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local provider = require "pgorch.provider"
local s3       = require "pgorch.s3"

local function client(o)
  return provider.api {
    title = "DigitalOcean", token = o.token, env = { "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN" },
    base = o.api_url or env.get "DIGITALOCEAN_API_URL" or "https://api.digitalocean.com/v2",
    limits = { rate = 1.3, burst = 200 },                  -- 5000 in an hour, 250 in a minute
    secrets = { "password", "uri" }, page = { per_page = 100 },
    reason = function(body) return provider.text(body.message) end,
    next = function(page) return page.links and page.links.pages and page.links.pages.next end,    -- a URL
  }
end

local function list(api)
  local found = {}
  for _, raw in ipairs(api:pages("/databases", "databases")) do
    if raw.engine == "pg" then found[#found + 1] = { id = raw.id, label = raw.name } end
  end
  return found
end

local function database(api, wanted)
  local raw = api:get("/databases/" .. provider.choose("DigitalOcean", list(api), wanted).id).database
  local login, names = raw.connection or {}, {}
  if not login.password or #login.password == 0 then
    fail.raise("PGO-PROVIDER-TOKEN", ("the token may not see the password of %s"):format(raw.name),
      { cure = "The token needs the scope database:view_credentials." })
  end
  for i, each in ipairs(api:get(("/databases/%s/dbs"):format(raw.id)).dbs) do names[i] = each.name end
  local private = provider.text((raw.private_connection or {}).host)
  return {
    id = raw.id, label = raw.name, region = raw.region, host = login.host, hosts = { login.host, private },
    port = login.port, user = login.user, password = login.password, dbname = login.database, dbnames = names,
    ca_pem = crypto.unbase64(api:get(("/databases/%s/ca"):format(raw.id)).ca.certificate),
    major = math.tointeger(tonumber(raw.version)), status = raw.status, ready = raw.status == "online",
  }
end

-- A trusted source as an entry of a list: an address with its prefix, or "droplet:123", which is nobody's address.
local function entry_of(rule)
  if rule.type ~= "ip_addr" then return ("%s:%s"):format(rule.type, rule.value) end
  return rule.value:find("/", 1, true) and rule.value or rule.value .. "/32"
end

local function rules(api, id) return api:get(("/databases/%s/firewall"):format(id)).rules end

-- Rules that stay are given back as they came, with their uuid and description.
local function put_rules(api, id, entries)
  local known, new = {}, json.array {}
  for _, rule in ipairs(rules(api, id)) do known[entry_of(rule)] = rule end
  for i, entry in ipairs(entries) do
    new[i] = known[entry] or { type = "ip_addr", value = (entry:gsub("/32$", "")) }
  end
  api:put(("/databases/%s/firewall"):format(id), { rules = new })
end

local digitalocean = provider {
  name = "digitalocean", title = "DigitalOcean", hosts = { "api.digitalocean.com" },
  client = client, list = list, database = database, empty_allow_list = "open",
  allow_list = {
    get = function(api, id)
      local entries = {}
      for i, rule in ipairs(rules(api, id)) do entries[i] = entry_of(rule) end
      return entries
    end,
    put = put_rules,
  },
  latest_backup = function(api, id)
    local latest
    for _, each in ipairs(api:get(("/databases/%s/backups"):format(id)).backups) do
      if not latest or each.created_at > latest then latest = each.created_at end
    end
    return latest
  end,
  pools = function(api, id)
    local found = {}
    for i, pool in ipairs(api:get(("/databases/%s/pools"):format(id)).pools) do
      found[i] = { name = pool.name, database = pool.db }
    end
    return found
  end,
  destroy = function(api, id) api:delete("/databases/" .. id) end,
}

---A bucket of Spaces, with the keys in SPACES_ACCESS_KEY_ID and SPACES_SECRET_ACCESS_KEY; or of any other S3 storage,
---with those in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
---@param o {region: string|nil, endpoint: string|nil, bucket: string}
---@return pgorch.s3.Bucket
function digitalocean.spaces(o)
  local endpoint = o.endpoint or o.region and ("https://%s.digitaloceanspaces.com"):format(o.region)
  if not endpoint then fail.raise("PGO-PARAM", "--storage-region is missing: the region of the Space, such as nyc3") end
  local access, key = env.get "SPACES_ACCESS_KEY_ID", env.secret "SPACES_SECRET_ACCESS_KEY"
  if not access or not key then return s3.from_environment({ endpoint = endpoint }):bucket(o.bucket) end
  local storage = s3.client { endpoint = endpoint, region = "us-east-1", access_key = access, secret_key = key }
  return storage:bucket(o.bucket)
end

return digitalocean
