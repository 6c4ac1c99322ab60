-- "Dump the Database" and "Upload the File" as one stream: pg_dump writes into a multipart upload, without a file.
-- The upload is completed only after pg_dump has ended well; until then the object does not exist.

local recipe    = require "pgorch.recipe"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local process   = require "pgorch.process"
local stream    = require "pgorch.stream"
local task      = require "pgorch.task"
local pg_client = require "pgorch.pg_client"
local values    = require "pgorch.recipe.values"

local function prefix(ctx)
  return ("pgorch/%s/"):format(ctx.run.id)
end

-- pg_dump --verbose says each table as it comes to it; the last lines are what to show when it fails.
local function follow_messages(ctx, messages, tail)
  local rest = ""
  for chunk in function() return messages:read() end do
    fs.append(ctx.run.dir .. "/pg_dump.log", chunk)
    rest = rest .. chunk
    for line in rest:gmatch("(.-)\n") do
      tail[#tail + 1] = line
      if #tail > 20 then table.remove(tail, 1) end
      tail.table = line:match('dumping contents of table "(.+)"$') or tail.table
    end
    rest = rest:match("([^\n]*)$")
  end
  if rest ~= "" then tail[#tail + 1] = rest end
end

local function dump_failed(ended, tail)
  return fail.new("PGO-DUMP", ("pg_dump ended with %s"):format(ended.signal and "signal " .. tostring(ended.signal)
    or "status " .. tostring(ended.code)), { detail = table.concat(tail, "\n"), status = ended.code })
end

-- The good end is given to the upload only after exit status 0: a cut dump must not become an object.
local function pump(proc, into, tail, said)
  proc.stdout:pipe(into, { keep_open = true })
  local ended = proc:wait()
  said:join()
  if ended.code == 0 then return into:finish() end
  local err = dump_failed(ended, tail)
  into:fail(err)
  error(err, 0)
end

local function transfer(ctx, client, key)
  local argv = pg_client.dump_argv(client, { snapshot = ctx.live.snapshot and ctx.result.fingerprint.snapshot })
  argv[#argv + 1] = "--verbose"
  argv.env, argv.stdout, argv.stderr = ctx.source:env(ctx.run.dir), "stream", "stream"
  local into, tail, uploaded = stream.new(), {}, nil
  local total = ctx.result.size.bytes
  task.group(function(g)
    local proc <close> = process.spawn(argv)
    local upload = g:spawn(function()
      return ctx.store:upload(key, into, { progress = function(bytes)
        ctx:progress { bytes = bytes, text = ("of a database of %s  %s"):format(values.show_size(total),
          tail.table or "") }
      end })
    end)
    local said = g:spawn(follow_messages, ctx, proc.stderr, tail)
    pump(proc, into, tail, said)
    uploaded = upload:join()
  end)
  return uploaded
end

-- What earlier attempts of this run left in the bucket: parts are billed until they are aborted.
local function clear(ctx)
  ctx.store:abort_stale_uploads(prefix(ctx))
  for _, object in ipairs(ctx.store:list(prefix(ctx))) do ctx.store:delete(object.key) end
end

local function run(ctx)
  local key = ("%s%s.dump"):format(prefix(ctx), ctx.run.attempt)
  if ctx.recall then clear(ctx) end
  ctx:remember { key = key }
  local major = ctx.result.preflight_target.target_major
  local client = pg_client.choose(ctx.result.preflight.source_major, major)
  local started = task.now()
  local up = transfer(ctx, client, key)
  local object = ctx.store:head_object(key)
  if not object or object.size ~= up.bytes then
    fail.raise("PGO-S3-INTEGRITY", ("%s has %s bytes, %d were sent"):format(key, object and object.size or "no",
      up.bytes), { retryable = true })
  end
  local seconds = task.now() - started
  ctx:note(("dump of %s in %s"):format(values.show_size(up.bytes), values.show_duration(seconds)))
  return { key = key, bytes = up.bytes, parts = up.parts, etag = up.etag, sha256 = up.sha256, seconds = seconds,
           client = client.version }
end

local function check(ctx, result)
  local object = ctx.store:head_object(result.key)
  return object ~= nil and object.size == result.bytes
end

local function undo(ctx)
  clear(ctx)
  ctx:put_back "object deleted"
end

return recipe.step {
  id = "dump_to_store", title = "Dump the database into object storage", effect = "write", run = run, check = check,
  undo = undo, undo_when = "failure",
  plan = function(ctx) return ("+ object %s1.dump in %s"):format(prefix(ctx), ctx.store.name) end,
  by_hand = function(ctx) return ("aws s3 rm --recursive s3://%s/%s"):format(ctx.store.name, prefix(ctx)) end,
}
