-- What a request addresses: bucket and key, by path or by host name, and the operation. A subresource that is not
-- listed here falls through to the plain operation of the method, as Ceph RGW 16 does it.

local url = require "pgorch.sandbox.url"

local route = {}

--- The name under which buckets are hosts too: "box.localhost" (`rgw dns name`).
local DOMAIN = "localhost"

--- The subresource that selects an operation, by what is addressed and the method. Looked up in this order.
local SUBRESOURCES = {
  bucket = {
    { "delete", { POST = "delete_objects" } },
    { "uploads", { GET = "list_uploads" } },
    { "versions", { GET = "list_versions" } },
    { "acl", { GET = "get_bucket_acl", PUT = "put_bucket_acl" } },
    { "policyStatus", { GET = "policy_status" } },
    { "publicAccessBlock", { GET = "get_access_block", PUT = "put_access_block", DELETE = "delete_access_block" } },
    { "location", { GET = "location" } },
    { "versioning", { GET = "versioning", PUT = "put_versioning" } },
    { "lifecycle", { GET = "get_lifecycle", PUT = "put_lifecycle", DELETE = "delete_lifecycle" } },
    { "policy", { GET = "get_policy", PUT = "put_policy", DELETE = "delete_policy" } },
    { "cors", { GET = "get_cors" } },
    { "website", { GET = "get_website" } },
    { "tagging", { GET = "get_bucket_tagging" } },
    { "logging", { GET = "get_logging" } },
    { "requestPayment", { GET = "get_request_payment" } },
    { "object-lock", { GET = "get_object_lock" } },
    { "replication", { GET = "get_replication" } },
  },
  object = {
    { "uploads", { POST = "create_upload" } },
    { "uploadId", { PUT = "put_part", GET = "list_parts", POST = "complete_upload", DELETE = "abort_upload" } },
    { "acl", { GET = "get_object_acl", PUT = "put_object_acl" } },
    { "tagging", { GET = "get_object_tagging" } },
  },
}

local PLAIN = {
  service = { GET = "list_buckets" },
  bucket = { GET = "list_objects", HEAD = "head_bucket", PUT = "create_bucket", DELETE = "delete_bucket",
    POST = "post_form" },
  object = { GET = "get_object", HEAD = "head_object", PUT = "put_object", DELETE = "delete_object",
    POST = "post_form" },
}

local PATH = { service = "/", bucket = "/BUCKET", object = "/BUCKET/KEY" }

--- What each operation is asked by: rows of method, path, name.
---@return table[]
function route.calls()
  local found = {}
  local function add(kind, subresource, methods)
    for method, name in pairs(methods) do found[#found + 1] = { method, PATH[kind] .. subresource, name } end
  end
  for kind, entries in pairs(SUBRESOURCES) do
    for _, entry in ipairs(entries) do add(kind, "?" .. entry[1], entry[2]) end
  end
  for kind, methods in pairs(PLAIN) do add(kind, "", methods) end
  return found
end

--- The path of a request whose bucket is the host, as it would be with the bucket in it.
local function path_style(path, host)
  local bucket = (host or ""):match("^(.+)%." .. DOMAIN .. "$") or (host or ""):match("^(.+)%." .. DOMAIN .. ":%d+$")
  return bucket and ("/%s%s"):format(bucket, path) or path
end

local function operation(kind, arguments, method)
  for _, entry in ipairs(SUBRESOURCES[kind] or {}) do
    local name = arguments[entry[1]] and entry[2][method]
    if name then return name end
  end
  return PLAIN[kind][method]
end

--- Reads a request of the HTTP server.
---@param req table
---@return table request {method, path, resource, bucket_name, key, parameters, arguments, headers, body, kind,
---  operation}
function route.parse(req)
  local path = url.decode(req.path)
  local resource = path_style(path, req.headers.host)
  local bucket, key = resource:match "^/([^/]+)/?(.*)$"
  local parameters, arguments = url.parameters(req.query)
  local kind = not bucket and "service" or key == "" and "bucket" or "object"
  return { method = req.method, path = path, resource = resource,
    bucket_name = bucket, key = key, headers = req.headers, parameters = parameters, arguments = arguments,
    body = req.body, kind = kind, operation = operation(kind, arguments, req.method) }
end

return route
