-- A gate in front of a PostgreSQL server of the world: the firewall of a managed database. Relays clients of the
-- networks on its list byte for byte; others are dropped: connected, never answered, nothing reaches the server.
-- Tests also have it cut, freeze and count. Must be closed: what is inside is reset then.

local native = require "pgorch.native.relay"
local task = require "pgorch.task"

local gate = {}

local EVERYBODY = { "0.0.0.0/0", "::/0" }

---@class pgorch.sandbox.Gate
---@field host string "127.0.0.1"; the same port of ::1 is open too where there is IPv6
---@field port integer
local Gate = {}
Gate.__index = Gate

--- Replaces the list. A change that takes time is in force after `after` seconds; until then the old list is.
--- Connections that are inside go on: see cut_unlisted.
---@param networks string[] none: nobody
---@param after? number
function Gate:allow(networks, after)
  self.list, self.due = networks, task.now() + (after or 0)
  self.native:allow(networks, after)
end

---@param after? number
function Gate:allow_everybody(after) self:allow(EVERYBODY, after) end

--- Is a change of the list still to come?
---@return boolean
function Gate:changing() return task.now() < self.due end

--- A change that is still to come is in force now.
function Gate:settle() self:allow(self.list) end

--- Resets all connections, now.
function Gate:cut() self.native:cut() end

--- Resets the connections that the list does not cover any more.
function Gate:cut_unlisted() self.native:cut(true) end

--- Resets all connections once so many more bytes have gone through, both ways together. Once.
---@param bytes integer|nil nil: not any more
function Gate:cut_after(bytes) self.native:cut_after(bytes) end

--- Nothing moves until the thaw: a network that has gone silent.
function Gate:freeze() self.native:freeze(true) end

function Gate:thaw() self.native:freeze(false) end

--- Bytes so far (up: to the server), connections let in so far, those now inside, those now dropped.
---@return { up: integer, down: integer, let_in: integer, open: integer, dropped: integer }
function Gate:counts() return self.native:counts() end

function Gate:close() self.native:close() end

Gate.__close = Gate.close

--- Opens a gate that lets everybody through.
---@param server { host: string, port: integer } on this machine
---@return pgorch.sandbox.Gate gate <close>
function gate.open(server)
  local relay = native.open { host = server.host, port = server.port }
  local made = setmetatable({ native = relay, host = "127.0.0.1", port = relay:port() }, Gate)
  made:allow_everybody()
  return made
end

--- Puts a gate before a source of the world: its port and its URL lead through it from now on, `direct_url` does not.
---@param source table see source.lua
---@return pgorch.sandbox.Gate gate <close>
function gate.before(source)
  source.gate = gate.open(source.cluster)
  source.direct_url = source.url
  source.url = source.url:gsub((":%d/"):format(source.port), (":%d/"):format(source.gate.port), 1)
  source.port = source.gate.port
  return source.gate
end

return gate
