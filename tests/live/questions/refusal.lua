-- Questions about restores that cannot go well: what is refused at once, what fails, and in which words. Among them are
-- empty archives of each version, by which Heroku's pg_restore tells its own version and what it can decompress.

local answer  = require "answer"
local archive = require "archive"

-- The last words of a log, for people.
local function last(live, lines)
  return answer.mask(table.concat(lines, "\n", math.max(1, #lines - 4)), live.names)
end

local function attempt(live, o)
  local asked, state, lines = live:restore_to_the_end(o)
  if not state then return { refused = answer.outcome(asked, live.names) } end
  return { status = asked.status, ended = state, said = last(live, lines) }
end

local function body(live, fields)
  return { refused = answer.outcome(live:database("POST", "/restores", fields), live.names) }
end

-- Restores the bytes as an object of their own.
local function of_bytes(live, name, bytes)
  local key = live.prefix .. name
  live.store:put(key, bytes)
  local asked, state, lines = live:restore_to_the_end { key = key }
  live.store:delete(key)
  if not state then return { refused = answer.outcome(asked, live.names) } end
  local all = table.concat(lines, "\n")
  return { ended = state, unsupported_version = all:find("unsupported version", 1, true) ~= nil,
    unsupported_compression = all:find("does not support compression", 1, true) ~= nil, said = last(live, lines) }
end

local function of_archive(minor, compression, about)
  local name = compression or "1_" .. minor
  return { id = "restore.archive_" .. name, about = about,
    ask = function(live) return of_bytes(live, name .. ".dump", archive.empty(minor, compression)) end }
end

-- Some twenty restores were asked for by now, and a restore says num_keep = 5.
local function kept(live)
  local listed = 0
  for _, each in ipairs(live:transfers("GET", "").value) do
    if each.to_type == "pg_restore" then listed = listed + 1 end
  end
  return { more_than_five = listed > 5 }
end

local function reset(live)
  local reply = live:database("PUT", "/reset", {})
  return { status = reply.status, shape = answer.shape(reply.value) }
end

return {
  { id = "restore.no_url", about = "A restore without a URL", ask = function(live) return body(live, {}) end },
  { id = "restore.bad_url", about = "A restore from what is no URL",
    ask = function(live) return attempt(live, { url = "no-url-at-all" }) end },
  { id = "restore.missing_object", about = "A signed URL of an object that is not there",
    ask = function(live) return attempt(live, { key = live.prefix .. "not-there" }) end },
  { id = "restore.unreachable", about = "A URL that cannot be reached (\"Could not initialize transfer\"?)",
    ask = function(live) return attempt(live, { url = "https://127.0.0.1:9/some.dump" }) end },
  { id = "restore.no_archive", about = "A URL that delivers no archive",
    ask = function(live) return of_bytes(live, "no-archive", "<html>This is no archive of pg_dump.</html>\n") end },
  { id = "restore.unknown_extension", about = "A restore that names an extension that is not offered",
    ask = function(live) return attempt(live, { extensions = { "no_such_extension" } }) end },
  of_archive(14, nil, "An archive of pg_dump 12 to 15"),
  of_archive(15, nil, "An archive of pg_dump 16: is Heroku's pg_restore 16 or newer?"),
  of_archive(16, nil, "An archive of pg_dump 17: is Heroku's pg_restore 17 or newer?"),
  of_archive(15, "lz4", "An archive compressed with lz4"),
  of_archive(15, "zstd", "An archive compressed with zstd"),
  { id = "transfer.kept", about = "Whether more restores are listed than num_keep says", ask = kept },
  { id = "reset.answer", about = "The answer to a reset", ask = reset },
}
