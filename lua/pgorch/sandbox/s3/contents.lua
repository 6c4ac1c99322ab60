-- Lists what is in a bucket: objects, by both versions of the request, and their older versions.

local buckets = require "pgorch.sandbox.s3.buckets"
local crypto = require "pgorch.crypto"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local listing = require "pgorch.sandbox.s3.listing"
local versions = require "pgorch.sandbox.s3.versions"

local contents = {}

local element = document.element

local function object_element(object, key, coded, with_owner)
  return element("Contents", {
    element("Key", listing.written(key, coded)), element("LastModified", buckets.iso(object.modified)),
    element("ETag", '"' .. object.etag .. '"'), element("Size", object.size), element("StorageClass", "STANDARD"),
    with_owner and document.owner(object.owner) or "", element("Type", "Normal"),
  })
end

--- Where a version 2 listing starts. The token is not the key as it stands: a client must not build one.
local function list_after(given)
  local token = given["continuation-token"]
  if not token then return given["start-after"] end
  local ok, key = pcall(crypto.unbase64, token)
  if not ok or not key then errors.raise "InvalidArgument" end
  return key
end

local function optional(name, value) return value and element(name, value) or "" end

local function page_elements(given, page)
  if given["list-type"] ~= "2" then
    return element("Marker", given.marker or "") .. optional("NextMarker", page.next)
  end
  return element("KeyCount", #page.keys + #page.prefixes) .. optional("StartAfter", given["start-after"])
    .. optional("ContinuationToken", given["continuation-token"])
    .. optional("NextContinuationToken", page.next and crypto.base64(page.next))
end

--- Keys are coded when that is asked for; prefixes and markers never are, at RGW.
function contents.list_objects(_, request)
  local given, bucket = request.arguments, request.bucket
  local second, coded = given["list-type"] == "2", given["encoding-type"] == "url"
  local limit = listing.page_size(given["max-keys"])
  local page = listing.page(bucket.objects, { prefix = given.prefix, delimiter = given.delimiter, limit = limit,
    after = second and list_after(given) or not second and given.marker or nil })
  local found = { element("Name", bucket.name), element("Prefix", given.prefix or ""), element("MaxKeys", limit),
    element("IsTruncated", page.next ~= nil), page_elements(given, page), optional("Delimiter", given.delimiter),
    coded and element("EncodingType", "url") or "" }
  for _, key in ipairs(page.keys) do
    found[#found + 1] = object_element(bucket.objects[key], key, coded, not second or given["fetch-owner"] == "true")
  end
  for _, prefix in ipairs(page.prefixes) do
    found[#found + 1] = element("CommonPrefixes", { element("Prefix", prefix) })
  end
  return document.answer(200, "ListBucketResult", found)
end

local function version_element(bucket, each, coded)
  local entry = each.entry
  local inner = { element("Key", listing.written(each.key, coded)), element("VersionId", entry.version or "null"),
    element("IsLatest", each.latest), element("LastModified", buckets.iso(entry.modified)) }
  if not entry.marker then
    inner[#inner + 1] = element("ETag", '"' .. entry.etag .. '"') .. element("Size", entry.size)
      .. element("StorageClass", "STANDARD")
  end
  inner[#inner + 1] = document.owner(entry.owner or bucket.owner) .. element("Type", "Normal")
  return element(entry.marker and "DeleteMarker" or "Version", inner)
end

--- Where a page of versions starts: behind a version, or behind all of a key.
local function version_after(all, given)
  local key, version = given["key-marker"], given["version-id-marker"]
  if not key then return nil end
  for name, each in pairs(all) do
    if version and each.key == key and (each.entry.version or "null") == version then return name end
  end
  return key .. "\0\xff"
end

function contents.list_versions(_, request)
  local given, bucket = request.arguments, request.bucket
  local all, coded = versions.all(bucket), given["encoding-type"] == "url"
  local limit = listing.page_size(given["max-keys"])
  local page = listing.page(all, { prefix = given.prefix, limit = limit, after = version_after(all, given) })
  local last = page.next and all[page.keys[#page.keys]]
  local found = { element("Name", bucket.name), element("Prefix", given.prefix or ""), element("MaxKeys", limit),
    element("IsTruncated", last ~= nil), element("KeyMarker", given["key-marker"] or ""),
    element("VersionIdMarker", given["version-id-marker"] or ""), coded and element("EncodingType", "url") or "",
    last and element("NextKeyMarker", last.key) .. element("NextVersionIdMarker", last.entry.version or "null") or "" }
  for _, name in ipairs(page.keys) do found[#found + 1] = version_element(bucket, all[name], coded) end
  return document.answer(200, "ListVersionsResult", found)
end

return contents
