-- Child processes: no shell, a session of their own, and none outlives pgorch. A program that fails raises
-- PGO-PROCESS with the last lines of its stderr. Secrets go by env or stdin, never on the command line.

local native = require "pgorch.native.process"
local task = require "pgorch.task"

local process = {}

---@class pgorch.process.Options
---@field [integer] string|number  the program (looked up in the child's PATH) and its arguments
---@field env? table<string, string|number|userdata|false>  added to the inherited ones; secrets are fine; false removes
---@field env_clear? boolean       inherit nothing (variables that hold secrets are never inherited)
---@field cwd? string
---@field user? string             become this user first (needs root); HOME, USER and LOGNAME are its own
---@field stdin? string|userdata   text, secret, bytes or a stream; nothing: empty. "stream" in spawn makes one
---@field stdout? string|userdata  "capture" (default), "null", "inherit", a stream; "stream" in spawn makes one
---@field stderr? string|userdata  the same
---@field limit? integer           bytes captured of each (1 MiB): the first of stdout, the last of stderr
---@field check? boolean           true: a failure raises, and ends the streams with the error
---@field timeout? number          seconds, then PGO-TIMEOUT
---@field death_signal? string     what it gets when pgorch dies: "KILL", or "TERM", "INT", ..., "none"
---@field terminal? boolean        stay in pgorch's session with its stdin, stdout, stderr

---@class pgorch.process.Result
---@field code integer     exit code; 128 + number when a signal ended it
---@field signal? string   "KILL", ...
---@field stdout string    what was captured
---@field stderr string
---@field tail? string     the last lines of stderr with secrets masked
---@field seconds number
---@field truncated boolean  a limit was reached, or something left behind kept a pipe open

---Runs a program to its end. Cancelled: SIGTERM to its group, SIGKILL after five seconds.
---Raises PGO-SPAWN, PGO-PROCESS (unless check = false), PGO-TIMEOUT.
---@param options pgorch.process.Options
---@return pgorch.process.Result
function process.run(options)
  return native.run(options)
end

---@class pgorch.Process
---@field pid integer
---@field stdin? userdata   streams, where "stream" was asked for
---@field stdout? userdata
---@field stderr? userdata
local Process = {}
Process.__index = Process
Process.__name = "pgorch.Process"

---Waits for the end. Raises nothing for an exit code: see `check`.
---@return pgorch.process.Result
function Process:wait()
  return self.native:wait()
end

---Waits for the end, and raises PGO-PROCESS if it was not a good one.
---@return pgorch.process.Result
function Process:check()
  local result = self.native:wait()
  self.native:check()
  return result
end

---Sends a signal ("TERM") to the whole group. False when the program had exited.
---@param signal? string
function Process:kill(signal)
  return self.native:kill(signal)
end

function Process:alive()
  return self.native:alive()
end

-- SIGTERM and five seconds, SIGKILL, two for pipes that something keeps open: ten are enough.
local CLOSE_LIMIT = 10

---Ends it (SIGTERM, then SIGKILL) and waits for that. Also on leaving the scope of `local p <close>`.
function Process:close()
  if self.closed then return end
  self.closed = true
  self.native:terminate()
  task.shield(CLOSE_LIMIT, self.native.wait, self.native)
end

function Process:__close()
  -- Why it failed is for whoever asked: closing only has to end it.
  pcall(self.close, self)
end

---Starts a program and returns once it runs. `local p <close> = process.spawn{...}`
---Raises PGO-SPAWN.
---@param options pgorch.process.Options
---@return pgorch.Process
function process.spawn(options)
  local handle, pid, stdin, stdout, stderr = native.spawn(options)
  return setmetatable({ native = handle, pid = pid, stdin = stdin, stdout = stdout, stderr = stderr }, Process)
end

---Children no longer inherit this variable of pgorch's own environment. `env.secret` does it for each name.
---@param name string
function process.hide(name)
  native.hide(name)
end

return process
