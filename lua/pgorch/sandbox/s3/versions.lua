-- The objects of a bucket by key, and their older versions where those are kept. `bucket.objects` has what is seen
-- without a version's id; `bucket.versions`, by key, everything, the newest first, delete markers too. Owns the files:
-- what is neither seen nor kept any more is removed.

local crypto = require "pgorch.crypto"
local files = require "pgorch.sandbox.s3.files"

local versions = {}

local NULL = "null" -- the version of what was written before versions were kept

local SPELLED = { ["+"] = "-", ["/"] = ".", ["="] = "" }

local function new_id() return (crypto.base64(crypto.random(23)):gsub("[+/=]", SPELLED)) end

--- Everything kept under a key, the newest first; what was there before versions were kept is among it.
local function history(bucket, key)
  local kept = bucket.versions[key]
  if not kept then
    kept = {}
    local seen = bucket.objects[key]
    if seen then
      seen.version = NULL
      kept[1] = seen
    end
    bucket.versions[key] = kept
  end
  return kept
end

local function drop(bucket, key, kept, i)
  local gone = table.remove(kept, i)
  if gone.files then files.discard(gone.files) end
  if #kept == 0 then bucket.versions[key] = nil end
  bucket.objects[key] = kept[1] and not kept[1].marker and kept[1] or nil
  return gone
end

--- Puts a version on top. While versions are suspended there is only one without an id.
local function push(bucket, key, entry)
  local kept = history(bucket, key)
  entry.version = bucket.versioning == "Enabled" and new_id() or NULL
  for i = #kept, 1, -1 do
    if entry.version == NULL and kept[i].version == NULL then drop(bucket, key, kept, i) end
  end
  bucket.versions[key] = kept
  table.insert(kept, 1, entry)
  bucket.objects[key] = not entry.marker and entry or nil
end

--- Makes an object visible, in the place of the one that had its key, or above it.
---@param bucket table
---@param key string
---@param object { files: pgorch.sandbox.s3.Files, size: integer, etag: string, modified: number, type: string,
---  acl: string, meta: table }
function versions.publish(bucket, key, object)
  if bucket.versioning then return push(bucket, key, object) end
  local old = bucket.objects[key]
  bucket.objects[key] = object
  if old then files.discard(old.files) end
end

--- The object of that key and version; of no version: what is seen. A delete marker has `marker`.
---@param bucket table
---@param key string
---@param version? string
---@return table|nil
function versions.lookup(bucket, key, version)
  if not version or version == "" then return bucket.objects[key] end
  for _, entry in ipairs(bucket.versions[key] or {}) do
    if entry.version == version then return entry end
  end
  return version == NULL and not bucket.versions[key] and bucket.objects[key] or nil
end

local function delete_seen(bucket, key)
  local object = bucket.objects[key]
  bucket.objects[key] = nil
  if object then files.discard(object.files) end
end

local function delete_version(bucket, key, version)
  if not bucket.versions[key] and version == NULL then delete_seen(bucket, key) end
  for i, entry in ipairs(bucket.versions[key] or {}) do
    if entry.version == version then
      drop(bucket, key, bucket.versions[key], i)
      return { version = version, marker = entry.marker }
    end
  end
  return { version = version }
end

--- Deletes a version, or what is seen: where versions are kept, that only puts a marker on top.
---@param bucket table
---@param key string
---@param version? string
---@param now number
---@return { version: string?, marker: boolean? } done
function versions.delete(bucket, key, version, now)
  if version and version ~= "" then return delete_version(bucket, key, version) end
  if bucket.versioning then
    local marker = { marker = true, modified = now }
    push(bucket, key, marker)
    return marker
  end
  delete_seen(bucket, key)
  return {}
end

--- Is there anything in the bucket, seen or not?
---@param bucket table
---@return boolean
function versions.is_empty(bucket) return not next(bucket.objects) and not next(bucket.versions) end

--- All versions, under names that sort as a listing has them: by key, the newest first.
---@param bucket table
---@return table<string, { key: string, entry: table, latest: boolean }>
function versions.all(bucket)
  local found = {}
  for key in pairs(bucket.objects) do
    if not bucket.versions[key] then
      found[key .. "\0000001"] = { key = key, entry = bucket.objects[key], latest = true }
    end
  end
  for key, kept in pairs(bucket.versions) do
    for i, entry in ipairs(kept) do
      found[("%s\0%06d"):format(key, i)] = { key = key, entry = entry, latest = i == 1 }
    end
  end
  return found
end

--- Empties a bucket of all that it has.
---@param bucket table
function versions.clear(bucket)
  for _, each in pairs(versions.all(bucket)) do
    if each.entry.files then files.discard(each.entry.files) end
  end
  bucket.objects, bucket.versions = {}, {}
end

return versions
