-- How much of the source a dump has read: the sizes of the tables that pg_dump has been through, by its own messages,
-- and what the server says of the one that it is at. An estimate for people and for the time left; proves nothing.

local source = require "pgorch.source"

local progress = {}

---@class pgorch.dump.Progress
---@field total integer             bytes to read
---@field table string|nil          the one that pg_dump is at: "shop.orders"
---@field private sizes table<string, integer>
---@field private done integer      of the tables that it has been through
---@field private here integer      of this one, so far
local Progress = {}
Progress.__index = Progress

---@param rows {name: string, bytes: integer}[]   as sql/dump_sizes.sql gives them
---@return pgorch.dump.Progress
function progress.new(rows)
  local self = setmetatable({ total = 0, sizes = {}, done = 0, here = 0 }, Progress)
  for _, row in ipairs(rows) do
    self.sizes[row.name], self.total = row.bytes, self.total + row.bytes
  end
  return self
end

---Asks a source. The sizes of tables that somebody has locked are not waited for.
---@param conn pgorch.Connection
---@return pgorch.dump.Progress
function progress.read(conn)
  conn:exec "set lock_timeout = '2s'"
  return progress.new(conn:query(source.sql "dump_sizes"))
end

local function come_to(self, name, shown)
  self.done = self.done + (self.sizes[self.key] or 0)
  self.key, self.table, self.here = name, shown, 0
end

---A message of pg_dump --verbose.
---@param line string
function Progress:message(line)
  local name = line:match 'dumping contents of table "(.+)"$'
  if name then return come_to(self, name, name) end
  if line:find("saving large objects", 1, true) then come_to(self, "", "large objects") end
end

---The server's count of what COPY has sent of this table: text, which may be more than the table's own bytes.
---@param bytes integer
function Progress:copied(bytes)
  self.here = math.min(bytes, self.sizes[self.key] or 0)
end

---For whoever reads by himself, and not by pg_dump.
---@param bytes integer   that he has to read
---@return pgorch.dump.Progress
function progress.counted(bytes)
  return setmetatable({ total = bytes, sizes = {}, done = 0, here = 0 }, Progress)
end

---@param bytes integer   that he has read since
function Progress:read(bytes) self.done = self.done + bytes end

---@return integer bytes
function Progress:bytes() return math.min(self.done + self.here, self.total) end

return progress
