-- The URL that Heroku downloads the dump from: signed for as long as queue and restore may take, and tried before use.
-- It is a secret; it lives in memory only and is made anew when there is none.

local fail = require "pgorch.error"
local task = require "pgorch.task"

local M = {}

local HOUR = 3600

---How long a URL for so many bytes must live: queue, download and retries; at most the seven days that SigV4 allows.
---@param bytes integer
---@return integer seconds
function M.life(bytes)
  return math.min(7 * 24 * HOUR, HOUR + math.ceil(bytes / 2e6))
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

---A tried URL for the dump, kept for this process; another one when the last has little life left.
---@param ctx table
---@return any url secret
function M.get(ctx)
  local dump, kept = ctx.result.dump_to_store, ctx.live.signed_url
  if kept and kept.key == dump.key and kept.expires - task.now() > HOUR / 2 then return kept.url end
  local seconds = M.life(dump.bytes)
  local url = ctx.store:presign("GET", dump.key, seconds)
  M.try(ctx.store, url, dump.bytes)
  ctx:keep("signed_url", { url = url, key = dump.key, expires = task.now() + seconds })
  return url
end

return M
