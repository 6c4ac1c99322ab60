---@meta pgorch.native.process
-- What host/lua/process.c provides. Scripts use pgorch.process, whose options these are.

local process = {}

---@param options pgorch.process.Options
---@return pgorch.process.Result
function process.run(options) end

---@param options pgorch.process.Options
---@return pgorch.native.Process process, integer pid, userdata? stdin, userdata? stdout, userdata? stderr
function process.spawn(options) end

---Children no longer inherit this variable.
---@param name string
function process.hide(name) end

---@class pgorch.native.Process
local Process = {}

---Waits for the exit and the end of the pipes. A cancelled wait leaves the process running.
---@return pgorch.process.Result
function Process:wait() end

---Raises PGO-PROCESS unless it ended well.
function Process:check() end

---@param signal? string "TERM"
---@return boolean sent
function Process:kill(signal) end

---SIGTERM to the group now, SIGKILL after five seconds.
function Process:terminate() end

---@return boolean
function Process:alive() end

return process
