-- The record of runs and the folder of their files: whether they can be used, have room, and are closed to others.

local doctor = require "pgorch.doctor"
local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local homes  = require "pgorch.store.home"
local host   = require "pgorch.native.host"
local store  = require "pgorch.store"
local values = require "pgorch.recipe.values"

local TIGHT, FULL = 1 << 30, 64 << 20 -- bytes that are free

local function check_record(found, url, home)
  doctor.try(found, "the record of runs cannot be used", function()
    local opened <close> = store.find(url)
    if not opened then return found:note(("no record of runs at %s yet: the first run makes it"):format(home.name)) end
    found:pass(("record of runs: %s, runs in it: %d"):format(home.name, #opened:runs()))
  end)
end

-- The folder, or the one that it would be made in.
local function existing(path)
  while not fs.exists(path) do path = path:match "^(.+)/[^/]*$" or path:match "^/" or "." end
  return path
end

local function check_writable(found, folder)
  local ok, made = pcall(fs.mkdtemp, folder .. "/.pgorch-")
  if ok then return fs.remove(made) end
  found:fail("PGO-IO", ("no file can be made in %s"):format(folder), { detail = fail.wrap(made).message,
    cure = "Give this user the right to write there, or name another place with PGORCH_STATE or XDG_STATE_HOME." })
end

local function check_room(found, folder, what, cure)
  local free = fs.free_space(folder)
  local said = ("%s free in %s, %s"):format(values.show_size(free), folder, what)
  if free < FULL then return found:fail("PGO-IO", said, { cure = cure }) end
  if free < TIGHT then return found:warn(said, { cure = cure }) end
  found:pass(said)
end

-- Modes are written as in a shell: the last two digits are those of group and others. Only what is pgorch's own is to
-- be closed by chmod: a record may lie in a folder that is not, such as /tmp.
local function check_closed(found, path, cure)
  local stat = fs.stat(path)
  if not stat then return end
  local uid = host.user().uid
  if stat.uid ~= uid and uid ~= 0 then
    return found:fail("PGO-STORE", ("%s belongs to another user"):format(path),
      { cure = "Name a place of your own with PGORCH_STATE or XDG_STATE_HOME." })
  end
  if stat.mode % 100 == 0 then return end
  found:warn(("%s is open to other users (mode %04d)"):format(path, stat.mode), { cure = cure or
    "Let PGORCH_STATE name a file in a folder of your own (mode 0700): this one may be somebody else's, too." })
end

local function chmod(path) return ("chmod go= %s"):format(path) end

return function(found, o)
  local url = o.record or store.default_url()
  local home = doctor.try(found, nil, homes.of, url)
  if not home then return end
  check_record(found, url, home)
  local folder = existing(home.folder)
  check_writable(found, folder)
  check_room(found, folder, "for the record and the files of runs",
    "Make room, or name another place with PGORCH_STATE or XDG_STATE_HOME.")
  if folder == home.folder then
    check_closed(found, folder, folder == homes.state_folder() and chmod(folder) or nil)
  end
  if home.kind == "sqlite" then check_closed(found, home.place, chmod(home.place)) end
  check_room(found, existing(env.get "TMPDIR" or "/tmp"), "for temporary files",
    "Make room, or name another place with TMPDIR.")
end
