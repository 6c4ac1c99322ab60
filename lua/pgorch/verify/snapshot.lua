-- One moment of one database, for as many connections as read it: a read-only transaction whose snapshot is exported.
-- Owns the connection that holds the moment; the others are the caller's to close. Never writes.

local pg   = require "pgorch.pg"
local task = require "pgorch.task"

local M = {}

-- Row text must come out the same on both sides whatever the server's, database's or role's settings are.
M.SETTINGS = {
  TimeZone = "UTC", DateStyle = "ISO, YMD", IntervalStyle = "postgres", extra_float_digits = "3", bytea_output = "hex",
  search_path = "", lc_monetary = "C", row_security = "off", xmloption = "content", statement_timeout = "0",
  quote_all_identifiers = "off", standard_conforming_strings = "on",     -- both change how definitions are written
}

---@class pgorch.Snapshot
---@field conn pgorch.Connection
---@field id string|nil          nil on a standby, which can export none: everything is read on `conn` then
---@field connect fun(o: table): table
local Snapshot = {}
Snapshot.__index = Snapshot
Snapshot.__close = function(self) self.conn:close() end

local function begin(conn, id)
  conn:exec "begin isolation level repeatable read read only"
  if id then conn:exec("set transaction snapshot " .. pg.literal(id)) end
end

-- Where a failed query is forgotten, and the locks of what was read are given back: a server has room for some
-- thousands of locks, and a database may have more tables and indexes.
local function mark(conn) conn:exec "savepoint pgorch" end

---@param connect fun(o: table): table   opens a connection to the database
---@param id? string                     a snapshot that another session has exported; default a new one
---@return pgorch.Snapshot snapshot <close>
function M.open(connect, id)
  local self = setmetatable({ conn = connect { settings = M.SETTINGS }, connect = connect, id = id }, Snapshot)
  local ok, err = pcall(function()
    begin(self.conn, id)
    if not id and not self.conn:value "select pg_is_in_recovery()" then
      self.id = self.conn:value "select pg_export_snapshot()"
    end
    mark(self.conn)
  end)
  if not ok then
    self.conn:close()
    error(err, 0)
  end
  return self
end

---One more connection that sees the same.
---@return pgorch.Connection conn <close>
function Snapshot:another()
  local conn = self.connect { settings = M.SETTINGS }
  local ok, err = pcall(function()
    begin(conn, self.id)
    mark(conn)
  end)
  if ok then return conn end
  conn:close()
  error(err, 0)
end

---Gives back the locks of what was read until now.
---@param conn pgorch.Connection
function M.release_locks(conn)
  if conn:state() ~= "idle" then conn:exec "rollback to savepoint pgorch" end
end

---What fn(...) returns; nil and the server's words when a query in it failed. A lost connection and Ctrl-C are raised:
---they say nothing about the database.
---@param conn pgorch.Connection
---@return any result
---@return string|nil why
function M.attempt(conn, fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  if task.cancelled(result) or type(result) ~= "table" or result.id ~= "PGO-PG-QUERY" then error(result, 0) end
  if conn:state() == "failed" then conn:exec "rollback to savepoint pgorch" end
  return nil, result.message
end

return M
