-- What is needed around the two databases: room for this machine's files, and a store that Heroku can fetch from.

local env  = require "pgorch.env"
local fs   = require "pgorch.fs"
local poll = require "pgorch.poll"

local values = require "pgorch.recipe.values"

local M = {}

local LOG_SPACE = 64 * 2 ^ 20

---@param found pgorch.Findings
---@param dir string   where a run keeps its files: logs, settings; the dump is no file, but for M.spool
function M.disk(found, dir)
  local free = fs.free_space(dir)
  if free < LOG_SPACE then
    return found:fail("PGO-IO", ("only %d bytes are free in %s"):format(free, dir),
      { fate = "the logs of the run could not be kept", cure = "Make room, or name another place with PGORCH_STATE." })
  end
  found:pass "room for the files of a run"
end

---Whether the dump can go into a file first. How small it will be is an estimate: half of it must be free.
---@param found pgorch.Findings
---@param dir string     of --spool
---@param bytes integer  about how large the dump will be
function M.spool(found, dir, bytes)
  local ok, made = pcall(fs.mkdtemp, dir .. "/pgorch-spool-")
  if not ok then
    return found:fail("PGO-IO", ("--spool %s: no file can be made there"):format(dir), { detail = made.message,
      fate = "the dump could not be written", cure = "Name a folder that this user may write to." })
  end
  fs.remove(made)
  local free = fs.free_space(dir)
  local said = ("%s free in %s, the dump will have about %s"):format(values.show_size(free), dir,
    values.show_size(bytes))
  if free < bytes // 2 then
    return found:fail("PGO-IO", said, { fate = "the disk would be full before the dump ends",
      cure = "Make room, name another folder, or go without --spool: then no file is needed." })
  end
  if free < bytes * 3 // 2 then
    return found:warn(said, { fate = "the disk may be full before the dump ends",
      cure = "make room, or go without --spool: then no file is needed" })
  end
  found:pass("room for the dump: " .. said)
end

local PRIVATE = { "^10%.", "^192%.168%.", "^172%.1[6-9]%.", "^172%.2%d%.", "^172%.3[01]%.", "^169%.254%.",
                  "^%[?f[cd]%x%x:", "^%[?fe80:" }

local function is_private(host)
  for _, pattern in ipairs(PRIVATE) do
    if host:find(pattern) then return true end
  end
  return poll.is_loopback(host) or host:find("%.internal$") ~= nil or host:find("%.local$") ~= nil
end

---Whether Heroku itself could fetch the dump. The sandbox's Heroku is this machine, and reaches all that we reach.
---@param found pgorch.Findings
---@param host string     of the object storage, with or without a port
---@param o? {heroku?: string, bundle?: string}   HEROKU_HOST and AWS_CA_BUNDLE, as they are set
function M.store(found, host, o)
  o = o or { heroku = env.get "HEROKU_HOST", bundle = env.get "AWS_CA_BUNDLE" }
  if o.heroku and poll.is_loopback(o.heroku) then return end
  if is_private(host:gsub(":%d+$", "")) then
    return found:fail("PGO-URL", ("Heroku cannot fetch a dump from %s: it is no public address"):format(host),
      { fate = "the restore would fail at once", cure = "Use an object storage that the internet can reach." })
  end
  if o.bundle then
    return found:warn(("%s is trusted by AWS_CA_BUNDLE on this machine"):format(host),
      { fate = "if its certificate is of no public authority, Heroku refuses to fetch the dump from it",
        cure = "unset AWS_CA_BUNDLE and check again: a public certificate needs none" })
  end
  found:pass "Heroku can reach the object storage"
end

return M
