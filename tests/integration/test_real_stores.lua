-- The real object stores that other tests are run against: they start, twice at once too, check what they should, speak
-- TLS by their own authority, and leave no process behind, even after kill -9.

local ceph    = require "support.ceph"
local folder  = require "pgorch.sandbox.folder"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local s3      = require "pgorch.s3"
local secret  = require "pgorch.secret"
local swift   = require "support.swift"
local task    = require "pgorch.task"

local LIMIT = { limit = 120 }

local function client_of(store, o)
  return s3.client { endpoint = o and o.url or store.url, access_key = store.access_key, ca_pem = o and o.ca_pem,
    secret_key = secret.new(o and o.secret_key or store.secret_key) }
end

local function expect_works(store)
  for _, client in ipairs { client_of(store), client_of(store, { url = store.tls_url, ca_pem = store.ca_pem }) } do
    local bucket = client:bucket "works"
    bucket:create()
    bucket:put("key", "text")
    expect((bucket:get "key")).is "text"
  end
  expect(function() client_of(store, { secret_key = "wrong" }):buckets() end):raises "PGO-S3-CREDENTIALS"
  expect(function() client_of(store, { url = store.tls_url }):buckets() end):raises "PGO-TLS"
end

-- A dead process that nobody waits for is still in /proc.
local function alive(pid)
  local ok, stat = pcall(fs.read, ("/proc/%s/stat"):format(pid))
  return ok and stat:match "%) (%a)" ~= "Z"
end

--- Waits up to 10 s for the end of a process that nobody here is the parent of.
local function expect_gone(pid)
  for _ = 1, 200 do
    if not alive(pid) then return end
    task.sleep(0.05)
  end
  error(("process %s still lives"):format(pid), 0)
end

--- Starts a store in a child, kills that, and looks what is left.
local function expect_dies_with_its_test(name)
  fs.with_temporary("pgorch-hold-", function(dir)
    local said = dir .. "/said"
    local child <close> = process.spawn { host.executable(), "test", "tests/support/hold_store.lua", check = false,
      env = { HOLD_STORE = name, HOLD_SAYS = said } }
    while not fs.exists(said) do
      if not child:alive() then error("the child ended: " .. child:wait().stdout, 0) end
      task.sleep(0.05)
    end
    local lines = {}
    for line in fs.read(said):gmatch "[^\n]+" do lines[#lines + 1] = line end
    expect(#lines > 3).is(true)
    for i = 2, #lines do expect(alive(lines[i])).is(true) end
    child:kill "KILL"
    child:wait()
    for i = 2, #lines do expect_gone(lines[i]) end
    expect(fs.exists(lines[1])).is(true)
    folder.sweep()
    expect(fs.exists(lines[1])).is(false)
  end)
end

for name, store in pairs { ceph = ceph, swift = swift } do
  describe(name, function()
    it("works, and a second one beside it", function()
      local stores = task.map({ 1, 2 }, { limit = 2 }, function() return store.start() end)
      local one <close> = stores[1]
      local two <close> = stores[2]
      expect_works(one)
      expect_works(two)
      one:close()
      expect(client_of(two):buckets()).same { "works" }
      expect(fs.exists(one.dir)).is(false)
    end, LIMIT)

    it("dies with its test", function() expect_dies_with_its_test(name) end, LIMIT)
  end)
end
