-- The errors that the S3 stand-in answers with: code, HTTP status, the document. A handler raises one with
-- errors.raise; the router turns it into an answer. The message is empty, as Ceph RGW 16 leaves it: a client
-- that needs the text to understand the error would fail on the real thing.

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
  NoSuchUpload = 404,
  NotImplemented = 501,
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
function errors.raise(code)
  error({ s3 = code, status = assert(errors.status[code], code) }, 0)
end

---@param code string
---@param status? integer instead of the code's own
---@param bucket? string
---@return table answer
function errors.answer(code, status, bucket)
  local element = document.element
  local id = ("tx%021x"):format(math.random(0, 0x7fffffff))
  local answer = document.answer(status or errors.status[code] or 500, "Error", {
    element("Code", code), element("Message", ""), bucket and element("BucketName", bucket) or "",
    element("RequestId", id), element("HostId", "sandbox-default"),
  }, true)
  answer.code = code -- for the request log: a HEAD has no document
  return answer
end

---@param status integer
---@return string code
function errors.code_of(status) return BY_STATUS[status] or "InternalError" end

return errors
