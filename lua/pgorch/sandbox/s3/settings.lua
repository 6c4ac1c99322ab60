-- What is set on a bucket: whether versions are kept, how long things live, where it is; and the answers about what
-- nobody sets here.

local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local payload = require "pgorch.sandbox.s3.payload"
local xml = require "pgorch.xml"

local settings = {}

local element = document.element

local function document_of(request, code)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok then errors.raise(code) end
  return root
end

function settings.location(server)
  return document.answer(200, "LocationConstraint", server.region == "us-east-1" and "" or server.region)
end

function settings.versioning(_, request)
  local status = request.bucket.versioning
  return document.answer(200, "VersioningConfiguration",
    status and { element("Status", status), element("MfaDelete", "Disabled") } or "")
end

function settings.put_versioning(_, request)
  local status = document_of(request, "InvalidArgument"):text_of "Status"
  if status ~= "Enabled" and status ~= "Suspended" then errors.raise "InvalidArgument" end
  request.bucket.versioning = status
  return { status = 200 }
end

function settings.put_lifecycle(_, request)
  local root = document_of(request, "MalformedXML")
  if root.name ~= "LifecycleConfiguration" or #root:all "Rule" == 0 then errors.raise "MalformedXML" end
  request.bucket.lifecycle = root
  return { status = 200 }
end

local function written(node)
  if #node == 0 then return element(node.name, node.text) end
  local inner = {}
  for i, child in ipairs(node) do inner[i] = written(child) end
  return element(node.name, inner)
end

function settings.get_lifecycle(_, request)
  local root = request.bucket.lifecycle
  if not root then errors.raise "NoSuchLifecycleConfiguration" end
  local rules = {}
  for i, rule in ipairs(root) do rules[i] = written(rule) end
  return document.answer(200, root.name, rules)
end

function settings.delete_lifecycle(_, request)
  request.bucket.lifecycle = nil
  return { status = 204 }
end

function settings.get_cors() errors.raise "NoSuchCORSConfiguration" end

function settings.get_website() errors.raise("MethodNotAllowed", { bare = true }) end

function settings.get_bucket_tagging() errors.raise "NoSuchTagSet" end

function settings.get_object_lock() errors.raise "ObjectLockConfigurationNotFoundError" end

function settings.get_object_tagging() return document.answer(200, "Tagging", { element("TagSet", "") }) end

function settings.get_logging() return document.answer(200, "BucketLoggingStatus", "") end

function settings.get_request_payment()
  return document.answer(200, "RequestPaymentConfiguration", { element("Payer", "BucketOwner") })
end

function settings.get_replication()
  return document.answer(200, "ReplicationConfiguration", { element("Role", "") })
end

return settings
