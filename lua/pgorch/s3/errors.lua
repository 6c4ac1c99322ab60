-- What a storage server's refusal means: its error id, whether trying again may help, and words for a person.
-- Ceph RGW 16 sends an empty <Message>, HEAD replies have no body, proxies answer in HTML: the code, then the
-- status, then nothing at all must do.

local fail = require "pgorch.error"
local xml = require "pgorch.xml"

local errors = {}

local IDS = {
  InvalidAccessKeyId = "PGO-S3-CREDENTIALS",
  SignatureDoesNotMatch = "PGO-S3-CREDENTIALS",
  UserSuspended = "PGO-S3-CREDENTIALS",
  BucketAlreadyExists = "PGO-S3-BUCKET-TAKEN",
  RequestTimeTooSkewed = "PGO-S3-CLOCK",
  BadDigest = "PGO-S3-INTEGRITY",
  XAmzContentSHA256Mismatch = "PGO-S3-INTEGRITY",
}

local WORDS = {
  AccessDenied = "these keys may not do this",
  BadDigest = "the data arrived damaged",
  BucketAlreadyExists = "somebody else has a bucket of that name",
  BucketAlreadyOwnedByYou = "the bucket exists already",
  BucketNotEmpty = "the bucket still holds objects",
  EntityTooLarge = "the object is larger than the storage allows",
  EntityTooSmall = "a part is smaller than the storage allows",
  InternalError = "the storage failed inside",
  InvalidAccessKeyId = "there is no such access key",
  InvalidBucketName = "this is no valid bucket name",
  InvalidPart = "the parts that the storage has are not the parts that were sent",
  InvalidRange = "the object is shorter than that",
  NoSuchBucket = "there is no such bucket",
  NoSuchKey = "there is no such object",
  NoSuchUpload = "there is no such upload (any more)",
  OperationAborted = "something else is changing the same bucket",
  QuotaExceeded = "the storage's quota is used up",
  RequestTimeTooSkewed = "this machine's clock and the server's differ by more than 15 minutes",
  RequestTimeout = "the storage waited too long for data",
  ServiceUnavailable = "the storage is not available now",
  SignatureDoesNotMatch = "the secret key does not fit the access key",
  SlowDown = "the storage asks for fewer requests",
  TooManyBuckets = "the account may not have more buckets",
  UserSuspended = "the storage account is suspended",
  XAmzContentSHA256Mismatch = "the data arrived damaged",
}

local BY_STATUS = { [403] = "AccessDenied", [404] = "NotFound", [503] = "ServiceUnavailable", [500] = "InternalError" }

-- Wire damage: sent again, but only so often.
local DAMAGE = { BadDigest = true, XAmzContentSHA256Mismatch = true }

local RETRY = { InternalError = true, SlowDown = true, ServiceUnavailable = true, RequestTimeout = true,
  OperationAborted = true, BadDigest = true, XAmzContentSHA256Mismatch = true }
local RETRY_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

---The root of an XML body, nil if it is none. AWS sends white space ahead of a late reply to keep it alive.
---@param body string|nil
---@return pgorch.XmlNode|nil
function errors.parse(body)
  local ok, root = pcall(xml.parse, ((body or ""):gsub("^%s+", "")))
  return ok and root or nil
end

---@param what string  "PUT s3://bucket/key"
---@param reply table  {status, headers, body}
---@return pgorch.Error  with `code`: the server's word, and `resend`: false | true | "damage"
function errors.from_reply(what, reply)
  local root = errors.parse(reply.body)
  local known = root and root.name == "Error" and root or nil
  local code = known and known:text_of "Code"
  local name = code or BY_STATUS[reply.status] or ("HTTP %d"):format(reply.status)
  local said = known and known:text_of "Message" or ""
  local words = WORDS[name] or (said ~= "" and said) or "no reason was given"
  local retry = RETRY[name] or (not WORDS[name] and RETRY_STATUS[reply.status]) or false
  return fail.new(IDS[code] or "PGO-S3", ("%s: %s: %s"):format(what, name, words), {
    status = reply.status, code = name, no_body = code == nil, retryable = retry,
    resend = DAMAGE[name] and "damage" or retry, detail = said ~= "" and said ~= words and said or nil,
    region = known and known:text_of "Region", endpoint = known and known:text_of "Endpoint",
  })
end

---A web page in the place of an answer: a proxy's on the way, whatever its status says. The storage was not asked.
---@param body any
---@return boolean
function errors.is_page(body)
  local begin = type(body) == "string" and body:match "^%s*<!?(%a+)"
  return begin ~= nil and (begin:lower() == "html" or begin:lower() == "doctype")
end

---@param what string  "PUT s3://bucket/key"
---@param reply table
---@return pgorch.Error
function errors.page(what, reply)
  return fail.new("PGO-S3", what .. ": a web page came in the place of an answer", { status = reply.status,
    code = "Page", retryable = true, resend = true,
    cure = "Something between this machine and the storage answers for it, such as a proxy: mend that, then resume." })
end

---@param err any
---@param code string
---@return boolean
function errors.is(err, code)
  return fail.is(err) and err.code == code
end

return errors
