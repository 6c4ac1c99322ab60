-- pgorch batch WORD: many databases from one manifest. Each word is a file in command/batch/.

local fail     = require "pgorch.error"
local flags    = require "pgorch.batch.flags"
local resource = require "pgorch.resource"
local values   = require "pgorch.recipe.values"

-- Those of single words, beside those that `validate`, `run` and `submit` have.
local all = { { name = "watch", type = "boolean", help = "of status: look again until the batch is over" },
              { name = "html", type = "path", value = "DIR", help = "of report: where the pages go" } }
table.move(flags.LIST, 1, #flags.LIST, #all + 1, all)

local command = {
  takes_flags = true,
  flags = all,
  summary = "move many databases: pgorch batch validate | run | submit | status | retry ...",
  usage = [[
pgorch batch validate MANIFEST [FLAGS]   look at every row, as `pgorch check` does, without touching anything
       pgorch batch run MANIFEST [FLAGS]        move them on this machine; again: only what is not done
       pgorch batch submit MANIFEST [FLAGS]     hand them to the workers of the record: `pgorch worker`
       pgorch batch status [BATCH] [--json] [--watch]
       pgorch batch retry BATCH [ROW ...]       rows that did not end well are tried again
       pgorch batch approve BATCH [ROW ...]     the next wave after a canary; with rows: the gates at which they wait
       pgorch batch pause | continue | drain BATCH
       pgorch batch report BATCH --html DIR     a page of all rows, and one for each run
  MANIFEST is a .csv, .json or .lua file, or the name of one that is built in; BATCH the name of a batch, or its
  manifest. What a .lua manifest has of parameters of its own is given as flags, too.]],
}

local function words()
  local names = {}
  for _, path in ipairs(resource.list "pgorch/command/batch/") do
    names[#names + 1] = path:match "^pgorch/command/batch/(%w+)%.lua$"
  end
  return names
end

function command.run(argv)
  local word = table.remove(argv, 1)
  if not word then
    fail.raise("PGO-USAGE", "what is to be done with a batch is not named", { detail = "usage: " .. command.usage })
  end
  if word:match "^%l+$" and resource.find(("pgorch/command/batch/%s.lua"):format(word)) then
    return require("pgorch.command.batch." .. word).run(argv)
  end
  fail.raise("PGO-USAGE", ("pgorch batch: there is no word `%s`%s"):format(word, values.hint(word, words())),
    { detail = "usage: " .. command.usage })
end

return command
