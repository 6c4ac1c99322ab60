---@meta pgorch.json
-- JSON. Keys are written sorted. A null in an object is an absent field when read.

---@class pgorch.json
local json = {}

---Writes null; what null in an array is read as.
json.null = nil ---@type lightuserdata

---Raises PGO-JSON on a secret, NaN, infinity, text that is not UTF-8; the field is named.
---@param value any
---@param options? {pretty?: boolean}
---@return string
function json.encode(value, options) end

---The same with secrets written: the text is a secret if there was one. Refuses the mask of a secret.
---@param value any
---@param options? {pretty?: boolean}
---@return string|pgorch.Secret
function json.encode_secret(value, options) end

---Raises PGO-JSON with line and column, never with the text.
---@param text string|pgorch.Secret  of a secret, every text in it becomes a secret
---@param options? {secrets?: string[], nulls?: boolean} names of secret fields at any depth, "*" for all; keep nulls
---@return any
function json.decode(text, options) end

---Encodes as [] even when empty.
---@param list? any[]
---@return any[]
function json.array(list) end

return json
