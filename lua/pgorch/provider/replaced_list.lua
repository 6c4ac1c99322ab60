-- An allow list that the provider's API replaces as a whole: only our own entry comes or goes. Before each change the
-- list is read as it is then; no saved copy is ever written back.

local poll = require "pgorch.poll"
local task = require "pgorch.task"

-- An instance that is changing takes no further change: of poll.seconds each, five minutes.
local TRIES = 60

local function without(list, cidr)
  local rest = {}
  for _, each in ipairs(list) do
    if each ~= cidr then rest[#rest + 1] = each end
  end
  return rest
end

---@param o {get: (fun(): string[]), put: fun(list: string[]), busy: (fun(err: table): boolean)|nil, empty: string}
---busy: whether a refusal only means that the instance is still changing; empty: "open" or "closed"
---@return {get: function, add: fun(cidr: string), remove: fun(cidr: string): "removed"|"absent"|"kept"}
return function(o)
  local function change(edit)
    local pause = poll.seconds "allow_list"
    return task.retry({ tries = TRIES, on = function(e) return o.busy ~= nil and o.busy(e) and pause end }, function()
      local list, answer = edit(o.get())
      if list then o.put(list) end
      return answer
    end)
  end
  return {
    get = o.get,
    add = function(cidr)
      change(function(list)
        if #without(list, cidr) < #list then return nil end
        list[#list + 1] = cidr
        return list
      end)
    end,
    -- Where an empty list means everybody, the last entry stays, and the caller is told.
    remove = function(cidr)
      return change(function(list)
        local rest = without(list, cidr)
        if #rest == #list then return nil, "absent" end
        if #rest == 0 and o.empty == "open" then return nil, "kept" end
        return rest, "removed"
      end)
    end,
  }
end
