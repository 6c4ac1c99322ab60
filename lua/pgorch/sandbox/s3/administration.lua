-- What a provider's own API can do at the S3 stand-in, beside S3 itself: more keys of an account, limited to some of
-- its buckets, and the end of keys and accounts. Becomes methods of the endpoint.

local acl = require "pgorch.sandbox.s3.acl"
local buckets = require "pgorch.sandbox.s3.buckets"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local listing = require "pgorch.sandbox.s3.listing"
local versions = require "pgorch.sandbox.s3.versions"

local administration = { methods = {} }

local methods = administration.methods

local READS = { list_objects = true, head_bucket = true, get_object = true, head_object = true, location = true,
  get_bucket_acl = true, get_object_acl = true, policy_status = true, list_parts = true, list_uploads = true }

--- May a request with this key go on? A limited key knows the buckets it was made for, and nothing else.
---@param key { limits: table<string, string>? }|nil
---@param request { bucket_name: string?, operation: string }
function administration.check(key, request)
  local limits = key and key.limits
  if not limits then return end
  local permission = limits[request.bucket_name or ""]
  local may = permission == "read_write" and request.operation ~= "create_bucket"
    or permission == "read_only" and READS[request.operation]
  if not may then errors.raise "AccessDenied" end
end

--- Another key pair of an account.
---@param o { account: table?, buckets: table<string, "read_only"|"read_write">? } buckets: only these, by name
---@return { access_key: string, secret_key: string }
function methods:add_key(o)
  local access = crypto.hex(crypto.random(10)):upper()
  local secret = crypto.base64(crypto.random(30)):gsub("[+/]", "x")
  self.server.keys[access] = { account = o.account or self.account, secret = secret, limits = o.buckets }
  return { access_key = access, secret_key = secret }
end

--- A key stops working at once, and the URLs signed with it.
---@param access string
function methods:remove_key(access) self.server.keys[access] = nil end

--- A bucket of an account.
---@return table|nil bucket {name, created, acl, objects: by key {size, etag, modified, acl}}
function methods:bucket(name, account)
  local bucket = self.server.buckets[name]
  return bucket and bucket.owner == account and bucket or nil
end

--- Keys of a bucket, page by page.
---@param o { prefix: string?, delimiter: string?, after: string?, limit: integer }
---@return { keys: string[], prefixes: string[], next: string? }
function methods:page(bucket, o) -- luacheck: no self
  return listing.page(bucket.objects, o)
end

--- The document of a bucket's or an object's ACL.
---@return string xml
function methods:acl_document(bucket, canned) -- luacheck: no self
  return acl.answer(bucket.owner, canned).body
end

--- An account ends: its keys, its buckets, and what is in them.
---@param account table
function methods:remove_account(account)
  local server = self.server
  for access, key in pairs(server.keys) do
    if key.account == account then server.keys[access] = nil end
  end
  for _, bucket in pairs(server.buckets) do
    if bucket.owner == account then
      versions.clear(bucket)
      buckets.remove(server, bucket)
    end
  end
  server.accounts[account.id] = nil
end

return administration
