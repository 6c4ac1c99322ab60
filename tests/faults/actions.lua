-- What happens to a world when a step of a move begins: servers that restart or fail over, URLs that expire. Each gives
-- the proof that it met the move at work, or nothing when it came too late. And what a user does as the cure tells.

local addons = require "pgorch.sandbox.heroku.addons"
local fs     = require "pgorch.fs"
local judge  = require "judge"
local requests = require "requests"
local task   = require "pgorch.task"

local LIMIT = 10                       -- seconds for something to be at work

-- Waits until rows flow out of a database or into it: the statement, or nil.
local function copying(cluster)
  local conn <close> = cluster:connect()
  local deadline = task.now() + LIMIT
  while task.now() < deadline do
    local doing = conn:value [[select left(query, 60) from pg_stat_activity
      where query like 'COPY %' and backend_type = 'client backend']]
    if doing then return (doing:gsub("%s+", " ")) end
    task.sleep(0.001)
  end
end

-- A crash empties unlogged tables: what the source holds of them then is not what was moved (`crashed`).

-- pg_dump is held where it is by the proxy, so that it is at work when its server goes.
local function restart_source(world, trial)
  trial.crashed = true
  local doing, proxy = copying(world.source.cluster), world.proxies.source
  if not doing then return nil end
  proxy:freeze()
  local _ <close> = setmetatable({}, { __close = function() proxy:thaw() end })
  world.source.cluster:restart()
  return "restarted during " .. doing
end

local function restart_target(world)
  local doing = copying(world.target.cluster)
  if not doing then return nil end
  world.target.cluster:restart()
  return "restarted during " .. doing
end

-- Waits for a session that a restart will end: of a client that came by the network.
local function in_use(cluster)
  local conn <close> = cluster:connect()
  local deadline = task.now() + LIMIT
  while task.now() < deadline do
    local sessions = conn:value "select count(*) from pg_stat_activity where client_addr is not null"
    if sessions > 0 then return ("%d sessions were lost"):format(sessions) end
    task.sleep(0.002)
  end
end

local function restarted(cluster, pause)
  local lost = in_use(cluster)
  cluster:restart(pause)
  return lost and pause and ("%s, away for %g s"):format(lost, pause) or lost
end

local function restart_source_in_use(pause)
  return function(world, trial)
    trial.crashed = true
    return restarted(world.source.cluster, pause)
  end
end

-- As a failover to a standby that lacked the last commits: the source is open again, and a client has it first.
local function fail_over_and_write(world, trial)
  trial.crashed = true
  local cluster = world.source.cluster
  cluster:restart()
  local conn <close> = cluster:connect(world.source.dbname)
  conn:exec "set default_transaction_read_only = off"
  conn:exec(("alter database %s reset default_transaction_read_only"):format(world.source.dbname))
  conn:exec "insert into public.schema_migrations values ('late ' || clock_timestamp()::text)"
  judge.take_data(trial)
  trial.opened = true
  return "open again, one row written"
end

local EXPIRED = "s3.get_object"

-- A restore of the trial's that Heroku has taken on and not ended; nil when none comes.
local function accepted_restore(trial)
  local deadline = task.now() + LIMIT
  while task.now() < deadline do
    for _, each in ipairs(trial:app().transfers) do
      if each.to_type == "pg_restore" and not each.finished_at then return each end
    end
    task.sleep(0.002)
  end
end

-- What pgorch looks at before it asks Heroku is as ever; the restore waits until the URL has expired.
local function expire(times)
  return function(world, trial)
    world:fault { at = "worker.start", delay = 1 }
    if not accepted_restore(trial) then return nil end
    world:fault { at = EXPIRED, skew = 30 * 86400, times = times }
    return "the URL expired when the restore was accepted"
  end
end

-- That somebody fetched by an expired URL.
local function met_expired(trial)
  local seen, count = requests.changed(trial:requests())
  if count == 0 then return nil, "nobody fetched by the expired URL" end
  return seen
end

-- As `heroku addons:destroy` does it.
local function remove_addon(trial)
  local state = trial.world.heroku.state
  trial.remade = 1
  for _, addon in ipairs(state.addons) do
    if addon.app == trial:app() then return addons.destroy(trial.world.heroku.server, addon) end
  end
end

return {
  ["remove the add-on"] = remove_addon,
  ["restart the source"] = { run = restart_source },
  ["restart the target"] = { run = restart_target },
  ["restart the source at once"] = { run = restart_source_in_use() },
  ["restart the target at once"] = { run = function(world) return restarted(world.target.cluster) end },
  ["fail over"] = { run = restart_source_in_use(3) },
  ["fail over and write"] = { run = fail_over_and_write },
  ["expire the URL"] = { run = expire(1), met = met_expired },
  ["expire every URL"] = { run = expire "always", met = met_expired, lift = function(world)
    fs.remove(("%s/faults/%s"):format(world.dir, EXPIRED))
  end },
}
