-- pgorch help [COMMAND | RECIPE]: the commands, one of them, or a recipe with its parameters. The manual page for the
-- installation, and the words that a shell's completion asks for.

local arguments  = require "pgorch.recipe.arguments"
local completion = require "pgorch.completion"
local fail       = require "pgorch.error"
local help       = require "pgorch.help"
local loader     = require "pgorch.recipe.load"
local manual     = require "pgorch.manual"
local term       = require "pgorch.term"

local command = { summary = "explain pgorch, or a command", usage = "pgorch help [COMMAND | RECIPE] [--man]\n"
  .. "  --man   the whole manual page, for man(1): pgorch help --man | man -l -" }

command.flags = { { name = "man", type = "boolean" } }

local COMPLETE = "--complete" -- for a shell: `help --complete -- WORD...`

local function is_recipe(name)
  for _, each in ipairs(loader.built_in()) do
    if each == name then return true end
  end
  return name:find "%.lua$" ~= nil
end

local function complete(words)
  for _, each in ipairs(completion.of(table.move(words, 3, #words, 1, {}))) do term.out(each .. "\n") end
  return 0
end

local function text_of(name)
  if not name then return help.all() end
  local found = require("pgorch.command").find(name)
  if found then return help.command(name, found) end
  if is_recipe(name) then return help.recipe(loader.load(name)) end
  fail.raise("PGO-USAGE", ("there is no command `%s`"):format(name))
end

function command.run(words)
  if words[1] == COMPLETE then return complete(words) end
  local state = arguments.parse(words, arguments.flags({}, command.flags))
  if #state.problems > 0 then fail.raise("PGO-USAGE", state.problems[1], { cure = "usage: " .. command.usage }) end
  term.out(state.host.man and manual.page() or text_of(state.words[1]))
  return 0
end

return command
