-- Files that the Heroku stand-in keeps as Heroku keeps them in S3: backups behind a signed link of an hour, and the
-- blobs of POST /sources, which take a PUT and give a GET. A signature is only chance here; a GET may ask for
-- a range, a HEAD is refused, as by a link that is signed for GET.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local fs     = require "pgorch.fs"
local reply  = require "pgorch.sandbox.heroku.reply"

local files = {}

local LINK_LIFE = 3600

--- A link to a file.
---@param server table
---@param path string
---@param method "GET"|"PUT"
---@return string url, number expires
function files.link(server, path, method)
  local link = { id = crypto.uuid(), key = crypto.hex(crypto.random(16)), path = path, method = method,
    expires = clock.time() + LINK_LIFE }
  server.links[link.id] = link
  return ("%s/files/%s?Signature=%s"):format(server.url, link.id, link.key), link.expires
end

local function refuse(status, code)
  error({ refusal = { status = status, headers = { ["Content-Type"] = "application/xml" },
    body = ("<Error><Code>%s</Code></Error>"):format(code) } }, 0)
end

local function find(server, request)
  local link = server.links[request.at.id]
  local is_good = link and link.key == request.query.Signature and link.method == request.method
    and clock.time() < link.expires
  return is_good and link or refuse(403, "AccessDenied")
end

--- First and last byte that a Range header asks for; nil without one. Not S3's rules here, which are those of Ceph RGW.
local function range_of(header, size)
  local from, to = (header or ""):match "^bytes=(%d+)%-(%d*)$"
  if not from then return nil end
  from, to = math.tointeger(tonumber(from)), math.min(math.tointeger(tonumber(to)) or size - 1, size - 1)
  if from >= size or to < from then refuse(416, "InvalidRange") end
  return from, to
end

local function get(server, request)
  local path = find(server, request).path
  if not fs.exists(path) then refuse(404, "NoSuchKey") end
  local size = fs.stat(path).size
  local from, to = range_of(request.headers.range, size)
  local headers = { ["Content-Type"] = "application/octet-stream", ["Accept-Ranges"] = "bytes" }
  if not from then return { status = 200, headers = headers, body = fs.source(path), length = size } end
  headers["Content-Range"] = ("bytes %d-%d/%d"):format(from, to, size)
  return { status = 206, headers = headers, body = fs.source(path, { offset = from, length = to - from + 1 }),
    length = to - from + 1 }
end

local function put(server, request)
  fs.sink(find(server, request).path, request.body, { create = true })
  return { status = 200, headers = {}, body = "" }
end

--- POST /sources: a place for one file, and where it is to be had.
local function source(server)
  local path = ("%s/source-%s"):format(server.dir, crypto.uuid())
  return reply.json(201, { source_blob = { get_url = files.link(server, path, "GET"),
    put_url = files.link(server, path, "PUT") } })
end

files.routes = {
  { "POST", "/sources", "source.create", source },
  { "POST", "/apps/:app/sources", "source.create", function(server, request)
    server.state:app(request.at.app)
    return source(server)
  end },
  { "GET", "/files/:id", "file", get, open = true },
  { "HEAD", "/files/:id", "file", get, open = true },
  { "PUT", "/files/:id", "file", put, open = true, raw = true },
}

return files
