-- Who is granted what on a bucket or an object: canned ACLs, their document, and the blocks against public ones.

local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local payload = require "pgorch.sandbox.s3.payload"
local xml = require "pgorch.xml"

local acl = {}

local element = document.element
local GROUPS = "http://acs.amazonaws.com/groups/global/"
local XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="%s"'

--- What strangers are granted by each canned ACL: group and permission.
local CANNED = {
  ["private"] = {},
  ["public-read"] = { { "AllUsers", "READ" } },
  ["public-read-write"] = { { "AllUsers", "READ" }, { "AllUsers", "WRITE" } },
  ["authenticated-read"] = { { "AuthenticatedUsers", "READ" } },
}

--- Is anybody but the owner granted anything?
---@param canned string
---@return boolean
function acl.is_public(canned) return #CANNED[canned] > 0 end

local function refuse_public(bucket, canned)
  local block = bucket and bucket.access_block
  if block and block.BlockPublicAcls and acl.is_public(canned) then errors.raise "AccessDenied" end
  return canned
end

--- The canned ACL that a request asks for in its headers.
---@param request table
---@return string|nil
function acl.requested(request)
  local name = request.headers["x-amz-acl"]
  if name == nil then return nil end
  if name == "bucket-owner-full-control" or name == "bucket-owner-read" then return "private" end
  if not CANNED[name] then errors.raise "InvalidArgument" end
  return refuse_public(request.bucket, name)
end

--- Is this account (nil: nobody, unsigned) granted the permission on a thing in the bucket?
---@param bucket table
---@param owner table
---@param canned string
---@param account table|nil
---@param permission "READ"|"WRITE"
---@return boolean
function acl.grants(bucket, owner, canned, account, permission)
  if account == owner then return true end
  if bucket.access_block and bucket.access_block.IgnorePublicAcls then return false end
  for _, grant in ipairs(CANNED[canned]) do
    if grant[2] == permission and (grant[1] == "AllUsers" or account) then return true end
  end
  return false
end

local function grant(grantee, permission, kind)
  return element("Grant", { element("Grantee", grantee, XSI:format(kind)), element("Permission", permission) })
end

--- The AccessControlPolicy of a thing: groups first, as RGW sorts them.
---@param owner table
---@param canned string
---@return table answer
function acl.answer(owner, canned)
  local who, grants = { element("ID", owner.id), element("DisplayName", owner.name) }, {}
  for i, each in ipairs(CANNED[canned]) do
    grants[i] = grant({ element("URI", GROUPS .. each[1]) }, each[2], "Group")
  end
  grants[#grants + 1] = grant(who, "FULL_CONTROL", "CanonicalUser")
  return document.answer(200, "AccessControlPolicy", { element("Owner", who), element("AccessControlList", grants) })
end

local function granted(node, found)
  for _, child in ipairs(node) do
    if child.name:match("([^:]+)$") == "URI" then
      found[child.text:sub(#GROUPS + 1)] = true
    end
    granted(child, found)
  end
  return found
end

--- The canned ACL that comes nearest to the one in the body of a PUT ?acl.
---@param request table
---@return string
function acl.from_body(request)
  local text = payload.text(request)
  local ok, root = pcall(xml.parse, text)
  if not ok then errors.raise "InvalidArgument" end
  local found = granted(root, {})
  if found.AllUsers then
    return refuse_public(request.bucket, text:find("WRITE<", 1, true) and "public-read-write" or "public-read")
  end
  return refuse_public(request.bucket, found.AuthenticatedUsers and "authenticated-read" or "private")
end

return acl
