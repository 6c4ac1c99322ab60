---@meta pgorch.native.relay
-- What host/lua/relay.c provides: a TCP relay on loopback with an allow list. The sandbox uses it through its gate.

local relay = {}

---Listens on a free port of 127.0.0.1 and ::1, and lets nobody in.
---@param options {host?: string, port: integer} the server, on this machine
---@return pgorch.native.Relay
function relay.open(options) end

---@class pgorch.native.Relay
local Relay = {}

---@return integer
function Relay:port() end

---Replaces the list. Raises PGO-INVALID for a text that is no network, and leaves the list as it was.
---@param networks string[] "198.51.100.0/24", "2001:db8::1"
---@param after? number seconds until the change takes effect
function Relay:allow(networks, after) end

---Resets connections now.
---@param only_unlisted? boolean those that the list does not cover (any more)
function Relay:cut(only_unlisted) end

---@param frozen boolean nothing moves while it is
function Relay:freeze(frozen) end

---Resets connections once so many more bytes have gone through; nil: not any more.
---@param bytes? integer
function Relay:cut_after(bytes) end

---@return {up: integer, down: integer, let_in: integer, open: integer, dropped: integer}
function Relay:counts() end

---Resets every connection. Idempotent; does not wait.
function Relay:close() end

return relay
