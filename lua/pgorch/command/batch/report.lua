-- pgorch batch report BATCH --html DIR: a page about all rows, and one for each run.

local fail  = require "pgorch.error"
local named = require "pgorch.batch.named"
local term  = require "pgorch.term"

local word = {}

local FLAGS = { { name = "html", type = "path" } }

local USAGE = "pgorch batch report BATCH --html DIR"

---@param st pgorch.Store
---@param batch pgorch.BatchRead
---@param folder string
function word.write(st, batch, folder)
  require("pgorch.batch.page").write(st, batch, folder)
  term.err(("the report is in %s/index.html\n"):format(folder))
end

function word.run(argv)
  local words, host = named.words(argv, FLAGS, USAGE)
  if not host.html then fail.raise("PGO-USAGE", "no folder is named: " .. USAGE) end
  local st <close>, name = named.open(words, host, USAGE)
  named.no_more(words, USAGE)
  word.write(st, st:batch(name), host.html)
  return 0
end

return word
