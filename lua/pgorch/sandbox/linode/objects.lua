-- Objects in the Linode stand-in's buckets: the list, ACLs, and URLs signed for whoever gets them, by Signature Version
-- 2 in the query, path style, as the real call gives them. Written apart from every other signature in this program.

local answer = require "pgorch.sandbox.linode.answer"
local buckets = require "pgorch.sandbox.linode.buckets"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"

local objects = {}

local DEFAULT_EXPIRES = 3600
local METHODS = { GET = true, PUT = true, POST = true, DELETE = true }

local function escape(text, kept)
  return (text:gsub("[^%w%-_.~" .. (kept or "") .. "]", function(char) return ("%%%02X"):format(char:byte()) end))
end

--- The URL: the signature covers the method, the content type, the end of its life and the path.
local function signed_url(state, bucket, given)
  local path = ("/%s/%s"):format(bucket, escape(given.name, "/"))
  local expires = tostring(math.floor(clock.time()) + (given.expires_in or DEFAULT_EXPIRES))
  local disposition = given.content_disposition and "response-content-disposition=" .. given.content_disposition
  local signed = table.concat({ given.method, "", given.content_type or "", expires,
    path .. (disposition and "?" .. disposition or "") }, "\n")
  local signature = crypto.base64(crypto.hmac_sha1(state.signer.secret_key, signed, "raw"))
  return ("%s%s?Signature=%s&Expires=%s&AWSAccessKeyId=%s%s"):format(state.s3.url, path, escape(signature), expires,
    state.signer.access_key, disposition and "&" .. disposition or "")
end

local function wrong_url(given)
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  if not METHODS[given.method] then return answer.error(400, "Must be one of GET, PUT, POST, DELETE", "method") end
  if type(given.name) ~= "string" or given.name == "" then return answer.error(400, "name is required", "name") end
  if (given.method == "PUT" or given.method == "POST") and type(given.content_type) ~= "string" then
    return answer.error(400, "content_type is required", "content_type")
  end
  if given.content_disposition ~= nil and given.content_disposition ~= "attachment" then
    return answer.error(400, "Must be attachment", "content_disposition")
  end
end

local function wrong_life(state, seconds)
  if seconds == nil then return nil end
  local least, most = 1, math.maxinteger
  if state.expires_range then least, most = table.unpack(state.expires_range) end
  if math.type(seconds) ~= "integer" or seconds < least or seconds > most then
    return answer.error(400, ("Must be %d-%d"):format(least, most), "expires_in")
  end
end

--- With a real object store in the endpoint's place a URL can still be signed; whether the object exists is not known.
function objects.url(state, request)
  local given = request.json
  local refused = wrong_url(given) or wrong_life(state, given.expires_in)
  if refused then return refused end
  local name = request.captures[2]
  if not state.s3.add_key then
    return answer.json(200, { url = signed_url(state, name, given), exists = true })
  end
  return buckets.with(function(_, _, bucket)
    return answer.json(200, { url = signed_url(state, name, given), exists = bucket.objects[given.name] ~= nil })
  end)(state, request)
end

local function entry_of(bucket, key)
  local object = bucket.objects[key]
  return { name = key, size = object.size, etag = object.etag, last_modified = answer.time(object.modified),
    owner = bucket.owner.id }
end

local function prefix_of(name)
  return { name = name, size = json.null, etag = json.null, last_modified = json.null, owner = json.null }
end

objects.list = buckets.with(function(state, request, bucket)
  local given = request.arguments
  local size = math.tointeger(tonumber(given.page_size or 100))
  if not size or size < 1 or size > 1000 then return answer.error(400, "Must be 1-1000", "page_size") end
  local page = state.s3:page(bucket, { prefix = given.prefix, delimiter = given.delimiter, after = given.marker,
    limit = size })
  local data = json.array {}
  for _, key in ipairs(page.keys) do data[#data + 1] = entry_of(bucket, key) end
  for _, name in ipairs(page.prefixes) do data[#data + 1] = prefix_of(name) end
  return answer.json(200, { data = data, is_truncated = page.next ~= nil, next_marker = page.next or json.null })
end)

--- Runs a handler with the object whose name is given.
local function with_object(name_of, handler)
  return buckets.with(function(state, request, bucket)
    local object = bucket.objects[name_of(request) or ""]
    if not object then return answer.error(404, "Not found") end
    return handler(state, request, bucket, object)
  end)
end

local function acl_answer(state, bucket, object)
  return answer.json(200, { acl = object.acl, acl_xml = state.s3:acl_document(bucket, object.acl) })
end

objects.acl = with_object(function(request) return request.arguments.name end,
  function(state, _, bucket, object) return acl_answer(state, bucket, object) end)

objects.set_acl = with_object(function(request) return type(request.json) == "table" and request.json.name end,
  function(state, request, bucket, object)
    if not buckets.ACLS[request.json.acl] then return answer.error(400, "Must be a canned ACL", "acl") end
    object.acl = request.json.acl
    return acl_answer(state, bucket, object)
  end)

return objects
