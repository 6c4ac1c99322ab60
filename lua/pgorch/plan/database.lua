-- The database that a move goes to, as far as it can be told before there is one: named by the user, left by an earlier
-- run, or one that will be made. Only reads.

local copy      = require "pgorch.copy"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"
local target    = require "pgorch.target"

local M = {}

---What is attached to the app under the name of the target; nil also where there is no app yet.
---@param ctx pgorch.Context
---@return table|nil attachment
function M.attached(ctx)
  return ctx.target.app:info() and ctx.target:attached() or nil
end

---Whether the app reads the add-on under another name too: then an earlier run has moved to it.
---@param ctx pgorch.Context
---@param attached table
---@return boolean
function M.is_in_use(ctx, attached)
  for _, each in ipairs(ctx.target.app:attachments()) do
    if each.addon.id == attached.addon.id and each.id ~= attached.id then return true end
  end
  return false
end

---The name that people know it by: of the add-on, or the one that --database gave.
---@param ctx pgorch.Context
---@return string
function M.name(ctx)
  if not ctx.target:is_ours() then return ctx.target:name() end
  local attached = M.attached(ctx)
  if attached and not M.is_in_use(ctx, attached) then return attached.addon.name end
  return target.addon_name(ctx.params.app, ctx.run.id)
end

---What it holds: in one that is not ours that is lost.
---@param ctx pgorch.Context
---@return string
function M.contents(ctx)
  if ctx.target:is_ours() then return "empty, ours" end
  local conn <close> = ctx.target:connect()
  local tables = conn:value(source.sql "tables_to_lose")
  local text = tables > 0 and preflight.number(tables, "table") or copy.standing(conn)
  return text and text .. " in it lost" or "empty"
end

return M
