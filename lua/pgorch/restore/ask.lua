-- Asks Heroku for a transfer into the target, once: waits for what else runs on the app, looks for one that was asked
-- for before, and remembers before it asks. Two at once would mix. Follows nothing, judges nothing.

local room       = require "pgorch.restore.room"
local signed_url = require "pgorch.signed_url"
local task       = require "pgorch.task"

local ask = {}

---@class pgorch.restore.Order   what is asked for
---@field mark table            by which it is found again: remembered before it is asked for
---@field find fun(mark: table): pgorch.heroku.Transfer|nil
---@field post fun(): pgorch.heroku.Transfer
---@field before fun()|nil      last preparations of another attempt

local function usable(transfer)
  return transfer and transfer.state ~= "canceled" and transfer.state ~= "failed" and transfer or nil
end

-- What is in the database came from a transfer of ours only if Heroku really was asked for one: an interrupted attempt
-- remembers before it asks, and what it asked for is found, failed or cancelled, too.
local function was_asked(ctx, order)
  local recall = ctx.recall
  return recall ~= nil and (recall.uuid ~= nil or order.find(recall) ~= nil)
end

-- A lost answer may mean a transfer that runs: it is looked for before anything is asked again.
local function post(order)
  local ok, answer = pcall(order.post)
  if ok then return answer end
  if task.cancelled(answer) then error(answer, 0) end
  local found = usable(order.find(order.mark))
  if found then return found end
  error(answer, 0)
end

local function with_ids(mark, transfer)
  local all = { uuid = transfer.uuid, num = transfer.num }
  for name, value in pairs(mark) do all[name] = value end
  return all
end

---The transfer that an interrupted run has asked for, or a new one.
---@param ctx pgorch.Context
---@param database pgorch.heroku.Database
---@param order pgorch.restore.Order
---@param again boolean   an attempt of this process has failed
---@return pgorch.heroku.Transfer
function ask.once(ctx, database, order, again)
  if ctx.recall and not again then
    local found = usable(order.find(order.mark))
    if found then return found end
  end
  room.wait_for_others(ctx, database)
  ctx.target:refuse_if_in_use()
  room.claim(ctx, again)
  if not (again or was_asked(ctx, order)) then room.refuse_unconfirmed(ctx) end
  ctx:remember(order.mark)
  ctx.target:unclaim(ctx)
  if again then
    room.empty(ctx, database)
    if order.before then order.before() end
  end
  local asked = post(order)
  ctx:remember(with_ids(order.mark, asked))
  return asked
end

---What asks for the restore of the dump.
---@param ctx pgorch.Context
---@param key string   of the object
---@return pgorch.restore.Order
function ask.for_dump(ctx, key)
  local database = ctx.target:database()
  return {
    mark = { key = key },
    find = function(mark) return database:find_restore(mark.key or key) end,
    post = function()
      return database:restore(signed_url.get(ctx),
        { extensions = ctx.result.extensions and ctx.result.extensions.names })
    end,
    before = function() ctx:keep("signed_url", nil) end,          -- one URL for each attempt
  }
end

return ask
