-- Downloads a URL as Heroku's htcat does: a HEAD (which a signed GET URL need not allow), then several ranged GETs side
-- by side, with no header but Range, each written to its place in the file. Other than Heroku it also trusts the
-- authority that the world's object store has its certificate from: Heroku knows the public ones alone, and would not
-- get the dump from such a store.

local fs     = require "pgorch.fs"
local http   = require "pgorch.http"
local stream = require "pgorch.stream"
local task   = require "pgorch.task"

local fetch = {}

local LEAST = 1 << 20            -- smaller parts are not worth a request

local function total_of(reply)
  return math.tointeger(tonumber((reply.headers["content-range"] or ""):match "/(%d+)$"))
end

--- The size of the object, or an error that says what the server answered.
local function size_of(url, said, ca_pem)
  local head = http.request { method = "HEAD", url = url, check = false, timeout = 30, ca_pem = ca_pem }
  local size = head.status == 200 and math.tointeger(tonumber(head.headers["content-length"]))
  if size then return size end
  said(("HEAD answered %d, asking for the first byte"):format(head.status))
  local first = http.request { method = "GET", url = url, headers = { Range = "bytes=0-0" }, check = false,
    timeout = 30, ca_pem = ca_pem }
  if first.status == 206 and total_of(first) then return total_of(first) end
  if first.status == 416 then return 0 end
  if first.status == 200 then return nil end
  local code = (first.body or ""):match "<Code>(.-)</Code>"
  error(("unable to download the backup: the server answered %d %s"):format(first.status, code or ""), 0)
end

--- One request's body into the file, at its offset.
local function part(url, path, from, to, o)
  local body = stream.new()
  local headers = from and { Range = ("bytes=%d-%d"):format(from, to) } or nil
  task.group(function(group)
    group:spawn(function() o.got(fs.sink(path, body, { offset = from or 0 }).bytes) end)
    local reply = http.request { method = "GET", url = url, headers = headers, into = body, check = false,
      timeout = 3600, ca_pem = o.ca_pem }
    if reply.status ~= (from and 206 or 200) then
      error(("unable to download the backup: the server answered %d"):format(reply.status), 0)
    end
    if from and reply.bytes ~= to - from + 1 then error("the download was cut off", 0) end
  end)
end

--- Downloads `url` to `path`.
---@param url string
---@param path string
---@param o { parallel: integer, said: fun(message: string), got: fun(bytes: integer), ca_pem: string? }
function fetch.url(url, path, o)
  local size = size_of(url, o.said, o.ca_pem)
  fs.write(path, "")
  if not size then return part(url, path, nil, nil, o) end
  local step = math.max(math.ceil(size / o.parallel), LEAST)
  local parts = {}
  for from = 0, size - 1, step do parts[#parts + 1] = { from, math.min(from + step, size) - 1 } end
  task.map(parts, { limit = o.parallel }, function(range) part(url, path, range[1], range[2], o) end)
end

return fetch
