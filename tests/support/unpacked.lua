-- The programs of real object stores as `vendor/debian.sh servers` unpacked them, and how one of them is run: with its
-- own libraries, as an unprivileged user when this is root, in the foreground, dead as soon as the test is.
-- Owns nothing: who starts a daemon ends it.

local binaries = require "pgorch.sandbox.postgres.binaries"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local http     = require "pgorch.http"
local process  = require "pgorch.process"
local task     = require "pgorch.task"

local unpacked = {}

---@class support.Unpacked
---@field root string
---@field lib string                 the folder of libraries and plugins in it
---@field user string|nil            whom the servers run as; nil: as the test itself
---@field env table<string, string>

local function root()
  local build = host.executable():gsub("/[^/]+$", "") .. "/../deps/servers"
  for _, path in ipairs { "/var/cache/pgorch/servers", build, "build/deps/servers" } do
    if fs.exists(path .. "/complete") then return path end
  end
  error("the real object stores are not there: `vendor/debian.sh servers` (or `./bootstrap test`) unpacks them", 0)
end

---@return support.Unpacked
function unpacked.find()
  local found = { root = root(), user = binaries.find().user }
  for _, name in ipairs(fs.list(found.root .. "/usr/lib")) do
    if name:find "%-linux%-gnu$" then found.lib = ("%s/usr/lib/%s"):format(found.root, name) end
  end
  found.env = {
    PATH = ("%s/usr/bin:/usr/bin:/bin"):format(found.root), LD_LIBRARY_PATH = found.lib, LC_ALL = "C.UTF-8",
    PYTHONPATH = found.root .. "/usr/lib/python3/dist-packages", PYTHONDONTWRITEBYTECODE = "1", HOME = "/nonexistent",
  }
  return found
end

--- Gives a file or a folder to the servers' user.
---@param place support.Unpacked
---@param path string
---@return string path
function unpacked.give(place, path)
  if place.user then fs.chown(path, place.user) end
  return path
end

--- A folder that the servers may write to.
function unpacked.folder(place, path)
  fs.mkdir(path)
  return unpacked.give(place, path)
end

--- A file that only the servers' user can read.
function unpacked.file(place, path, text)
  fs.write(path, text, { sync = false })
  return unpacked.give(place, path)
end

local function options(place, arguments)
  local program = arguments[1]
  if not program:find "/" then program = ("%s/usr/bin/%s"):format(place.root, program) end
  local all = table.move(arguments, 2, #arguments, 2, { program })
  all.user, all.env, all.env_clear, all.cwd = place.user, place.env, true, "/"
  return all
end

--- Runs a program to its end, for `timeout` seconds at most (30): a Ceph tool that cannot reach its monitor, or
--- whose OSD is gone, would wait for ever.
---@param arguments table {PROGRAM, ARGUMENT..., timeout =}
function unpacked.run(place, arguments)
  local all = options(place, arguments)
  all.timeout = arguments.timeout or 30
  return process.run(all)
end

--- Starts a daemon. What it prints is kept for `unpacked.last_words`.
function unpacked.spawn(place, arguments)
  local all = options(place, arguments)
  all.check, all.limit, all.death_signal = false, 1 << 16, "KILL"
  return process.spawn(all)
end

--- What a daemon that has ended said.
function unpacked.last_words(daemon)
  daemon:close()
  local result = daemon:wait()
  return result.stdout .. result.stderr
end

--- Ends a daemon and waits until its process is gone.
function unpacked.stop(daemon)
  task.shield(30, function()
    if daemon:alive() then daemon:kill "TERM" end
    daemon:close()
  end)
end

--- Waits until `ready()` is true. Raises when the daemon ends before, or does not get there in time.
---@param daemon pgorch.Process
---@param what string
---@param seconds number
---@param ready fun(): boolean
function unpacked.wait_for(daemon, what, seconds, ready)
  local deadline = task.now() + seconds
  while true do
    local ok, answer = pcall(ready)
    if ok and answer then return end
    if not ok and task.cancelled(answer) then error(answer, 0) end
    if not daemon:alive() then error(("%s ended: %s"):format(what, unpacked.last_words(daemon)), 0) end
    if task.now() > deadline then error(("%s is not ready after %d s"):format(what, seconds), 0) end
    task.sleep(0.05)
  end
end

--- A port that is free now. Somebody may take it before the daemon does: a start is tried again.
function unpacked.free_port()
  local listener <close> = http.serve({ host = "127.0.0.1", port = 0 }, function() return { status = 503 } end)
  return listener.port
end

--- Does anything answer in HTTP there?
---@param url string
---@param ca_pem? string
---@return boolean
function unpacked.answers(url, ca_pem)
  return http.request({ method = "GET", url = url, ca_pem = ca_pem, check = false, timeout = 5 }).status > 0
end

--- The name of the user that this runs as.
---@return string
function unpacked.own_name() return (process.run({ "id", "-un" }).stdout:gsub("%s+$", "")) end

--- Runs `start()` up to three times: a port may have been taken meanwhile. `start` cleans up after itself.
---@generic T
---@param start fun(): T
---@return T
function unpacked.tried(start)
  local said
  for _ = 1, 3 do
    local ok, result = pcall(start)
    if ok then return result end
    if task.cancelled(result) then error(result, 0) end
    said = result
  end
  error(said, 0)
end

return unpacked
