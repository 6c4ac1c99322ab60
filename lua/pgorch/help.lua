-- Help texts: of the program, of a command, of a recipe with every parameter.

local command    = require "pgorch.command"
local invocation = require "pgorch.invocation"
local loader     = require "pgorch.recipe.load"
local meaning    = require "pgorch.runner.meaning"
local params     = require "pgorch.recipe.params"
local values     = require "pgorch.recipe.values"

local help = {}

local function two_columns(rows)
  local width, list = 0, {}
  for _, row in ipairs(rows) do width = math.max(width, math.min(#row[1], 30)) end
  for i, row in ipairs(rows) do
    list[i] = ("  %s%s  %s"):format(row[1], (" "):rep(width - #row[1]), row[2]):gsub("%s+$", "")
  end
  return table.concat(list, "\n")
end

---What pgorch is, and how one begins.
---@return string
function help.introduction()
  return table.concat({
    "pgorch moves a managed PostgreSQL database to Heroku Postgres, step by step, with a script that you can read.\n",
    "  pgorch demo                                    see it done on this machine, on sample data",
    "  pgorch run vultr --instance LABEL --app NAME   do it",
    "  pgorch run vultr --help                        what can be chosen\n" }, "\n")
end

---@return string
function help.all()
  local rows = {}
  for _, name in ipairs(command.names()) do
    local typed = name:gsub("_", "-")
    local ok, found = pcall(command.find, typed) -- help is there even when a command is broken
    rows[#rows + 1] = { typed, ok and found.summary or "(cannot be loaded)" }
  end
  local statuses = {}
  for status, text in pairs(meaning.OF) do statuses[#statuses + 1] = { status, text } end
  table.sort(statuses, function(a, b) return a[1] < b[1] end)
  for i, row in ipairs(statuses) do statuses[i] = { ("%3d"):format(row[1]), row[2] } end
  return table.concat({ help.introduction(), "Commands:", two_columns(rows), "\nExit statuses:",
    two_columns(statuses), "" }, "\n")
end

-- Flags that a parameter of the recipe takes the place of are left out.
local function host_rows(recipe, flags)
  local rows = {}
  for _, each in ipairs(flags or invocation.FLAGS) do
    local name = (each.short and "-" .. each.short .. ", " or "") .. "--" .. each.name
    if not recipe or not recipe.params[(each.name:gsub("-", "_"))] then
      rows[#rows + 1] = { name .. (each.value and " " .. each.value or ""), each.help }
    end
  end
  return rows
end

---Each flag of a command, and what it does.
---@param flags table[]|nil   nil: those of all
---@return string[][]
function help.flag_rows(flags) return host_rows(nil, flags) end

---@param name string
---@param found table
---@return string
function help.command(name, found)
  local text = ("pgorch %s: %s\n\nusage: %s\n"):format(name, found.summary or "", found.usage or "pgorch " .. name)
  if not found.takes_flags then return text end
  local recipes = found.usage:find("RECIPE", 1, true)
    and ("\nRecipes: a file, or %s\n"):format(table.concat(loader.built_in(), ", ")) or ""
  return ("%s%s\nFlags of pgorch:\n%s\n"):format(text, recipes, two_columns(host_rows(nil, found.flags)))
end

local TYPE_WORDS = { string = "TEXT", path = "PATH", integer = "N", number = "N", duration = "26h", size = "2GB",
                     list = "A,B" }

local function show_default(spec)
  if spec.default_text then return spec.default_text end
  if spec.default == nil or spec.default == false or spec.default == "" then return nil end
  if type(spec.default) == "table" then return table.concat(spec.default, ",") end
  if spec.type == "duration" and spec.default > 0 then return values.show_duration(spec.default) end
  return tostring(spec.default)
end

---The flag of a parameter, and what it does.
---@param spec pgorch.Param
---@return string[]
function help.parameter_row(spec)
  local flag, text = params.flag(spec.name), spec.help or ""
  if spec.secret then flag = flag .. "-env VAR" elseif spec.type ~= "boolean" then
    flag = flag .. " " .. (spec.choices and table.concat(spec.choices, spec.type == "list" and "," or "|")
      or TYPE_WORDS[spec.type])
  end
  local more = {}
  if spec.required == true then more[#more + 1] = "required" end
  if type(spec.required) == "string" then more[#more + 1] = "needed " .. spec.required end
  for other, value in pairs(spec.required_when or {}) do
    more[#more + 1] = ("required with %s %s"):format(params.flag(other), tostring(value))
  end
  local default = show_default(spec)
  if default then more[#more + 1] = "default " .. default end
  if #spec.env > 0 then more[#more + 1] = "or " .. table.concat(spec.env, ", ") end
  if spec.secret then more[#more + 1] = ("also %s-file, -fd, -command"):format(params.flag(spec.name)) end
  return { flag, #more > 0 and ("%s (%s)"):format(text, table.concat(more, "; ")):gsub("^ ", "") or text }
end

-- By whoever leaves all others as they are.
local function is_needed(recipe, spec)
  for other, value in pairs(spec.required_when or {}) do
    if (recipe.params[other] or {}).default == value then return true end
  end
  return spec.required == true
end

local function examples(recipe, verb)
  if recipe.examples and verb == "run" then return table.concat(recipe.examples, "\n  ") end
  local words = { "pgorch " .. verb, recipe.folder and recipe.path or recipe.name }
  for _, spec in ipairs(params.sorted(recipe.params)) do
    if is_needed(recipe, spec) and not spec.secret then
      words[#words + 1] = params.flag(spec.name) .. " " .. spec.name:upper()
    end
  end
  return table.concat(words, " ")
end

---Help on a recipe; without one, on the flags that all have.
---@param recipe pgorch.Recipe|nil
---@param o? {verb: string, flags: table[]}   of another command than `run`
---@return string
function help.recipe(recipe, o)
  local verb, flags = o and o.verb or "run", o and o.flags
  local parts = {}
  if recipe then
    local rows = {}
    for i, spec in ipairs(params.sorted(recipe.params)) do rows[i] = help.parameter_row(spec) end
    parts = { ("%s: %s"):format(recipe.name, recipe.summary) }
    if recipe.article then parts[2] = recipe.article end
    parts[#parts + 1] = "\nParameters:\n" .. two_columns(rows)
  else
    parts[1] = ("pgorch %s RECIPE [--PARAMETER VALUE ...] [FLAGS]"):format(verb)
  end
  parts[#parts + 1] = "\nFlags of pgorch:\n" .. two_columns(host_rows(recipe, flags))
  if recipe then parts[#parts + 1] = "\nExample:\n  " .. examples(recipe, verb) end
  return table.concat(parts, "\n") .. "\n"
end

return help
