-- S3 clients that we did not write, as a user would call them: the AWS CLI, s3cmd, rclone, curl. Each gets the keys by
-- its environment or a file of its own, never on the command line, and nothing of the user's configuration.

local fs      = require "pgorch.fs"
local process = require "pgorch.process"

local clients = {}

-- Called by its full path: another `aws` may come first in PATH. Debian's ignores AWS_ENDPOINT_URL.
local AWS = "/usr/bin/aws"
local LIMIT = 120

---@class support.S3Store
---@field url string
---@field access_key string
---@field secret_key string
---@field ca_file? string   for the AWS CLI, with an https URL

local function environment(dir, store)
  return {
    AWS_ACCESS_KEY_ID = store.access_key, AWS_SECRET_ACCESS_KEY = store.secret_key, AWS_DEFAULT_REGION = "us-east-1",
    AWS_EC2_METADATA_DISABLED = "true", AWS_CONFIG_FILE = dir .. "/none", HOME = dir,
    NO_PROXY = "*", no_proxy = "*", PATH = "/usr/bin:/bin", LC_ALL = "C.UTF-8",
  }
end

--- Options of process.run for the AWS CLI.
---@param dir string a folder for what it keeps
---@param store support.S3Store
---@param arguments string[]
function clients.aws_command(dir, store, arguments)
  local options = { AWS, "--endpoint-url", store.url, env = environment(dir, store), env_clear = true, check = false }
  options.env.AWS_CA_BUNDLE = store.ca_file
  return table.move(arguments, 1, #arguments, #options + 1, options)
end

--- Runs the AWS CLI to its end.
function clients.aws(dir, store, arguments)
  local options = clients.aws_command(dir, store, arguments)
  options.timeout = LIMIT
  return process.run(options)
end

--- Runs s3cmd, which signs URLs by version 2.
function clients.s3cmd(dir, store, arguments)
  local host, config = store.url:match "//(.+)$", dir .. "/s3cfg"
  fs.write(config, table.concat({ "[default]", "access_key = " .. store.access_key, "secret_key = " .. store.secret_key,
    "host_base = " .. host, "host_bucket = " .. host, "use_https = False", "signature_v2 = False",
    "check_ssl_certificate = False", "" }, "\n"))
  local options = { "/usr/bin/s3cmd", "-c", config, "--no-progress", env = environment(dir, store), env_clear = true,
    check = false, timeout = LIMIT }
  return process.run(table.move(arguments, 1, #arguments, #options + 1, options))
end

--- Runs rclone; the store is its remote `store:`.
function clients.rclone(dir, store, arguments)
  local variables = environment(dir, store)
  variables.RCLONE_CONFIG, variables.RCLONE_RETRIES = dir .. "/rclone.conf", "1"
  variables.RCLONE_CONFIG_STORE_TYPE, variables.RCLONE_CONFIG_STORE_PROVIDER = "s3", "Ceph"
  variables.RCLONE_CONFIG_STORE_ENDPOINT, variables.RCLONE_CONFIG_STORE_ENV_AUTH = store.url, "true"
  fs.write(variables.RCLONE_CONFIG, "")
  local options = { "/usr/bin/rclone", env = variables, env_clear = true, check = false, timeout = LIMIT }
  return process.run(table.move(arguments, 1, #arguments, #options + 1, options))
end

--- A caller that raises when the program fails, and gives what it printed.
---@param run fun(dir: string, store: table, arguments: string[]): pgorch.process.Result
---@return fun(...): string
function clients.checked(run, dir, store)
  return function(...)
    local result = run(dir, store, { ... })
    if result.code == 0 then return result.stdout end
    error(("%s: exit %d\n%s%s"):format(table.concat({ ... }, " "), result.code, result.stdout, result.stderr), 0)
  end
end

--- Fetches a URL into a file, and gives the status.
---@return string "200"
function clients.curl(file, ...)
  local options = { "curl", "-sS", "--noproxy", "*", "-w", "%{http_code}", "-o", file, timeout = 60 }
  return process.run(table.move({ ... }, 1, select("#", ...), #options + 1, options)).stdout
end

--- A file of that many random bytes.
---@return string path
function clients.file(path, bytes)
  process.run { "sh", "-c", 'head -c "$1" /dev/urandom > "$2"', "sh", tostring(bytes), path }
  return path
end

--- Raises unless both files hold the same.
function clients.expect_same(a, b) process.run { "cmp", a, b } end

return clients
