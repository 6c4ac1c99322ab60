-- A bucket's policy, as far as it opens the bucket to everybody: statements that allow an action to the principal "*".
-- Conditions, other principals and denials are refused when the policy is set, so that none is passed over in silence.

local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local acl = require "pgorch.sandbox.s3.acl"
local json = require "pgorch.json"
local payload = require "pgorch.sandbox.s3.payload"
local xml = require "pgorch.xml"

local policy = {}

local element = document.element
local BLOCKS = { "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets" }

local function list(value) return type(value) == "table" and value or { value } end

local function for_everybody(statement)
  local principal = statement.Principal
  return principal == "*" or type(principal) == "table" and list(principal.AWS)[1] == "*"
end

--- Does "s3:Get*" cover "s3:GetObject"?
local function covers(pattern, text)
  local escaped = tostring(pattern):gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".")
  return text:find("^" .. escaped .. "$") ~= nil
end

local function any(patterns, text)
  for _, pattern in ipairs(list(patterns)) do
    if covers(pattern, text) then return true end
  end
  return false
end

--- Does the policy let everybody do this?
---@param bucket table
---@param action string|nil "s3:GetObject"
---@param key string
---@return boolean
function policy.allows(bucket, action, key)
  local restricted = bucket.access_block and bucket.access_block.RestrictPublicBuckets
  if not bucket.policy or not action or restricted then return false end
  local resource = "arn:aws:s3:::" .. bucket.name .. (key ~= "" and "/" .. key or "")
  for _, statement in ipairs(bucket.policy.statements) do
    if any(statement.Action, action) and any(statement.Resource, resource) then return true end
  end
  return false
end

local function statements(text)
  local ok, found = pcall(json.decode, text)
  if not ok or type(found) ~= "table" or type(found.Statement) ~= "table" then errors.raise "InvalidArgument" end
  local all = found.Statement[1] and found.Statement or { found.Statement }
  for _, statement in ipairs(all) do
    if statement.Effect ~= "Allow" or statement.Condition or not for_everybody(statement) then
      errors.raise "NotImplemented"
    end
  end
  return all
end

local handlers = {}

function handlers.put_policy(_, request)
  local text = payload.text(request)
  local found = statements(text)
  if request.bucket.access_block and request.bucket.access_block.BlockPublicPolicy then errors.raise "AccessDenied" end
  request.bucket.policy = { text = text, statements = found }
  return { status = 204 }
end

function handlers.get_policy(_, request)
  local set = request.bucket.policy
  if not set then errors.raise("NoSuchBucketPolicy", { message = "The bucket policy does not exist" }) end
  return { status = 200, headers = { ["content-type"] = "application/json" }, body = set.text }
end

function handlers.delete_policy(_, request)
  request.bucket.policy = nil
  return { status = 200 }
end

function handlers.policy_status(_, request)
  local public = acl.is_public(request.bucket.acl) or request.bucket.policy ~= nil
  return document.answer(200, "PolicyStatus", { element("IsPublic", public) })
end

function handlers.put_access_block(_, request)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok then errors.raise "MalformedXML" end
  local block = {}
  for _, name in ipairs(BLOCKS) do block[name] = root:text_of(name) == "true" end
  request.bucket.access_block = block
  return { status = 200 }
end

--- RGW 16 misspells the name of the document.
function handlers.get_access_block(_, request)
  local found = {}
  for i, name in ipairs(BLOCKS) do found[i] = element(name, (request.bucket.access_block or {})[name] == true) end
  return document.answer(200, "BlockPublicAccessBlockConfiguration", found, true)
end

function handlers.delete_access_block(_, request)
  request.bucket.access_block = nil
  return { status = 200 }
end

policy.handlers = handlers

return policy
