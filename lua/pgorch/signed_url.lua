-- The URL that Heroku downloads the dump from: signed for as long as queue and restore may take, and tried before use.
-- Signed here (Signature Version 4), or by the provider's API where a recipe says so. It is a secret; it lives in
-- memory only and is made anew when there is none.

local fail = require "pgorch.error"
local task = require "pgorch.task"

local M = {}

local HOUR = 3600

-- The shortest and longest life by signature: SigV4's seven days; what Linode's object-url takes.
local LIVES = { v4 = { 1, 7 * 24 * HOUR }, v2 = { 360, 24 * HOUR } }

---How long a URL for so many bytes must live: queue, download and retries; within what the signature allows.
---@param bytes integer
---@param signature? "v4"|"v2"
---@return integer seconds
function M.life(bytes, signature)
  local least, most = table.unpack(LIVES[signature or "v4"])
  return math.max(least, math.min(most, HOUR + math.ceil(bytes / 2e6)))
end

---Fetches the first bytes as Heroku would, without any header of ours, and wants the archive's magic and its size.
---@param bucket pgorch.s3.Bucket
---@param url any secret
---@param bytes integer
function M.try(bucket, url, bytes)
  local reply = bucket:try(url, "0-4")
  if reply.status ~= 206 and reply.status ~= 200 then
    fail.raise("PGO-URL", ("the storage answers the signed URL with status %d"):format(reply.status),
      { status = reply.status, detail = (reply.body or ""):sub(1, 500), retryable = reply.status >= 500 })
  end
  if reply.body:sub(1, 5) ~= "PGDMP" then
    fail.raise("PGO-URL", "what the signed URL delivers is not an archive of pg_dump")
  end
  local total = (reply.headers["content-range"] or ""):match("/(%d+)$")
  if total and math.tointeger(tonumber(total)) ~= bytes then
    fail.raise("PGO-URL", ("the signed URL delivers %s bytes, the dump has %d"):format(total, bytes))
  end
end

-- As step.presign { by = "provider", signature = "v2" } asks for it.
local function sign(store, how, key, seconds)
  if how.by ~= "provider" then return store:presign("GET", key, seconds) end
  if not store.provider_url then
    fail.raise("PGO-RECIPE", "presign { by = \"provider\" }: this recipe's object storage has no API that signs URLs")
  end
  return store:provider_url(key, seconds)
end

---A tried URL for the dump, kept for this process; another one when the last has little life left.
---@param ctx table
---@param how? {by: "provider"|nil, signature: "v4"|"v2"|nil}   default: as the step `presign` did it
---@return any url secret
function M.get(ctx, how)
  local dump, kept = ctx.result.dump_to_store, ctx.live.signed_url
  if kept and kept.key == dump.key and kept.expires - task.now() > HOUR / 2 then return kept.url end
  how = how or ctx.result.presign or {}
  local seconds = M.life(dump.bytes, how.signature)
  local url = sign(ctx.store, how, dump.key, seconds)
  M.try(ctx.store, url, dump.bytes)
  ctx:keep("signed_url", { url = url, key = dump.key, expires = task.now() + seconds })
  return url
end

return M
