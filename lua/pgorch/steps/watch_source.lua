-- Who still talks to the source, which of its former clients have been seen on the target, and whether anything was
-- written to the source after all: such rows are in no dump, and somebody has to be told.

local recipe   = require "pgorch.recipe"
local detector = require "pgorch.detector"
local source   = require "pgorch.source"
local task     = require "pgorch.task"
local poll     = require "pgorch.poll"

local function name_of(client)
  return ("%s (%s)"):format(client.application or client.user or "?", client.address or "local")
end

-- Addresses differ on the target (dynos move), so a client is recognised by its application name.
local function look(ctx, seen)
  local conn <close> = ctx.target:connect()
  for _, client in ipairs(conn:query(source.sql "clients")) do seen[client.application or client.user or "?"] = true end
end

-- Those before the window, those when it opened; each once.
local function clients(ctx)
  local list, known = {}, {}
  for _, id in ipairs { "window_opens", "preflight" } do
    for _, client in ipairs(ctx.result[id] and ctx.result[id].clients or {}) do
      if not known[name_of(client)] then
        known[name_of(client)] = true
        list[#list + 1] = client
      end
    end
  end
  return list
end

local function show(ctx, list, seen)
  local rows, told = {}, {}
  for i, client in ipairs(list) do
    local found = seen[client.application or client.user or "?"] or false
    rows[i] = { name_of(client), found and "seen" or "NOT YET" }
    told[i] = { client = name_of(client), seen = found }
  end
  if #rows == 0 then return told end
  ctx:table { title = "Clients of the source, on the target", columns = { "client", "" }, rows = rows, summary = true }
  return told
end

local function stray(sessions, strays)
  for _, session in ipairs(sessions) do
    strays[name_of(session)] = session.state or "unknown state"
  end
end

local function warn_of_strays(ctx, strays)
  local names = {}
  for name in pairs(strays) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    ctx:warn(("%s still connects to the source (%s); its writes are refused"):format(name, strays[name]))
  end
  return names
end

local function warn_of_writes(ctx)
  local mark = ctx.result.fingerprint and ctx.result.fingerprint.mark
  local asked = mark and detector.ask(ctx.source, mark, { settle = 0 })
  if not asked or asked.answer ~= "written" then return end
  ctx:warn("the source was written to, and that is NOT in the new database: " .. table.concat(asked.names, ", "))
  return asked.names
end

local function run(ctx)
  local seen, strays, deadline = {}, {}, task.now() + (ctx.params.watch or 0)
  repeat
    look(ctx, seen)
    stray(ctx.source:sessions(), strays)
    local left = deadline - task.now()
    if left > 0 then
      ctx:progress { text = ("watching the source, %d s left"):format(left // 1) }
      task.sleep(math.min(left, poll.seconds "watch"))
    end
  until left <= 0
  return { clients = show(ctx, clients(ctx), seen), strays = warn_of_strays(ctx, strays),
           written = warn_of_writes(ctx) }
end

return recipe.step { id = "watch_source", title = "Watch the source for stray clients", effect = "read", run = run,
                     estimate = function(ctx) return 1 + (ctx.params.watch or 0) end,
                     plan = function() return "looks for clients that still use the source" end }
