-- pgorch batch validate MANIFEST: is every row as it must be, and what stands in its way? Touches nothing.

local examine  = require "pgorch.batch.examine"
local fail     = require "pgorch.error"
local manifest = require "pgorch.batch.manifest"
local progress = require "pgorch.runner.progress"
local term     = require "pgorch.term"

local word = {}

---The manifest that the words name, and the flags.
---@param argv string[]
---@param verb string
---@return pgorch.batch.Manifest
---@return table host
function word.manifest(argv, verb)
  local path = table.remove(argv, 1)
  if path and not path:match "^%-" then return manifest.read(path, argv) end
  fail.raise("PGO-USAGE", ("no manifest is named: pgorch batch %s MANIFEST"):format(verb))
end

function word.run(argv)
  local batch, host = word.manifest(argv, "validate")
  progress.new(host)                                    -- with --json: the line with the version
  local of = host.check ~= false and examine.rows(batch, batch.rows, { quiet = host.quiet or host.json }) or {}
  term.out((host.json and examine.lines or examine.text)(batch, batch.rows, of))
  for _, text in ipairs(examine.warnings(batch, of)) do term.err(("warning: %s\n"):format(text)) end
  local counts = examine.counts(of)
  return counts.refused > 0 and 4 or counts.unknown > 0 and 6 or 0
end

return word
