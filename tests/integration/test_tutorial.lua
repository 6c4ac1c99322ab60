-- docs/tutorial.md, followed word for word: its commands are typed in a shell that begins in an empty folder, its
-- changes are applied, and what it shows is what is printed. In what is shown, a line `...` stands for any lines, and
-- ` ...` at the end of a line for the rest of it.

local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

---@return {kind: string, text: string}[] what stands between the fences, in order
local function blocks_of(path)
  local list, open = {}, nil
  for line in fs.read(path):gmatch "([^\n]*)\n" do
    local kind = line:match "^```(%a*)$"
    if not kind then
      if open then open.text = open.text .. line .. "\n" end
    elseif open then
      open = nil
    else
      open = { kind = kind, text = "" }
      list[#list + 1] = open
    end
  end
  return list
end

-- The commands of a block, each with the lines that it is to print.
local function commands_of(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do
    local typed = line:match "^%$ (.*)$"
    if typed then
      list[#list + 1] = { typed = typed, shown = {} }
    else
      table.insert(list[#list].shown, line)
    end
  end
  return list
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
  return list
end

local function is_same(shown, printed)
  local head = shown:match "^(.*) %.%.%.$"
  if head then return printed:sub(1, #head) == head end
  return shown == printed
end

-- Where `shown` from i on fits `printed` from j on; else how many lines did.
local function fits(shown, printed, i, j)
  while i <= #shown do
    if shown[i] == "..." then
      if i == #shown then return true end
      for k = j, #printed do
        if is_same(shown[i + 1], printed[k]) and fits(shown, printed, i + 1, k) then return true end
      end
      return false, i + 1
    end
    if not printed[j] or not is_same(shown[i], printed[j]) then return false, i end
    i, j = i + 1, j + 1
  end
  return j > #printed, i
end

-- One command, as the shell would run it that was there before.
local function type_in(shell, typed)
  local script = ('cd "%s" && { %s\n} && pwd >"%s"'):format(shell.folder, typed, shell.pwd)
  local path = host.executable():match "^(.*)/" .. ":" .. (env.get "PATH")
  local done = process.run { "sh", "-c", script, env = { PATH = path }, check = false }
  if fs.exists(shell.pwd) then shell.folder = fs.read(shell.pwd):match "[^\n]+" end
  return done.stdout .. done.stderr
end

local function follow(shell, block)
  for _, command in ipairs(commands_of(block.text)) do
    local said = type_in(shell, command.typed)
    local good, at = fits(command.shown, lines_of(said), 1, 1)
    if not good then
      error(("$ %s\nis not followed by: %s\n%s"):format(command.typed, command.shown[at] or "its end", said), 0)
    end
  end
end

describe("the tutorial", function()
  it("can be followed word for word", function()
    local blocks = blocks_of "docs/tutorial.md"
    expect(#blocks).above(12)
    fs.with_temporary("pgorch-tutorial-", function(dir)
      fs.mkdir(dir .. "/empty")
      local shell = { folder = dir .. "/empty", pwd = dir .. "/pwd" }
      for _, block in ipairs(blocks) do
        if block.kind == "diff" then
          process.run { "patch", "-s", "-p1", stdin = block.text, cwd = shell.folder }
        else
          expect(block.kind).is "console"
          follow(shell, block)
        end
      end
    end)
  end, { limit = 580 })
end)
