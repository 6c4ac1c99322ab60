-- pgorch eval of this file: a throwaway PostgreSQL with sample data, and in it `pgorch run tests/live/live.lua`. What
-- the run is told comes by PGORCH_LIVE_APP, _BUCKET, _ANSWERS, _RUN. Raises if the run does not end well.

local certificate = require "pgorch.sandbox.certificate"
local binaries    = require "pgorch.sandbox.postgres.binaries"
local env         = require "pgorch.env"
local fail        = require "pgorch.error"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local host        = require "pgorch.native.host"
local process     = require "pgorch.process"
local source      = require "pgorch.sandbox.source"
local task        = require "pgorch.task"

local SCALE = 0.02                     -- of the sample data: about 2 MB
local WARNED = 3                       -- the run's exit status when something needs a look

local function run_recipe(url)
  local ended = process.run { host.executable(), "run", "tests/live/live.lua", "--app", env.get "PGORCH_LIVE_APP",
    "--bucket", env.get "PGORCH_LIVE_BUCKET", "--plan", "essential-0", "--answers", env.get "PGORCH_LIVE_ANSWERS",
    "--run-id", env.get "PGORCH_LIVE_RUN", "--yes-cut-over", "--no-input", env = { SOURCE_DATABASE_URL = url },
    stdout = "inherit", stderr = "inherit", death_signal = "TERM", check = false }
  if ended.code ~= 0 and ended.code ~= WARNED then
    fail.raise("PGO-PROCESS", ("the run ended with status %d"):format(ended.code))
  end
end

local world = { dir = folder.make(), server = binaries.find() }
local _ <close> = setmetatable({}, { __close = function() task.shield(30, fs.remove_tree, world.dir) end })
fs.mkdir(world.dir .. "/tls")
world.tls = certificate.make(world.dir .. "/tls")
local made = source.start(world, { scale = SCALE })
local _ <close> = made.cluster
run_recipe(made.url)
