-- An independent judge: Debian's AWS CLI and curl do on the S3 stand-in all that a user does with it, and the same on a
-- real Ceph RGW and a real Swift. Nothing here knows how any of them works.

local ceph    = require "support.ceph"
local clients = require "support.s3_clients"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local s3      = require "pgorch.sandbox.s3"
local swift   = require "support.swift"
local task    = require "pgorch.task"

local SIZE, SMALLER = 100 * 1000 * 1000, 20 * 1000 * 1000
local KEY = "s3://judge/dir/a key+1 ü.dump"

--- What the judge has: `run` the CLI, `refused` to run it and be refused, a folder.
local function judge(dir, store, size)
  local self = { dir = dir, store = store, size = size, run = clients.checked(clients.aws, dir, store) }
  function self.refused(...)
    local result = clients.aws(dir, store, { ... })
    if result.code == 0 then error(("aws %s: was not refused"):format(table.concat({ ... }, " ")), 0) end
    return result.stderr
  end
  return self
end

local function moves_both_ways(j)
  local up, down = clients.file(j.dir .. "/up", j.size), j.dir .. "/down"
  j.run("s3", "mb", "s3://judge")
  j.run("s3", "cp", "--quiet", up, KEY)
  expect(j.run("s3", "ls", "s3://judge/dir/"):match "(%d+) a key%+1 ü%.dump").is(tostring(j.size))
  expect(j.run("s3", "ls"):match "judge").is "judge"
  j.run("s3", "cp", "--quiet", KEY, down)
  clients.expect_same(up, down)
end

local function signs(j)
  local up, down = j.dir .. "/up", j.dir .. "/down"
  local url = j.run("s3", "presign", KEY, "--expires-in", "60"):match "%S+"
  expect(clients.curl(down, url)).is "200"
  clients.expect_same(up, down)
  expect(clients.curl(down, "-r", "0-4", url)).is "206"
  expect(fs.stat(down).size).is(5)
  expect(clients.curl("/dev/null", "-I", url)).is "403"
  expect(clients.curl("/dev/null", url .. "0")).is "403"
  expect(clients.curl("/dev/null", (url:gsub("%?.*", "")))).is(j.store.unsigned or "403")
  url = j.run("s3", "presign", KEY, "--expires-in", "1"):match "%S+"
  task.sleep(2)
  expect(clients.curl(down, url)).is "403"
  expect(fs.read(down):match "<Code>(%w+)</Code>").is "AccessDenied"
end

--- Copies inside the store, and folders with awkward names.
local function copies(j)
  j.run("s3", "cp", "--quiet", KEY, "s3://judge/copy")
  expect(j.run("s3", "ls", "s3://judge/copy"):match "(%d+) copy").is(tostring(j.size))
  local from, to = j.dir .. "/from", j.dir .. "/to"
  fs.mkdir(from)
  fs.mkdir(from .. "/ü & <x>")
  for i, name in ipairs { "a", "b c", "ü & <x>/100%+", "ü & <x>/d" } do fs.write(from .. "/" .. name, ("x"):rep(i)) end
  j.run("s3", "sync", "--quiet", from, "s3://judge/tree")
  j.run("s3", "mv", "--quiet", "s3://judge/tree/a", "s3://judge/tree/moved")
  j.run("s3", "sync", "--quiet", "s3://judge/tree", to)
  fs.rename(to .. "/moved", to .. "/a")
  process.run { "diff", "-r", from, to }
end

local function uploads(j)
  local listed = j.run("s3api", "list-multipart-uploads", "--bucket", "judge")
  return listed:find "%S" and json.decode(listed).Uploads or {}
end

local function aborts(j)
  local part = clients.file(j.dir .. "/part", 5 << 20)
  local begun = json.decode(j.run("s3api", "create-multipart-upload", "--bucket", "judge", "--key", "half"))
  local which = { "--bucket", "judge", "--key", "half", "--upload-id", begun.UploadId }
  local function api(name, ...)
    local arguments = table.move({ ... }, 1, select("#", ...), 1, { })
    return j.run("s3api", name, table.unpack(table.move(which, 1, #which, #arguments + 1, arguments)))
  end
  for number = 1, 2 do api("upload-part", "--part-number", tostring(number), "--body", part) end
  local parts = json.decode(api "list-parts").Parts
  expect(#parts).is(2)
  expect(parts[2].Size).is(5 << 20)
  expect(uploads(j)[1].UploadId).is(begun.UploadId)
  api "abort-multipart-upload"
  expect(#uploads(j)).is(0)
  j.refused("s3api", "list-parts", table.unpack(which))
end

--- A copy that is killed in the middle leaves an upload that nobody finishes; it can be found and given up.
local function is_killed(j)
  local options = clients.aws_command(j.dir, j.store, { "s3", "cp", "-", "s3://judge/killed" })
  options.stdin = "stream"
  local child <close> = process.spawn(options)
  child.stdin:write(("x"):rep(20 << 20)) -- more than two parts; the end never comes
  while #uploads(j) == 0 do
    if not child:alive() then error("the copy ended", 0) end
    task.sleep(0.1)
  end
  child:kill "KILL"
  child:wait()
  local left = uploads(j)
  expect(left[1].Key).is "killed"
  j.run("s3api", "abort-multipart-upload", "--bucket", "judge", "--key", "killed", "--upload-id", left[1].UploadId)
  expect(#uploads(j)).is(0)
  j.refused("s3api", "head-object", "--bucket", "judge", "--key", "killed")
end

local function is_refused(j)
  local wrong = { url = j.store.url, access_key = j.store.access_key, secret_key = "wrong" }
  expect(clients.aws(j.dir, wrong, { "s3", "ls", "s3://judge" }).code == 0).is(false)
  j.refused("s3", "rb", "s3://judge") -- it is not empty
end

local function removes(j)
  j.run("s3", "rm", "--quiet", KEY)
  j.run("s3", "rm", "--quiet", "--recursive", "s3://judge")
  expect(j.run("s3", "ls", "s3://judge", "--recursive")).is ""
  j.run("s3", "rb", "s3://judge")
  j.refused("s3", "ls", "s3://judge")
end

--- Only with the authority that its certificate is from.
local function is_trusted(store, dir)
  local over_tls = { url = store.tls_url, access_key = store.access_key, secret_key = store.secret_key }
  expect(clients.aws(dir, over_tls, { "s3", "ls" }).stderr).has "SSL validation failed"
  over_tls.ca_file = store.ca_file
  expect(clients.aws(dir, over_tls, { "s3", "ls" }).code).is(0)
end

local function does_it_all(store, size)
  fs.with_temporary("pgorch-aws-", function(dir)
    if store.tls_url then is_trusted(store, dir) end
    local j = judge(dir, { url = store.url, access_key = store.access_key, secret_key = store.secret_key,
      unsigned = store.unsigned }, size)
    for _, step in ipairs { moves_both_ways, signs, copies, aborts, is_killed, is_refused, removes } do step(j) end
  end)
end

local LONG = { limit = 280 }

describe("the AWS CLI does it all", function()
  it("on the S3 stand-in", function()
    fs.with_temporary("pgorch-aws-", function(dir)
      local endpoint <close> = s3.start { dir = dir }
      does_it_all(endpoint, SIZE)
    end)
  end, LONG)

  it("on Ceph RGW", function()
    local rgw <close> = ceph.start()
    does_it_all(rgw, SMALLER)
  end, LONG)

  it("on Swift", function()
    local store <close> = swift.start()
    store.unsigned = "400" -- and no XML
    does_it_all(store, SMALLER)
  end, LONG)
end)
