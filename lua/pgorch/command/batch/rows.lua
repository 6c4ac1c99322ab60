-- pgorch batch rows MANIFEST: evaluates a Lua manifest and prints its rows as one JSON value. For pgorch itself, which
-- starts it as a process of its own (batch/manifest.lua); an error is told in the same way.

local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local manifest = require "pgorch.batch.manifest"
local task     = require "pgorch.task"
local term     = require "pgorch.term"

local word = {}

local FIELDS = { "id", "kind", "message", "detail", "retryable", "status" }

local function told(err)
  local of, cure = {}, fail.cure(err)
  for _, field in ipairs(FIELDS) do of[field] = err[field] end
  of.cure = cure ~= "" and cure or nil
  return of
end

function word.run(argv)
  local path = table.remove(argv, 1)
  local ok, spec = xpcall(manifest.evaluate, fail.handler, path, argv)
  if not ok and task.cancelled(spec) then error(spec, 0) end
  term.out(json.encode(ok and spec or { error = told(spec) }) .. "\n")
  return 0
end

return word
