-- What the limits of a batch are counted by: the provider, the instance, the object storage, the accounts. All of it is
-- told by parameters and by where the secrets are said to be: two rows with one reference use one account.

local scopes = {}

---@class pgorch.batch.Scopes
---@field provider string              "vultr"
---@field instance string|nil          "vultr/demo", or where the source's URL is
---@field storage string|nil           nil: the data does not go through one
---@field account table<string, string>  {heroku = "env:HEROKU_API_KEY", vultr = "env:VULTR_API_KEY"}

-- "env:NAME"; of a parameter that is not given, the first variable that it is read from.
local function reference(recipe, params, name)
  local form, where = next(params.secrets[name] or {})
  if form then return form .. ":" .. where end
  local spec = recipe.params[name]
  return spec and spec.env[1] and "env:" .. spec.env[1] or nil
end

local function storage_of(recipe, values, account)
  if values.via == "direct" or values.via == "heroku" then return nil end
  if values.storage then return recipe.name .. "/" .. values.storage end
  return values.endpoint_url or account or values.bucket
end

---@param recipe pgorch.Recipe
---@param params {values: table, secrets: table}
---@return pgorch.batch.Scopes
function scopes.of(recipe, params)
  local values, account = params.values, reference(recipe, params, "token")
  local instance = values.instance and ("%s/%s"):format(recipe.name, values.instance)
    or reference(recipe, params, "source")
  return { provider = recipe.name, instance = instance, storage = storage_of(recipe, values, account),
           account = { heroku = reference(recipe, params, "heroku_api_key"), [recipe.name] = account } }
end

return scopes
