-- Which of the ways that the data can take are possible for this move, and why one is not. For --via heroku Heroku's
-- own pg_dump has to reach the source, from addresses that nobody knows beforehand. Only reads.

local allow_list = require "pgorch.allow_list"
local env        = require "pgorch.env"
local poll       = require "pgorch.poll"
local task       = require "pgorch.task"
local way        = require "pgorch.way"

local M = {}

-- What is routed nowhere from outside: RFC 1918, carrier-grade NAT, link-local; IPv6's unique and link-local ones.
local PRIVATE = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7",
                  "fe80::/10" }

-- A name without a dot, and those that are kept for networks at home and inside.
local LOCAL_NAMES = { "^[^.:]+$", "%.local$", "%.internal$", "%.lan$", "%.home%.arpa$" }

---Whether an address or a name means something that only this network knows.
---@param host string
---@return boolean
function M.is_private(host)
  if poll.is_loopback(host) or host:sub(1, 1) == "/" then return true end
  for _, cidr in ipairs(PRIVATE) do
    if host:find "^[%x.:]+$" and allow_list.covers(cidr, host) then return true end
  end
  for _, pattern in ipairs(LOCAL_NAMES) do
    if host:find(pattern) then return true end
  end
  return false
end

local OPEN = { ["0.0.0.0/0"] = true, ["::/0"] = true }

local function lets_everybody_in(source)
  local list = source.allow_list.get()
  if #list == 0 and source.empty_allow_list == "open" then return true end
  for _, cidr in ipairs(list) do
    if OPEN[cidr] then return true end
  end
  return false
end

-- The sandbox's Heroku is on this machine: what it reaches is what we reach.
local function is_local_heroku() return poll.is_loopback(env.get "HEROKU_HOST") end

---@class pgorch.way.Obstacle
---@field id string
---@field what string
---@field cure string

---What keeps Heroku from fetching from the source; nil where nothing is known to.
---@param source pgorch.Source
---@return pgorch.way.Obstacle|nil
function M.heroku_obstacle(source)
  if is_local_heroku() then return nil end
  if M.is_private(source.host) then
    return { id = "PGO-PARAM", what = ("Heroku cannot reach the source: %s is an address of this network alone")
      :format(source.host), cure = "choose --via direct or --via archive, or give the source's public address" }
  end
  if source.allow_list and not lets_everybody_in(source) then
    return { id = "PGO-ALLOW-LIST", what = ("the allow list of %s does not let Heroku in"):format(source.label),
      cure = "add 0.0.0.0/0 to it for the time of the move (Heroku's addresses are not fixed), or choose --via direct "
        .. "or --via archive" }
  end
  local encrypted, why = source:speaks_tls()
  if not encrypted then
    return { id = "PGO-TLS", what = ("the source speaks no TLS, and Heroku would send its password and the data in the "
      .. "clear (%s)"):format(why), cure = "turn TLS on at the source, or choose --via direct or --via archive" }
  end
end

---What keeps a dump from being stored; nil where the storage answers.
---@param ctx table
---@return pgorch.way.Obstacle|nil
function M.archive_obstacle(ctx)
  local ok, state = pcall(function() return ctx.store.name and ctx.store:head() end)
  if not ok and task.cancelled(state) then error(state, 0) end
  if ok and state and state ~= "foreign" then return nil end
  local what = not ok and tostring(state.message or state) or state == "foreign"
    and ("the bucket %s belongs to somebody else"):format(ctx.store.name) or "no bucket is named"
  return { id = "PGO-PARAM", what = what, cure = "name a bucket (--bucket) and the keys of its storage" }
end

local function has_step(ctx, id)
  for _, each in ipairs(ctx.recipe.steps) do
    if each == id then return true end
  end
  return false
end

---What is in the way of one of them, or nothing. The storage is asked only by archive_obstacle: other ways need none.
---@param ctx table
---@param name pgorch.Way
---@return pgorch.way.Obstacle|nil
function M.obstacle(ctx, name)
  local step = way.step(name)
  if not has_step(ctx, step) then
    return { id = "PGO-PARAM", what = ("recipe %s has no step `%s`, which --via %s needs"):format(ctx.recipe.name, step,
      name), cure = "add the step to the recipe, or choose another --via" }
  end
  if name == "heroku" then return M.heroku_obstacle(ctx.source) end
end

---What is in the way of each; of one that is possible, nothing.
---@param ctx table
---@return table<pgorch.Way, pgorch.way.Obstacle>
function M.obstacles(ctx)
  local found = {}
  for _, name in ipairs(way.ALL) do found[name] = M.obstacle(ctx, name) end
  return found
end

---@param ctx table
---@param found pgorch.Findings
function M.check(ctx, found)
  local name = way.of(ctx)
  local obstacle = name and M.obstacle(ctx, name)
  if obstacle then return found:fail(obstacle.id, obstacle.what, { cure = obstacle.cure }) end
  if name ~= "heroku" then return end
  found:note("--via heroku: Heroku is given the source's address and password, over TLS, and its own pg_dump reads "
    .. "there")
  if not ctx.source.allow_list and not is_local_heroku() then
    found:warn("whether the source lets Heroku in cannot be told from here", {
      fate = "if it does not, the copy fails in the window and everything is put back",
      cure = "let 0.0.0.0/0 in for the time of the move, or choose --via direct" })
  end
end

return M
