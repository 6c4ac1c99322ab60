-- Finds known secrets where none may be: in files, in text, on command lines and in environments of processes.
-- Looks for each in plain, percent-encoded, base64 (at any offset), JSON and SQL form. Changes nothing.

local crypto = require "pgorch.crypto"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local pg     = require "pgorch.pg"
local task   = require "pgorch.task"

local leaks = {}

local LARGEST = 1 << 28

local function percent(text, kept, format)
  return (text:gsub("[^" .. kept .. "]", function(c) return format:format(c:byte()) end))
end

-- What base64 makes of `text` inside a longer text depends on where it begins; the ends, which depend on the
-- neighbours, are left out.
local function base64_inside(text)
  local found = {}
  for shift = 0, 2 do
    local code = crypto.base64(("x"):rep(shift) .. text):gsub("=+$", "")
    local from, to = (shift * 8 + 5) // 6 + 1, (shift + #text) * 8 // 6
    found[#found + 1] = code:sub(from, to)
  end
  return found
end

---Every form in which a secret could be written down.
---@param secret string
---@return string[]
function leaks.forms(secret)
  local list = { secret, percent(secret, "%w%-._~", "%%%02X"), percent(secret, "%w%-._~", "%%%02x"),
    (percent(secret, "%w%-._~ ", "%%%02X"):gsub(" ", "+")), json.encode(secret):sub(2, -2),
    pg.literal(secret):match "^%s*E?'(.*)'$", (secret:gsub("\\", "\\\\"):gsub("'", "\\'")), crypto.hex(secret) }
  table.move(base64_inside(secret), 1, 3, #list + 1, list)
  local forms, seen = {}, {}
  for _, form in ipairs(list) do
    if not seen[form] then seen[form], forms[#forms + 1] = true, form end
  end
  return forms
end

---@param secrets table<string, string>  by name
---@return table[] watched  {name=, form=}
function leaks.watch(secrets)
  local watched = {}
  for name, secret in pairs(secrets) do
    for _, form in ipairs(leaks.forms(secret)) do watched[#watched + 1] = { name = name, form = form } end
  end
  return watched
end

---Names of the secrets that are in the text.
---@param watched table[]
---@param text string
---@param where string
---@param found string[]  gets "WHERE: NAME"
function leaks.in_text(watched, text, where, found)
  for _, each in ipairs(watched) do
    if text:find(each.form, 1, true) then
      found[#found + 1] = ("%s: %s, as %s"):format(where, each.name, each.form:sub(1, 12) .. "...")
    end
  end
end

---Every file below a folder, whatever it is called.
function leaks.in_folder(watched, dir, found)
  for _, name in ipairs(fs.list(dir)) do
    local path = dir .. "/" .. name
    local kind = fs.stat(path).type
    if kind == "directory" then
      leaks.in_folder(watched, path, found)
    elseif kind == "file" then
      leaks.in_text(watched, fs.read(path, LARGEST), path, found)
    end
  end
end

local function read(pid, name)
  local ok, text = pcall(fs.read, ("/proc/%s/%s"):format(pid, name), 1 << 20)
  return ok and text or ""
end

---Looks at all processes until it is cancelled. `seen` gets, for each process, what was on its command line and in its
---environment: pid -> {parent=, argv=, env=, program=}.
---@param seen table
function leaks.sample(seen)
  while true do
    for _, pid in ipairs(fs.list "/proc") do
      if pid:find "^%d+$" then
        local argv = read(pid, "cmdline")
        local parent = read(pid, "stat"):match "^%d+ %(.*%) %S (%d+)"
        if argv ~= "" then
          local key = pid .. " " .. argv                -- a program that became another one is two
          seen[key] = seen[key] or { pid = pid, parent = parent, argv = argv, program = argv:match "^[^%z]*" }
          local env = read(pid, "environ")
          if env ~= "" then seen[key].env = env end
        end
      end
    end
    task.sleep(0.005)
  end
end

---Whether a process descends from another.
function leaks.descends(seen, each, pid)
  local parents = {}
  for _, other in pairs(seen) do parents[other.pid] = other.parent end
  local at = each.pid
  while at and at ~= "0" do
    if parents[at] == tostring(pid) then return true end
    at = parents[at]
  end
  return false
end

return leaks
