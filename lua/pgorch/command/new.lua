-- pgorch new NAME: the files of a recipe for a provider of one's own, with a test that passes. They are those in
-- pgorch/new/, written for the provider Acme, under another name. Never writes over a file.

local fail     = require "pgorch.error"
local fs       = require "pgorch.fs"
local loader   = require "pgorch.recipe.load"
local resource = require "pgorch.resource"
local term     = require "pgorch.term"

local command = { summary = "write a recipe for a new provider, with a stand-in and a test that passes" }

command.usage = [[pgorch new NAME [--dir DIR]

NAME is the provider's: small letters, digits and _. The files go into DIR, by default a new folder NAME.
]]

command.flags = { { name = "dir", type = "path", value = "DIR" } }

local FILES = {
  { "recipe.lua", "NAME.lua", "the recipe" },
  { "provider.lua", "lua/NAME.lua", "the provider's API" },
  { "standin.lua", "standin/NAME.lua", "answers in its place in tests" },
  { "fixture.sql", "fixtures/NAME.sql", "the database that tests move" },
  { "test.lua", "NAME_test.lua", "the tests" },
  { "README.md", "README.md", "what to change first" },
}

-- Words that the files use for something else, those of Lua, and parts that every world of the sandbox has.
local TAKEN = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while recipe pg after provider http clock stand_in standin source world token api cluster request job left state cidrs
  app apps run resume rollback pgorch fault env dir target heroku s3 group seed server tls moves real renew asked
  lua faults reaper fault_lock kill_everywhere log table string fixtures close parts hosts vultr linode
  digitalocean describe it expect before skip sandbox test]]):gmatch "%S+" do
  TAKEN[word] = true
end

local function wrong(text, cure) fail.raise("PGO-USAGE", text, { cure = cure }) end

local function check_name(name)
  if not name:find "^%l[%l%d_]*$" or #name > 30 then
    wrong(("%s is no name for a provider"):format(name), "Small letters, digits and _, a letter first, at most 30.")
  end
  if TAKEN[name] or _G[name] ~= nil then
    wrong(("the name %s means something else in a recipe"):format(name), "Choose another name.")
  end
  for _, each in ipairs(loader.built_in()) do
    if each == name then
      wrong(("there is a recipe %s, built in"):format(name), "Choose another name, or inherit it: recipe.from.")
    end
  end
end

local function parse(arguments)
  local name, dir, i = nil, nil, 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "--dir" then
      i = i + 1
      dir = arguments[i] or wrong "--dir needs a value"
    elseif word:find "^%-%-dir=" then
      dir = word:sub(7)
    elseif word:find "^%-" or name then
      fail.raise("PGO-USAGE", ("pgorch new does not know %s"):format(word), { detail = command.usage })
    else
      name = word
    end
    i = i + 1
  end
  if not name then wrong("no provider is named", "`pgorch new NAME`") end
  check_name(name)
  return name, dir and (dir:gsub("(.)/+$", "%1")) or name
end

local function titled(name)
  return (name:gsub("_", " "):gsub("%f[%w]%l", string.upper))
end

local function renamed(text, name)
  local host = ("api.%s.example"):format((name:gsub("_", "-")))
  return (text:gsub("api%.acme%.example", "\0"):gsub("acme", name):gsub("Acme", titled(name)):gsub("ACME", name:upper())
    :gsub("%z", host))
end

-- A folder of several recipes has one README already.
local function place_of(file, dir, name)
  local path = ("%s/%s"):format(dir, (file[2]:gsub("NAME", name)))
  if file[2] == "README.md" and fs.exists(path) then return ("%s/%s.md"):format(dir, name) end
  return path
end

local function refuse_existing(places)
  local there = {}
  for _, path in ipairs(places) do
    if fs.exists(path) then there[#there + 1] = path end
  end
  if #there == 0 then return end
  wrong(("nothing is written over what is there: %s"):format(table.concat(there, ", ")),
    "Choose another name, another --dir, or move the files away.")
end

function command.run(arguments)
  local name, dir = parse(arguments)
  local places, width = {}, 0
  for i, file in ipairs(FILES) do
    places[i] = place_of(file, dir, name)
    width = math.max(width, #places[i])
  end
  refuse_existing(places)
  for i, file in ipairs(FILES) do
    fs.mkdir(places[i]:match "^(.*)/", { parents = true, mode = 0755 })
    fs.write(places[i], renamed(resource.read("pgorch/new/" .. file[1]), name), { mode = 0644 })
    term.out(("%s%s   %s\n"):format(places[i], (" "):rep(width - #places[i]), file[3]))
  end
  term.out(("\nNow: cd %s && pgorch test\n"):format(dir))
  return 0
end

return command
