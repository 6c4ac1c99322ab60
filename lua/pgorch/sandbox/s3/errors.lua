-- The errors that the S3 stand-in answers with: code, HTTP status, the document. A handler raises one with
-- errors.raise; the router turns it into an answer. The message is empty, as Ceph RGW 16 leaves it but for a few:
-- a client that needs the text to understand the error would fail on the real thing.

local document = require "pgorch.sandbox.s3.document"

local errors = {}

---@type table<string, integer> code -> HTTP status
errors.status = {
  AccessDenied = 403,
  BadDigest = 400,
  BucketAlreadyExists = 409,
  BucketNotEmpty = 409,
  EntityTooLarge = 400,
  EntityTooSmall = 400,
  InternalError = 500,
  InvalidAccessKeyId = 403,
  InvalidArgument = 400,
  InvalidBucketName = 400,
  InvalidDigest = 400,
  InvalidLocationConstraint = 400,
  InvalidObjectName = 400,
  InvalidPart = 400,
  InvalidRange = 416,
  InvalidRequest = 400,
  MalformedXML = 400,
  MethodNotAllowed = 405,
  MissingContentLength = 411,
  NoSuchBucket = 404,
  NoSuchBucketPolicy = 404,
  NoSuchCORSConfiguration = 404,
  NoSuchKey = 404,
  NoSuchLifecycleConfiguration = 404,
  NoSuchTagSet = 404,
  NoSuchUpload = 404,
  NotImplemented = 501,
  ObjectLockConfigurationNotFoundError = 404,
  PreconditionFailed = 412,
  QuotaExceeded = 403,
  RequestTimeTooSkewed = 403,
  RequestTimeout = 400,
  ServiceUnavailable = 503,
  SignatureDoesNotMatch = 403,
  SlowDown = 503,
  XAmzContentSHA256Mismatch = 400,
}

--- What a bare status means, for faults that name no code.
local BY_STATUS = { [400] = "RequestTimeout", [403] = "AccessDenied", [404] = "NoSuchKey", [500] = "InternalError",
  [501] = "NotImplemented", [503] = "SlowDown" }

--- Ends the handler with an error document.
---@param code string
---@param o? { message: string?, bare: boolean? } bare: found out before the bucket was looked at, so without its name
function errors.raise(code, o)
  error({ s3 = code, status = assert(errors.status[code], code), message = o and o.message, bare = o and o.bare }, 0)
end

---@param code string
---@param o? { status: integer?, message: string?, bucket: string? } status in place of the code's own
---@return table answer
function errors.answer(code, o)
  o = o or {}
  local element = document.element
  local id = ("tx%021x"):format(math.random(0, 0x7fffffff))
  local answer = document.answer(o.status or errors.status[code] or 500, "Error", {
    element("Code", code), element("Message", o.message or ""), o.bucket and element("BucketName", o.bucket) or "",
    element("RequestId", id), element("HostId", "sandbox-default"),
  }, true)
  answer.code = code -- for the request log: a HEAD has no document
  return answer
end

---@param status integer
---@return string code
function errors.code_of(status) return BY_STATUS[status] or "InternalError" end

return errors
