-- Numbers by chance that a seed decides: the same for the same words, whatever happens beside them and in which order.

local crypto = require "pgorch.crypto"

local chance = {}

---@param ... string|number
---@return number  0 or more, less than 1
function chance.of(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  return (">I4"):unpack(crypto.sha256(table.concat(words, ":"), "raw")) / 2 ^ 32
end

return chance
