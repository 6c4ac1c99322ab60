-- Ceph RGW for the benchmark, by `pgorch eval` in the repository's root: starts what the tests start
-- (tests/support/ceph.lua), prints a line of JSON with its address and keys, and lasts until it is ended.
-- pgorch eval looks for no files: what lies in tests/support is given to `require` here.

local fs   = require "pgorch.fs"
local json = require "pgorch.json"
local task = require "pgorch.task"
local term = require "pgorch.term"

local DAY = 86400

for _, name in ipairs { "unpacked", "ceph" } do
  local path = ("tests/support/%s.lua"):format(name)
  package.preload["support." .. name] = assert(load(fs.read(path), "@" .. path, "t"))
end

local rgw <close> = require("support.ceph").start { memory = "8G" }
term.out(json.encode { url = rgw.url, key = rgw.access_key, secret = rgw.secret_key } .. "\n")
task.sleep(DAY)
