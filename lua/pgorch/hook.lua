-- Commands of the user's, run by sh -c: when the window opens and closes, and the acceptance tests.
-- They get addresses in their environment, never in their arguments.

local fail    = require "pgorch.error"
local process = require "pgorch.process"

local M = {}

---Runs the command if one was given. A failure is an error of `id` with the command's last words.
---@param command string|nil
---@param o {id: string, what: string, env?: table}
---@return {seconds: number, stdout: string}|nil
function M.run(command, o)
  if not command or command == "" then return nil end
  local done = process.run { "/bin/sh", "-c", command, env = o.env, check = false }
  if done.code == 0 then return { seconds = done.seconds, stdout = done.stdout } end
  local words = (done.stderr or "") .. (done.stdout or "")
  fail.raise(o.id, ("%s: `%s` ended with %s"):format(o.what, command,
    done.signal and "signal " .. tostring(done.signal) or "status " .. tostring(done.code)),
    { detail = words:sub(-2000), status = done.code })
end

return M
