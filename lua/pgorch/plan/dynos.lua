-- An app's dynos in the words of a plan: those that run, web first, whatever the order in which Heroku lists them.

local M = {}

local function rank(each) return each.type == "web" and "" or each.type end

---@param formation {type: string, quantity: integer}[]
---@param form string   for string.format: type, quantity
---@return string[]
function M.words(formation, form)
  local running, list = {}, {}
  for _, each in ipairs(formation) do
    if each.quantity > 0 then running[#running + 1] = each end
  end
  table.sort(running, function(a, b) return rank(a) < rank(b) end)
  for i, each in ipairs(running) do list[i] = form:format(each.type, each.quantity) end
  return list
end

return M
