---@meta pgorch.secret
-- Secrets: values that can be passed on and joined, never read, printed or stored.

---@class pgorch.Secret
---@operator concat(any): pgorch.Secret
---@operator len: integer
local secret = {}

---@param text string|pgorch.Secret
---@return pgorch.Secret
function secret.new(text) end

---@param value any
---@return boolean
function secret.is(value) end

---The text with every known secret masked, in each of its spellings.
---@param text string
---@return string
function secret.redact(text) end

return secret
