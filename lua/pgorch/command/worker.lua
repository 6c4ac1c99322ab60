-- pgorch worker --recipes DIR: works on the batches of a record that several machines share, until a signal ends it.

local Board      = require "pgorch.batch.board"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local owner      = require "pgorch.runner.owner"
local secret     = require "pgorch.secret"
local store      = require "pgorch.store"
local worker     = require "pgorch.batch.worker"

local command = {
  summary = "work on batches that are on record, on any number of machines",
  usage = "pgorch worker --recipes DIR [--slots N] [--batch NAME] [--once]\n"
    .. "  --recipes DIR        runs only recipes in there, and built-in ones, that are those that were submitted\n"
    .. "  --slots N            rows at once (2)\n"
    .. "  --batch NAME         this batch alone\n"
    .. "  --once               ends when no batch has anything left to do\n"
    .. "  --drain-timeout S    seconds that rows at work have after SIGTERM, before they are stopped safely (600)\n"
    .. "  --secrets DIR        rows may read their secrets from files in there; without it from variables alone\n"
    .. "  --allow-commands     rows may run commands: --accept, --on-freeze, --on-thaw, --NAME-command"
    .. invocation.RECORD_USAGE,
}

command.flags = invocation.with_record {
  { name = "recipes", type = "path" }, { name = "slots", type = "integer" }, { name = "batch", type = "string" },
  { name = "once", type = "boolean" }, { name = "drain-timeout", type = "duration" },
  { name = "secrets", type = "path" }, { name = "allow-commands", type = "boolean" },
}

local SLOTS, DRAIN_SECONDS = 2, 600

local function check(host)
  if not host.recipes then
    fail.raise("PGO-USAGE", "--recipes is missing: a worker runs only recipes of a folder that is named", {
      cure = "pgorch worker --recipes DIR; an empty folder allows the built-in ones." })
  end
  if host.slots and host.slots < 1 then fail.raise("PGO-USAGE", "--slots: at least 1 is needed") end
end

function command.run(arguments)
  local word, host = invocation.simple(arguments, command.flags, command.usage)
  if word then fail.raise("PGO-USAGE", ("too many words: %s"):format(word), { detail = command.usage }) end
  check(host)
  local url = invocation.store_url(host) or store.default_url()
  local st <close> = store.open(url)
  if host.batch then st:batch(host.batch) end
  -- Of the rows that others work on, those have logs of their own.
  local board <close> = Board.new { mode = "plain", own = owner.this() }
  local ended = worker.run { store = st, state = secret.new(url), slots = host.slots or SLOTS, batch = host.batch,
    recipes = host.recipes, secrets = host.secrets, allow_commands = host["allow-commands"], once = host.once,
    drain_timeout = host["drain-timeout"] or DRAIN_SECONDS, board = board }
  return ended.signals > 1 and 8 or 0
end

return command
