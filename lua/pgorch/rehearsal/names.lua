-- The record as the steps of a rehearsal see it: the names of local things (the app, the add-on, the bucket) are the
-- rehearsal's own, so that it neither waits for a move of that app nor is counted among those that need it. The entry
-- on the source's allow list is real: that name is shared with everybody.

local M = {}

local REAL = { "^allow%-list:", "^turn:allow%-list:" }

---@param name string
---@param run string
---@return string
function M.of(name, run)
  local prefix = ("rehearsal:%s:"):format(run)
  if name:sub(1, #prefix) == prefix then return name end
  for _, pattern in ipairs(REAL) do
    if name:find(pattern) then return name end
  end
  return prefix .. name
end

-- Those of the store that take a name first.
local NAMED = { "lock", "unlock", "take_over", "hold", "holders", "share", "was_released" }

---@param store pgorch.Store
---@param run string
---@return pgorch.Store
function M.apart(store, run)
  local view = {}
  for _, method in ipairs(NAMED) do
    view[method] = function(self, name, ...) return store[method](self, M.of(name, run), ...) end
  end
  return setmetatable(view, { __index = store })
end

return M
