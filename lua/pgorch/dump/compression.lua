-- How an archive is compressed: by us, on all cores, while it streams (pgorch.archive), or by pg_dump itself, on one.
-- Chooses; compresses nothing.

local archive = require "pgorch.archive"
local fail    = require "pgorch.error"

local compression = {}

compression.CHOICES = "auto, fast, small or stock"

-- Each with what does it, best first: not every machine has every library. zlib is always there.
local ENGINES = {
  auto = { {} },
  fast = { { engine = "isal" }, { engine = "deflate", level = 1 }, { engine = "zlib", level = 1 } },
  small = { { engine = "deflate", level = 6 }, { engine = "zlib", level = 6 } },
}

---@param name string
---@return boolean
function compression.is_choice(name) return name == "stock" or ENGINES[name] ~= nil end

---What makes the archive, for one dump; nil: pg_dump does. An engine that is named and not there raises PGO-INVALID.
---@param chosen pgorch.archive.RecompressOptions|string|nil   one of CHOICES (auto), or an engine by name
---@return pgorch.archive.Press|nil
function compression.press(chosen)
  if chosen == "stock" then return nil end
  if type(chosen) == "table" then return archive.recompress(chosen) end
  local list = ENGINES[chosen or "auto"]
  if not list then
    fail.raise("PGO-INVALID", ("compress: `%s` is not %s"):format(tostring(chosen), compression.CHOICES))
  end
  for i, each in ipairs(list) do
    local ok, made = pcall(archive.recompress, each)
    if ok then return made end
    if i == #list or not fail.is(made, "PGO-INVALID") then error(made, 0) end
  end
end

---What to use with this pg_dump: what was chosen, or its own where it writes archives that are not known here.
---@param chosen string
---@param client pgorch.PgClient
---@return string choice
---@return string|nil note   for the user, when it is another one
function compression.of(chosen, client)
  if chosen == "stock" or archive.understands(client.major) then return chosen, nil end
  return "stock", ("the archives of pg_dump %s are not known here: it compresses its own, on one core"):format(
    client.version)
end

return compression
