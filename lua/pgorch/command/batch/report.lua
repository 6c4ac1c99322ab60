-- pgorch batch report BATCH: what came of it, as a folder of pages (--html DIR), as an object for machines (--json), or
-- in short. Reads the record alone; a batch that goes on can be looked at too.

local named   = require "pgorch.batch.named"
local page    = require "pgorch.batch.page"
local fail    = require "pgorch.error"
local summary = require "pgorch.batch.summary"
local term    = require "pgorch.term"

local word = {}

local FLAGS = { { name = "json", type = "boolean" }, { name = "html", type = "path" } }

local USAGE = "pgorch batch report BATCH [--html DIR | --json]"

function word.run(argv)
  local words, host = named.words(argv, FLAGS, USAGE)
  if host.html and host.json then fail.raise("PGO-USAGE", "--html and --json: choose one") end
  local st <close>, name = named.open(words, host, USAGE)
  named.no_more(words, USAGE)
  local batch = st:batch(name)
  if host.html then
    page.write(st, batch, host.html)
    term.err(("written: %s/index.html\n"):format(host.html))
  else
    local it = summary.of(st, batch)
    term.out(host.json and summary.line(it) or summary.text(it))
  end
  return 0
end

return word
