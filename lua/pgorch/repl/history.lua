-- What was typed, kept for the next time: a line of the file for each line, 0600. What holds a secret, or looks like it
-- does, is not kept, and neither is what begins with a space.

local env    = require "pgorch.env"
local fs     = require "pgorch.fs"
local homes  = require "pgorch.store.home"
local secret = require "pgorch.secret"
local task   = require "pgorch.task"

local history = {}

local MOST, LARGEST = 1000, 4 << 20

-- A literal beside such a word may be one.
local WORDS = { "password", "passwd", "secret", "token", "bearer", "authorization", "api_?key", "access_?key",
                "credential" }

---Whether a text is left out.
---@param text string
---@return boolean
function history.is_secret(text)
  if secret.redact(text) ~= text then return true end
  if text:find "://[^%s/@\"']*:[^%s/@\"']*@" then return true end
  local lower = text:lower()
  if not lower:find "[\"']" and not lower:find("[[", 1, true) then return false end
  for _, word in ipairs(WORDS) do
    if lower:find(word) then return true end
  end
  return false
end

---@return string|nil  nil where there is no place for it
function history.path()
  if env.get "PGORCH_HISTORY" then return env.get "PGORCH_HISTORY" end
  local ok, folder = pcall(homes.state_folder)
  return ok and folder .. "/repl_history" or nil
end

---The last lines of the file, oldest first.
---@param path string|nil
---@return string[]
function history.read(path)
  local ok, text = pcall(fs.read, path or "", LARGEST)
  local lines = {}
  for line in (ok and text or ""):gmatch "[^\n]+" do lines[#lines + 1] = line end
  return table.move(lines, math.max(1, #lines - MOST + 1), #lines, 1, {})
end

local function append(path, lines)
  fs.mkdir(path:match "^(.*)/[^/]*$" or ".", { parents = true })
  fs.append(path, table.concat(lines, "\n") .. "\n", { mode = 600 })
end

---Keeps what was typed as one piece of code. A history that cannot be written is no reason to stop.
---@param path string|nil
---@param lines string[]
---@return string[] kept   none, if it is left out
function history.keep(path, lines)
  local text = table.concat(lines, "\n")
  if text:match "^%s" or not text:find "%S" or history.is_secret(text) then return {} end
  local ok, err = pcall(append, path or "", lines)
  if not ok and task.cancelled(err) then error(err, 0) end
  return lines
end

---Shortens the file to what is read of it.
---@param path string|nil
function history.shorten(path)
  local stat = path and fs.stat(path)
  if not stat or stat.size < LARGEST // 4 then return end
  fs.write(path, table.concat(history.read(path), "\n") .. "\n", { mode = 600 })
end

return history
