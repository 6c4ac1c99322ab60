-- pgorch batch retry BATCH [ROW ...]: rows that failed, were refused, stopped or blocked may begin again.

local named = require "pgorch.batch.named"
local term  = require "pgorch.term"

local word = {}

local USAGE = "pgorch batch retry BATCH [ROW ...]"

function word.run(argv)
  local words, host = named.words(argv, {}, USAGE)
  local st <close>, name = named.open(words, host, USAGE)
  local ids = st:retry_rows(name, words)
  if #ids == 0 then
    term.out(("batch %s has no row that failed, was refused or stopped\n"):format(name))
    return 0
  end
  term.out(("%s: %s\nworkers of the record go on with them; on this machine: pgorch batch run MANIFEST\n"):format(
    #ids == 1 and "tried again" or ("%d rows are tried again"):format(#ids), table.concat(ids, ", ")))
  return 0
end

return word
