-- The batch that a word of a command line names: by its name, or by its manifest. Of a manifest only the name is read:
-- no row is made, no provider is asked.

local arguments  = require "pgorch.recipe.arguments"
local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local invocation = require "pgorch.invocation"
local manifest   = require "pgorch.batch.manifest"

local named = {}

local RECORD = { { name = "state-env", type = "string" }, { name = "state-file", type = "string" } }

---The words and flags of `pgorch batch WORD BATCH ...`.
---@param argv string[]
---@param flags table[]   besides those that name the record
---@param usage string
---@return string[] words
---@return table host
function named.words(argv, flags, usage)
  local list = { table.unpack(RECORD) }
  table.move(flags, 1, #flags, #list + 1, list)
  local state = arguments.parse(argv, arguments.flags({}, list))
  invocation.raise(state.problems, "PGO-USAGE", "usage: " .. usage)
  return state.words, state.host
end

local function is_manifest(word)
  return word:match "%.lua$" or word:match "%.csv$" or word:match "%.json$"
end

local function unknown(st, word)
  local names = {}
  for i, each in ipairs(st:batches()) do names[i] = each.name end
  fail.raise("PGO-BATCH-UNKNOWN", ("there is no batch %s in %s"):format(word, st.path),
    { detail = #names > 0 and "there are: " .. table.concat(names, ", ") or "there is none at all" })
end

---The name of a batch that is on record.
---@param st pgorch.Store
---@param word string
---@return string
function named.find(st, word)
  if st:find_batch(word) then return word end
  local name = is_manifest(word) and fs.exists(word) and manifest.name_of(word)
  if name and st:find_batch(name) then return name end
  return unknown(st, name or word)
end

---The record and the batch that the first word names. The caller closes the store.
---@param words string[]   the first is taken out
---@param host table
---@param usage string
---@return pgorch.Store
---@return string name
function named.open(words, host, usage)
  local word = table.remove(words, 1)
  if not word then fail.raise("PGO-USAGE", "no batch is named: `pgorch batch status` lists them",
    { cure = "usage: " .. usage }) end
  local st = invocation.find_store(host)
  local ok, name = pcall(named.find, st, word)
  if ok then return st, name end
  st:close()
  error(name, 0)
end

---Raises when words are left over.
---@param words string[]
---@param usage string
function named.no_more(words, usage)
  if #words > 0 then fail.raise("PGO-USAGE", "too many words: " .. table.concat(words, " "),
    { cure = "usage: " .. usage }) end
end

return named
