-- An independent judge of the S3 stand-in: Debian's AWS CLI (which ignores AWS_ENDPOINT_URL, and is called by its
-- full path because another `aws` may come first in PATH) and curl. Nothing here knows how the stand-in works.

local fs = require "pgorch.fs"
local process = require "pgorch.process"
local s3 = require "pgorch.sandbox.s3"

local AWS = "/usr/bin/aws"
local SIZE = 100 * 1000 * 1000

local function environment(world, endpoint, secret)
  return {
    AWS_ACCESS_KEY_ID = endpoint.access_key, AWS_SECRET_ACCESS_KEY = secret or endpoint.secret_key,
    AWS_DEFAULT_REGION = "us-east-1", AWS_EC2_METADATA_DISABLED = "true", HOME = world.dir, NO_PROXY = "*",
    AWS_CONFIG_FILE = world.dir .. "/none", PATH = "/usr/bin:/bin", LC_ALL = "C.UTF-8",
  }
end

--- Runs the CLI; answers its exit code and what it printed.
local function aws(world, endpoint, arguments, secret)
  local options = { AWS, "--endpoint-url", endpoint.url, env = environment(world, endpoint, secret),
    env_clear = true, check = false, timeout = 120 }
  for _, argument in ipairs(arguments) do options[#options + 1] = argument end
  return process.run(options)
end

--- Fetches into a file; what it prints is the status.
local function curl(file, ...)
  local options = { "curl", "-sS", "--noproxy", "*", "-w", "%{http_code}", "-o", file, check = false, timeout = 60 }
  table.move({ ... }, 1, select("#", ...), #options + 1, options)
  return process.run(options)
end

local function digest(path)
  return process.run({ "sha256sum", path }).stdout:match "^%x+"
end

local function with_world(fn)
  return function()
    if not fs.exists(AWS) then return skip(AWS .. " is not installed") end
    local world = { dir = fs.mkdtemp "pgorch-aws-" }
    local ok, err = pcall(function()
      local endpoint <close> = s3.start(world)
      fn(world, endpoint)
    end)
    fs.remove_tree(world.dir)
    if not ok then error(err, 0) end
  end
end

describe("the AWS CLI", function()
  it("moves 100 MB both ways, lists, signs a URL and removes", with_world(function(world, endpoint)
    local function run(...)
      local result = aws(world, endpoint, { ... })
      if result.code ~= 0 then error(("aws %s: %s"):format(table.concat({ ... }, " "), result.stderr)) end
      return result.stdout
    end
    local up, down = world.dir .. "/up", world.dir .. "/down"
    process.run { "sh", "-c", 'head -c "$1" /dev/urandom > "$2"', "sh", tostring(SIZE), up }
    run("s3", "mb", "s3://judge")
    run("s3", "cp", up, "s3://judge/dir/a key+1.dump")
    expect(run("s3", "ls", "s3://judge/dir/"):match "(%d+) a key%+1%.dump").is(tostring(SIZE))
    expect(run("s3", "ls"):match "judge").is "judge"
    run("s3", "cp", "s3://judge/dir/a key+1.dump", down)
    expect(digest(down)).is(digest(up))
    fs.remove(down)

    local address = run("s3", "presign", "s3://judge/dir/a key+1.dump", "--expires-in", "60"):match "%S+"
    expect(curl(down, address).stdout).is "200"
    expect(digest(down)).is(digest(up))
    expect(curl(down, "-r", "0-4", address).stdout).is "206"
    expect(curl("/dev/null", "-I", address).stdout).is "403"
    expect(curl("/dev/null", address .. "0").stdout).is "403"
    expect(curl("/dev/null", (address:gsub("%?.*", ""))).stdout).is "403"

    run("s3", "rm", "s3://judge/dir/a key+1.dump")
    expect(run("s3", "ls", "s3://judge", "--recursive")).is ""
    run("s3", "rb", "s3://judge")
    expect(aws(world, endpoint, { "s3", "ls", "s3://judge" }).code == 0).is(false)
  end))

  it("is refused with a wrong secret, and its URL once that has expired", with_world(function(world, endpoint)
    expect(aws(world, endpoint, { "s3", "mb", "s3://judge" }).code).is(0)
    expect(aws(world, endpoint, { "s3", "ls", "s3://judge" }, "wrong").code == 0).is(false)
    local small = world.dir .. "/small"
    fs.write(small, "small")
    expect(aws(world, endpoint, { "s3", "cp", small, "s3://judge/small" }).code).is(0)
    local signed = aws(world, endpoint, { "s3", "presign", "s3://judge/small", "--expires-in", "1" })
    process.run { "sleep", "2" }
    local refused = curl(world.dir .. "/body", signed.stdout:match "%S+")
    expect(refused.stdout).is "403"
    expect(fs.read(world.dir .. "/body"):match "<Code>(%w+)</Code>").is "AccessDenied"
  end))
end)
