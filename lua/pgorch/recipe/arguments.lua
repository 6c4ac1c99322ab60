-- From a command line to parameters: flags, environment, defaults, each value parsed and checked.
-- Collects everything that is wrong and never stops at the first problem. Reads no secret: that is recipe/secrets.lua.

local env    = require "pgorch.env"
local params = require "pgorch.recipe.params"
local values = require "pgorch.recipe.values"

local arguments = {}

local SECRET_FORMS = { env = "VAR", file = "PATH", fd = "NUMBER", command = "CMD" }

---@class pgorch.Flag
---@field name string       without the dashes
---@field kind "value"|"switch"|"secret"|"refused"
---@field param pgorch.Param|nil
---@field set fun(given: table, text: string|boolean)

local function add_secret_flags(flags, param, base)
  flags[base] = { name = base, kind = "refused", param = param }
  for form in pairs(SECRET_FORMS) do
    local name = base .. "-" .. form
    flags[name] = { name = name, kind = "value", param = param, secret = form, type = "string" }
  end
end

---Every flag by its name: those of the recipe and those of the host.
---@param specs table<string, pgorch.Param>
---@param host table[]|nil  {name, type = "boolean"|"string"|..., short?}
---@return table<string, pgorch.Flag>
function arguments.flags(specs, host)
  local flags = {}
  for name, param in pairs(specs) do
    local flag = params.flag(name):sub(3)
    if param.secret then
      add_secret_flags(flags, param, flag)
    else
      local kind = param.type == "boolean" and "switch" or "value"
      flags[flag] = { name = flag, kind = kind, param = param, type = param.type }
    end
  end
  for _, each in ipairs(host or {}) do
    flags[each.name] = { name = each.name, kind = each.type == "boolean" and "switch" or "value", host = each,
                         type = each.type }
    if each.short then flags[each.short] = flags[each.name] end
  end
  return flags
end

local function unknown(word, flags, state)
  local names = {}
  for name, flag in pairs(flags) do
    if #name > 1 and flag.kind ~= "refused" then names[#names + 1] = name end
  end
  table.sort(names)
  local meant = values.closest((word:gsub("^%-+", "")), names)
  state.problems[#state.problems + 1] = ("unknown flag %s%s"):format(word,
    meant and (", did you mean --%s?"):format(meant) or "")
  local param = meant and flags[meant].param
  if param then state.bad[param.name] = true end -- a name that is misspelt is not missing as well
end

local function store_value(state, flag, text, shown)
  if flag.secret then
    state.secrets[flag.param.name] = { [flag.secret] = text }
    return
  end
  local value, why = values.parse(flag.type, text)
  if value == nil then
    state.problems[#state.problems + 1] = ("%s: %s"):format(text == "" and shown or ("%s %s"):format(shown, text), why)
    if flag.param then state.bad[flag.param.name] = true end
    return
  end
  local into, key = state.host, flag.name
  if flag.param then into, key = state.given, flag.param.name end
  if flag.type == "list" and type(into[key]) == "table" then
    table.move(value, 1, #value, #into[key] + 1, into[key])
  else
    into[key] = value
  end
end

-- What follows a flag that is not known is most likely its value.
local function taken(text, argv, at)
  return (text or not argv[at + 1] or argv[at + 1]:sub(1, 1) == "-") and 1 or 2
end

-- One word that begins with a dash. Returns how many words it took.
local function take_flag(state, flags, argv, at)
  local word = argv[at]
  local name, text = word:match("^%-%-?([^=]+)=(.*)$")
  name = name or word:match("^%-%-?(.+)$")
  local single = word:sub(1, 2) ~= "--"
  local flag = flags[name]
  if flag and single ~= (#name == 1) and not (flag.param and not single) then flag = nil end
  local off = not flag and name:match("^no%-(.+)$")
  if off and flags[off] and flags[off].kind == "switch" then
    store_value(state, flags[off], false, word)
  elseif not flag then
    unknown(word:match("^[^=]+"), flags, state)
    return taken(text, argv, at)
  elseif flag.kind == "refused" then
    state.problems[#state.problems + 1] = ("--%s: a secret is never given on the command line, use --%s-env VAR, "
      .. "--%s-file PATH, --%s-fd NUMBER or --%s-command CMD"):format(name, name, name, name, name)
    state.bad[flag.param.name] = true
    return taken(text, argv, at)
  elseif flag.kind == "switch" then
    store_value(state, flag, text or true, "--" .. name)
  elseif text then
    store_value(state, flag, text, "--" .. name)
  elseif argv[at + 1] == nil or argv[at + 1]:match("^%-%-%a") then
    state.problems[#state.problems + 1] = ("%s needs a value"):format(word)
    if flag.param then state.bad[flag.param.name] = true end
  else
    store_value(state, flag, argv[at + 1], word)
    return 2
  end
  return 1
end

---Splits a command line. Nothing raises: what is wrong is in `problems`.
---@param argv string[]
---@param flags table<string, pgorch.Flag>
---@return {given: table, secrets: table, host: table, words: string[], problems: string[], bad: table}
function arguments.parse(argv, flags)
  local state = { given = {}, secrets = {}, host = {}, words = {}, problems = {}, bad = {} }
  local at = 1
  while at <= #argv do
    local word = argv[at]
    if word == "--" then
      table.move(argv, at + 1, #argv, #state.words + 1, state.words)
      break
    elseif word:match("^%-.") then
      at = at + take_flag(state, flags, argv, at)
    else
      state.words[#state.words + 1] = word
      at = at + 1
    end
  end
  return state
end

-- What a parameter is called where it is given: a flag of a command line, or a name in a file.
local function written(param, state) return state.written and param.name or params.flag(param.name) end

---What the environment says of a parameter: its value, or where a secret is; nil when it says nothing.
---@param param pgorch.Param
---@param state table  what is wrong is added to its problems
---@return any
function arguments.from_environment(param, state)
  for _, name in ipairs(param.env) do
    local text = env.get(name)
    if text then
      if param.secret then return { env = name } end
      local value, why = values.parse(param.type, text)
      if value ~= nil then return value end
      state.problems[#state.problems + 1] = ("%s (for %s): %s %s"):format(name, written(param, state), text, why)
      state.bad[param.name] = true
    end
  end
end

local function how_to_give(param, state)
  if state.written then return param.secret and param.name .. "_env" or param.name end
  return params.flag(param.name) .. (param.secret and "-env VAR" or " VALUE")
end

local function missing(param, state)
  local ways = how_to_give(param, state)
  if #param.env > 0 then ways = ways .. ", or " .. table.concat(param.env, ", ") .. " in the environment" end
  state.problems[#state.problems + 1] = ("%s is missing%s: %s"):format(written(param, state),
    param.help and " (" .. param.help .. ")" or "", ways)
end

local function why_wrong(param, value)
  if param.choices then
    for _, item in ipairs(type(value) == "table" and value or { value }) do
      local found = false
      for _, choice in ipairs(param.choices) do found = found or choice == item end
      if not found then return ("`%s` is not one of: %s"):format(tostring(item), table.concat(param.choices, ", ")) end
    end
  end
  if param.pattern and not tostring(value):match(param.pattern) then
    return ("`%s` does not match the pattern %s"):format(tostring(value), param.pattern)
  end
  if param.check then
    local ok, good, why = pcall(param.check, value)
    if not ok or not good then return tostring(why or (not ok and good) or "it is not accepted") end
  end
end

-- Known only when all have their values.
local function missing_for_others(specs, resolved, state)
  for _, param in ipairs(params.sorted(specs)) do
    for other, value in pairs(param.required_when or {}) do
      if resolved[other] == value and resolved[param.name] == nil and not state.bad[param.name] then
        missing(param, state)
      end
    end
  end
end

---Fills in environment and defaults, and checks every value. Adds to state.problems.
---@param specs table<string, pgorch.Param>
---@param state table  what arguments.parse gave; `written` = true: the names stand in a file, and are no flags
---@return table values         by name
---@return table secrets        name -> {env=|file=|fd=|command=}
function arguments.resolve(specs, state)
  local resolved, secrets = {}, {}
  for _, param in ipairs(params.sorted(specs)) do
    local name = param.name
    local value = (param.secret and state.secrets or state.given)[name]
    if value == nil and not state.bad[name] then value = arguments.from_environment(param, state) end
    if value == nil and param.default ~= nil then value = param.default end
    if value == nil then
      if param.required == true and not state.bad[name] then missing(param, state) end
    elseif param.secret then
      secrets[name] = value
    else
      local why = why_wrong(param, value)
      if why then state.problems[#state.problems + 1] = ("%s: %s"):format(written(param, state), why) end
      resolved[name] = value
    end
  end
  missing_for_others(specs, resolved, state)
  return resolved, secrets
end

return arguments
