-- A batch as a Lua manifest writes it: many databases to move, and how they share the machines, the accounts and the
-- night. `return batch { name = ..., rows = function(p) ... end }`. Checks the shape and does nothing.

local fail   = require "pgorch.error"
local params = require "pgorch.recipe.params"
local values = require "pgorch.recipe.values"

local batch = {}

---@class pgorch.Batch
---@field name string
---@field summary string|nil
---@field params table<string, pgorch.Param>|nil   of the manifest itself, for rows(p): `--token-env VAR`
---@field rows table[]|fun(p: table, where: table): table[]   each {id=, recipe=, and parameters}; the function may
---  wait. p: the parameters, secrets among them; where: where those are, as a row names it, {token_env = "VAR"}
---@field window {opens: string, closes: string}|nil   "Sat 22:00 Europe/Oslo"
---@field limits {jobs?: integer, per_instance?: integer, per_provider?: integer, per_storage?: integer,
---  per_account?: integer|table<string, integer>}|nil
---@field canary {first: integer, then_wait?: "approve"|string|number, waves?: integer}|nil
---@field stop_after {failures?: integer, rate?: number}|nil
---@field attempts integer|nil         how often a row is tried when the trouble passes
---@field yes_cut_over boolean|nil     the gates of all rows are passed
---@field gates "ask"|nil              rows wait at their gates for `pgorch batch approve`
---@field on_refused "stop"|"skip"|nil   what happens when a row cannot be moved as it is
---@field open_allow_list boolean|nil  this machine may be put on closed allow lists, to look

local BATCH = {}
BATCH.__index = BATCH

---What a batch has besides its rows, in any kind of manifest.
batch.OPTIONS = { window = "table", limits = "table", canary = "table", stop_after = "table", attempts = "number",
                  yes_cut_over = "boolean", gates = "string", on_refused = "string", open_allow_list = "boolean" }

local FIELDS = { name = "string", summary = "string", params = "table", rows = "function|table" }
for name, kind in pairs(batch.OPTIONS) do FIELDS[name] = kind end

---What is wrong with the fields of a batch.
---@param spec table
---@param problems string[]  added to
function batch.check_fields(spec, problems)
  for field, value in pairs(spec) do
    local wanted, known = FIELDS[field], {}
    for name in pairs(FIELDS) do known[#known + 1] = name end
    if not wanted then
      problems[#problems + 1] = ("unknown field `%s`%s"):format(tostring(field), values.hint(tostring(field), known))
    elseif not ("|" .. wanted .. "|"):find("|" .. type(value) .. "|", 1, true) then
      problems[#problems + 1] = ("`%s` is a %s, a %s is needed"):format(field, type(value), wanted:gsub("|", " or "))
    end
  end
  if spec.rows == nil then problems[#problems + 1] = "`rows` is missing" end
end

local function make(spec)
  if type(spec) ~= "table" then fail.raise("PGO-BATCH", "a batch is a table: batch { name = ..., rows = ... }") end
  local problems, made = {}, {}
  batch.check_fields(spec, problems)
  table.sort(problems)
  if #problems > 0 then fail.raise("PGO-BATCH", "batch: " .. table.concat(problems, "; ")) end
  for field, value in pairs(spec) do made[field] = value end
  made.params = {}
  for name, given in pairs(spec.params or {}) do made.params[name] = params.complete(name, given) end
  return setmetatable(made, BATCH)
end

---@return boolean
function batch.is(value) return getmetatable(value) == BATCH end

return setmetatable(batch, { __call = function(_, spec) return make(spec) end })
