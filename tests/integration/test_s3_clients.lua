-- More judges of the S3 stand-in, of other makes: s3cmd, whose signed URLs are of version 2 (as Linode's tool hands
-- them out), and rclone. The same on a real Ceph RGW and a real Swift shows that the tests ask for what is usual.

local ceph    = require "support.ceph"
local clients = require "support.s3_clients"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local s3      = require "pgorch.sandbox.s3"
local swift   = require "support.swift"

local SIZE = 17 * 1000 * 1000 -- more than a part of either

local function s3cmd_works(dir, store)
  local run = clients.checked(clients.s3cmd, dir, store)
  local up, down = clients.file(dir .. "/up", SIZE), dir .. "/down"
  run("mb", "s3://judge")
  run("put", up, "s3://judge/dir/a key+1 ü")
  expect(run("ls", "s3://judge/dir/"):match "(%d+)%s+s3://judge/dir/a key%+1 ü").is(tostring(SIZE))
  expect(run("info", "s3://judge/dir/a key+1 ü"):match "File size:%s+(%d+)").is(tostring(SIZE))
  run("get", "--force", "s3://judge/dir/a key+1 ü", down)
  clients.expect_same(up, down)
  run("cp", "s3://judge/dir/a key+1 ü", "s3://judge/plain")
  local url = run("signurl", "s3://judge/plain", "+60"):match "%S+"
  expect(url).has "AWSAccessKeyId="
  expect(clients.curl(down, url)).is "200"
  clients.expect_same(up, down)
  expect(clients.curl("/dev/null", (url:gsub("Signature=..", "Signature=xx")))).is "403"
  expect(clients.curl("/dev/null", (run("signurl", "s3://judge/plain", "+-10"):match "%S+"))).is "403"
  run("del", "--recursive", "--force", "s3://judge")
  expect(run("ls", "s3://judge")).is ""
  run("rb", "s3://judge")
  local wrong = { url = store.url, access_key = store.access_key, secret_key = "wrong" }
  expect(clients.s3cmd(dir, wrong, { "ls" }).code == 0).is(false)
end

local function rclone_works(dir, store)
  local run = clients.checked(clients.rclone, dir, store)
  local up, down, tree = clients.file(dir .. "/up", SIZE), dir .. "/down", dir .. "/tree"
  run("mkdir", "store:judge")
  run("copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", up, "store:judge/dir/a key+1 ü")
  local listed = json.decode(run("lsjson", "-R", "--files-only", "store:judge"))
  expect(listed[1].Path).is "dir/a key+1 ü"
  expect(listed[1].Size).is(SIZE)
  run("copyto", "store:judge/dir/a key+1 ü", down)
  clients.expect_same(up, down)
  fs.mkdir(tree)
  for i, name in ipairs { "a", "b c", "100%+" } do fs.write(tree .. "/" .. name, ("x"):rep(i)) end
  run("sync", tree, "store:judge/tree")
  run("check", tree, "store:judge/tree")
  run("moveto", "store:judge/tree/a", "store:judge/tree/moved")
  expect(run("cat", "store:judge/tree/moved")).is "x"
  run("purge", "store:judge")
  expect(run("lsd", "store:")).is ""
end

local CLIENTS = { s3cmd = s3cmd_works, rclone = rclone_works }

local function both_work(store)
  for _, works in pairs(CLIENTS) do
    fs.with_temporary("pgorch-client-", function(dir) works(dir, store) end)
  end
end

local LONG = { limit = 200 }

describe("s3cmd and rclone work", function()
  it("on the S3 stand-in", function()
    fs.with_temporary("pgorch-s3-", function(dir)
      local endpoint <close> = s3.start { dir = dir }
      both_work(endpoint)
    end)
  end, LONG)

  for name, store in pairs { ["Ceph RGW"] = ceph, Swift = swift } do
    it("on " .. name, function()
      local running <close> = store.start()
      both_work(running)
    end, LONG)
  end
end)
