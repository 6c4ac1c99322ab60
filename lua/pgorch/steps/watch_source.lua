-- Who still talks to the source, and which of its former clients have been seen on the target.
-- Their writes are refused; they only have to be told where the database is now.

local recipe = require "pgorch.recipe"
local source = require "pgorch.source"
local task   = require "pgorch.task"
local poll   = require "pgorch.poll"

local function name_of(client)
  return ("%s (%s)"):format(client.application or client.user or "?", client.address or "local")
end

-- Addresses differ on the target (dynos move), so a client is recognised by its application name.
local function look(ctx, seen)
  local conn <close> = ctx.target:connect()
  for _, client in ipairs(conn:query(source.sql "clients")) do seen[client.application or client.user or "?"] = true end
end

local function run(ctx)
  local seen, strays, deadline = {}, {}, task.now() + (ctx.params.watch or 0)
  repeat
    look(ctx, seen)
    for _, session in ipairs(ctx.source:sessions()) do strays[name_of(session)] = true end
    local left = deadline - task.now()
    if left > 0 then
      ctx:progress { text = ("watching the source, %d s left"):format(left // 1) }
      task.sleep(math.min(left, poll.seconds "watch"))
    end
  until left <= 0
  local rows, names = {}, {}
  for _, client in ipairs(ctx.result.preflight.clients or {}) do
    rows[#rows + 1] = { name_of(client), seen[client.application or client.user or "?"] and "seen" or "NOT YET" }
  end
  if #rows > 0 then
    ctx:table { title = "Clients of the source, on the target", columns = { "client", "" }, rows = rows }
  end
  for name in pairs(strays) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do ctx:warn(name .. " still connects to the source; its writes are refused") end
  return { strays = names }
end

return recipe.step { id = "watch_source", title = "Watch the source for stray clients", effect = "read", run = run,
                     plan = function() return {} end }
