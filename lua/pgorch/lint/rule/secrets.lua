-- No secret in what a step returns or remembers: both are stored, and storing one raises after the work is done.

local names  = require "pgorch.lint.names"
local source = require "pgorch.lint.source"

-- Functions that give a secret, and fields that the library's own things keep one in.
local MAKERS = { ["pgorch.env.secret"] = true, ["pgorch.secret.new"] = true, ["pgorch.provider.secret"] = true,
                 ["pgorch.json.encode_secret"] = true }
local FIELDS = { password = true, secret_key = true, access_token = true, api_key = true }

-- Of operators only `..` passes a secret on; calls may make something else of it.
local function is_secret(it, node)
  local value = names.value(node)
  if not value then return false end
  if value.tag == "Call" then return MAKERS[names.path(value[1]) or ""] == true end
  if value.tag == "Op" then
    return value[1] == "concat" and (is_secret(it, value[2]) or is_secret(it, value[3]))
  end
  local field = names.field(value)
  if not field then return false end
  if it:is_params(value[1]) then
    local param = it.recipe and it.recipe.params[field]
    return param ~= nil and param.secret == true
  end
  return FIELDS[field] == true
end

local function check(it, node, where)
  if not node then return end
  local written = names.value(node)
  if written and written.tag == "Table" then
    for _, part in ipairs(written) do check(it, part.tag == "Pair" and part[2] or part, where) end
  elseif is_secret(it, node) then
    it:report(node, "secret", ("a secret in %s, which is stored: keep an id, and read the secret again where it "
      .. "is needed"):format(where))
  end
end

local function check_results(it, run)
  source.each(run[2], function(node)
    if node.tag == "Function" then return false end
    if node.tag == "Return" then check(it, node[1], "a step's result") end
  end)
end

return function(it)
  for _, step in ipairs(it.steps) do
    local run = names.fn(step.fields.run)
    if run then check_results(it, run) end
  end
  it.source:each("Invoke", function(call)
    if it:is_ctx(call[1]) and call[2][1] == "remember" then check(it, call[3], "what a step remembers") end
  end)
end
