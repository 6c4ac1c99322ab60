-- "Dump the Database" and "Upload the File" as one stream: pg_dump writes into a multipart upload, without a file.
-- The upload is completed only after pg_dump has ended well; until then the object does not exist. With --spool the
-- dump goes into a file first, which is gone once it is uploaded.

local recipe    = require "pgorch.recipe"
local dump      = require "pgorch.dump"
local dump_snapshot = require "pgorch.dump_snapshot"
local fs        = require "pgorch.fs"
local task      = require "pgorch.task"
local pg_client = require "pgorch.pg_client"
local spool     = require "pgorch.dump.spool"
local times     = require "pgorch.plan.times"
local values    = require "pgorch.recipe.values"

local function prefix(ctx)
  return ("pgorch/%s/"):format(ctx.run.id)
end

local function dump_options(ctx, client)
  local total = values.show_size(ctx.result.size.bytes)
  local how, notes = dump.how(ctx.params, client)
  for _, note in ipairs(notes) do ctx:note(note) end
  return { source = ctx.source, client = client, dir = ctx.run.dir, log = ctx.run.dir .. "/pg_dump.log",
           compress = how.compress, readers = how.readers, snapshot = dump_snapshot.id(ctx),
           progress = function(state, bytes) ctx:progress(dump.progress(state, bytes, total)) end }
end

local function stream(ctx, client, memory)
  return dump.run(dump_options(ctx, client), function(archive, state)
    return ctx.store:upload(memory.key, archive, { head = state.archive })
  end)
end

local function discard(ctx, kept)
  local left = spool.remove(kept)
  if left then ctx:warn(left) end
end

-- The file that is there, or another.
local function spooled(ctx, client, memory)
  local mark, kept = ctx.result.fingerprint.mark, memory.spool
  local stands, why = spool.stands(kept, ctx.source)
  if stands then
    ctx:note(("the dump in %s is whole, and nothing was written since: it is uploaded"):format(kept.path))
    return kept
  end
  if why then ctx:note("dumped again: " .. why) end
  if kept then discard(ctx, kept) end
  memory.spool = spool.at(spool.path(ctx.params.spool, ctx.run.id, ctx.run.attempt, memory.try))
  ctx:remember(memory)
  memory.spool = spool.write(dump_options(ctx, client), memory.spool.path)
  memory.spool.mark = mark
  ctx:remember(memory)
  return memory.spool
end

local function by_file(ctx, client, memory)
  local kept = spooled(ctx, client, memory)
  local up = ctx.store:upload(memory.key, (fs.source(kept.path)), { progress = function(bytes)
    ctx:progress { bytes = bytes, total = kept.bytes, text = "uploading " .. kept.path }
  end })
  fs.remove(kept.path)
  memory.spool = nil
  ctx:remember(memory)
  up.sha256 = kept.sha256
  return up
end

-- What earlier attempts of this run left in the bucket: parts are billed until they are aborted.
local function clear(ctx)
  ctx.store:abort_stale_uploads(prefix(ctx))
  for _, object in ipairs(ctx.store:list(prefix(ctx))) do ctx.store:delete(object.key) end
end

-- A transfer is recognised by this path, so no two dumps of a run may have the same.
local function next_key(ctx)
  local try = ctx.recall and (ctx.recall.try or 1) + 1 or 1
  return ("%s%d%s.dump"):format(prefix(ctx), ctx.run.attempt, try > 1 and "-" .. try or ""), try
end

local function remembered(ctx)
  local key, try = next_key(ctx)
  local memory = { key = key, try = try, spool = ctx.recall and ctx.recall.spool }
  if memory.spool and not ctx.params.spool then          -- it is resumed without
    discard(ctx, memory.spool)
    memory.spool = nil
  end
  ctx:remember(memory)
  return memory
end

local function run(ctx)
  if ctx.recall then clear(ctx) end
  local memory = remembered(ctx)
  local major = ctx.result.preflight_target.target_major
  local client = pg_client.choose(ctx.result.preflight.source_major, major)
  local started = task.now()
  local up = (ctx.params.spool and by_file or stream)(ctx, client, memory)
  local seconds = task.now() - started
  if up.offsets == false then ctx:note(dump.WITHOUT_PLACES) end
  ctx:progress { bytes = up.bytes }            -- the figures of a finished step are the dump's own
  ctx:note(("dump of %s in %s"):format(values.show_size(up.bytes), values.show_duration(seconds)))
  return { key = memory.key, bytes = up.bytes, parts = up.parts, etag = up.etag, sha256 = up.sha256, seconds = seconds,
           client = client.version }
end

local function check(ctx, result)
  local object = ctx.store:head_object(result.key)
  return object ~= nil and object.size == result.bytes
end

local function undo(ctx, did)
  if did.spool then discard(ctx, did.spool) end
  if ctx.store:head() ~= "free" then clear(ctx) end         -- `pgorch cleanup` may have removed the bucket
  ctx:put_back "object deleted"
end

-- With the keys of the storage in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
local BY_HAND = [[aws s3 rm --recursive s3://%s/%s --endpoint-url %s
aws s3api list-multipart-uploads --bucket %s --prefix %s --endpoint-url %s ]]
  .. [[--query 'Uploads[].[UploadId,Key]' --output text | while read -r id key; do [ "$key" ] && ]]
  .. [[aws s3api abort-multipart-upload --bucket %s --key "$key" --upload-id "$id" --endpoint-url %s; done]]

local function by_hand(ctx, did)
  local name, under, url = ctx.store.name, prefix(ctx), ctx.store:endpoint()
  local file = did.spool and ("rm -f '%s'\n"):format(did.spool.path:gsub("'", "'\\''")) or ""
  return file .. BY_HAND:format(name, under, url, name, under, url, name, url)
end

-- Of the first attempt: another one has another number.
local function plan(ctx)
  local about = "~" .. values.show_size(times.dump_bytes(ctx.result.size, times.rates(ctx)))
  local object = { ("+ object %s1.dump in %s"):format(prefix(ctx), ctx.store.name), about = about }
  local dir = ctx.params.spool
  if not dir then return object end
  return { { ("+ file %s, until it is uploaded"):format(spool.path(dir, ctx.run.id, 1, 1)), about = about }, object }
end

return recipe.step {
  id = "dump_to_store", title = "Dump the database into object storage", effect = "write", run = run, check = check,
  way = "archive",
  undo = undo, undo_when = "failure", needs = { "size", "preflight", "preflight_target" }, stands = function(result)
    return result.bytes and "the dump is in the bucket" or "parts of the dump may be in the bucket"
  end,
  plan = plan, estimate = function(ctx) return times.dump(ctx.result.size, times.rates(ctx)) end, undo_estimate = 20,
  by_hand = by_hand,
}
