-- An archive as a file: streamed into it, then its head written once more, now with the places of the tables' data, so
-- that pg_restore -j goes straight to them. On the disk when it returns. Removes nothing: a file that did not come
-- about is its caller's to remove.

local fs = require "pgorch.fs"

local file = {}

---@async
---@param path string       made with mode 0600; what it held before is dropped
---@param archive pgorch.Stream
---@param head? pgorch.s3.Head   of an archive whose first bytes are final only at its end
---@return integer bytes
function file.write(path, archive, head)
  local sunk = fs.sink(path, archive, { mode = 0600, sync = not head })
  if head then fs.write_at(path, 0, head:head(), { sync = true }) end
  return sunk.bytes
end

return file
