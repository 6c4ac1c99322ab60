-- The help texts and the manual page: every command with all its flags, every recipe with all its parameters, every
-- variable that is read. What is written of a flag, and what the command takes, are the same.

local command = require "pgorch.command"
local fs      = require "pgorch.fs"
local help    = require "pgorch.help"
local host    = require "pgorch.native.host"
local loader  = require "pgorch.recipe.load"
local manual  = require "pgorch.manual"
local params  = require "pgorch.recipe.params"
local process = require "pgorch.process"
local resource = require "pgorch.resource"

-- Takes all flags of another one, and says so.
local SAME_AS = { demo = "sandbox" }

local function each_command(fn)
  for _, name in ipairs(command.names()) do
    local typed = name:gsub("_", "-")
    fn(typed, command.find(typed))
  end
end

-- A command may speak of a move's parameters.
local function flags_of_moves()
  local known = {}
  for name in pairs(params.standard()) do known[params.flag(name):sub(3)] = true end
  return known
end

local function has_flag(text, flag)
  local long = text:find("%-%-" .. flag.name:gsub("%-", "%%-") .. "%f[^%w%-]")
  return long or flag.short and text:find("%-" .. flag.short .. "%f[^%w%-]") or flag.name == "help"
end

describe("the help of a command", function()
  it("names each flag that it takes, and no other", function()
    local wrong = {}
    each_command(function(name, found)
      local text, known = help.command(name, found), flags_of_moves()
      for _, flag in ipairs(not SAME_AS[name] and found.flags or {}) do
        known[flag.name] = true
        if not has_flag(text, flag) then wrong[#wrong + 1] = ("%s is silent on --%s"):format(name, flag.name) end
      end
      for said in text:gmatch "%-%-(%l[%l%d%-]+)" do
        if not known[said] and not known[said:match "^no%-(.+)$"] then
          wrong[#wrong + 1] = ("%s speaks of --%s"):format(name, said)
        end
      end
    end)
    expect(table.concat(wrong, "\n")).is ""
  end)

  it("says what it is for, and how it is called", function()
    each_command(function(name, found)
      expect(found.summary).is_true()
      expect(found.usage).has("pgorch " .. name)
    end)
  end)
end)

-- The page without roff's escapes.
local function page() return (manual.page():gsub("\\%-", "-"):gsub("\\&", ""):gsub("\\e", "\\")) end

-- The part of the page below a heading, up to the next one.
local function part(kind, title)
  local text = page()
  local _, from = text:find(("\n.%s %s\n"):format(kind, title), 1, true)
  if not from then return "" end
  local to = text:find("\n%.S[HS] ", from) or #text
  return text:sub(from, to)
end

describe("the manual page", function()
  it("has every command with its summary and all its flags", function()
    each_command(function(name, found)
      local text = part("SS", "pgorch " .. name)
      expect(text).has(found.summary)
      for _, flag in ipairs(not SAME_AS[name] and found.flags or {}) do
        expect(has_flag(text, flag) and flag.name).is(flag.name)
      end
    end)
  end)

  it("has every recipe with all its parameters", function()
    local common = part("SS", "Parameters of all of them")
    for _, name in ipairs(loader.built_in()) do
      local text = part("SS", name)
      for _, spec in pairs(loader.load(name).params) do
        expect(text .. common).has(params.flag(spec.name))
      end
    end
  end)

  it("has every exit status", function()
    local text = part("SH", "EXIT STATUS")
    for status, said in pairs(require("pgorch.runner.meaning").OF) do
      expect(text).has((".B %d\n%s\n"):format(status, said))
    end
  end)

  it("has every variable that the library reads", function()
    local text, count = part("SH", "ENVIRONMENT"), 0
    for _, path in ipairs(resource.list "pgorch/") do
      if path:match "%.lua$" then
        for name in resource.read(path):gmatch 'env%.%l+[ (]*"([%u%d_]+)"' do
          count = count + 1
          local own = name:match "^PGORCH_SANDBOX_"             -- between the sandbox and its tests
          if not own then expect(text).matches("%f[%w_]" .. name .. "%f[^%w_]") end
        end
      end
    end
    expect(count).above(30)
  end)

  it("is what man shows without a complaint", function()
    if not pcall(process.run, { "man", "--version" }) then skip "there is no man" end
    fs.with_temporary("pgorch-manual-", function(dir)
      fs.write(dir .. "/pgorch.1", process.run({ host.executable(), "help", "--man" }).stdout)
      local shown = process.run { "man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", dir .. "/pgorch.1",
        env = { MANROFFSEQ = "", MANPAGER = "cat", MANWIDTH = "100", LC_ALL = "C.UTF-8" }, limit = 4 << 20 }
      expect(shown.stderr).is ""
      local text = shown.stdout:gsub(".\b", ""):gsub("\27%[[%d;]*m", "")
      expect(text).matches "\nNAME\n +pgorch %- move managed PostgreSQL databases"
      expect(text).has "--no-analyze"
      expect(text).has "pgorch destroy-source"
    end)
  end)

  it("does not depend on where or when it is made", function()
    expect(manual.page()).is(manual.page())
    expect(manual.page()).lacks(host.cwd())
  end)
end)
