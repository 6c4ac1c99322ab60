-- How each fault of the table is injected, lifted, and proved to have been met: by the stand-ins' record, by the
-- proxies' counts, by the servers' own word. Each injection is a function of a case and a trial, and gives
-- {words=, at=, watch=, lift=, met=, close=}; met() gives what was seen in words, or nil and why it was not met.

local actions  = require "actions"
local fs       = require "pgorch.fs"
local process  = require "pgorch.process"
local requests = require "requests"
local task     = require "pgorch.task"

local injections = {}

local function nothing() end

-- HTTP, and what Heroku does by itself -----------------------------------------------------------------------------

injections.http = function(case, trial)
  local fault = { at = case.place }
  for name, value in pairs(case.fault) do fault[name] = value end
  local file = ("%s/faults/%s"):format(trial.world.dir, trial.world:fault(fault))
  local is_worker = case.place:find "^worker%."
  return {
    lift = function() if fs.exists(file) then fs.remove(file) end end,
    met = function()
      local seen, count = requests.changed(trial:requests())
      if fault.times ~= "always" and fs.exists(file) then return nil, "nobody asked for it: " .. fs.read(file) end
      if is_worker then return "played by Heroku" end
      if fault.delay then return "no answer" end           -- the record has it when it is answered: never
      if count < (fault.times ~= "always" and fault.times or 1) then return nil, "the record shows no such answer" end
      return seen
    end,
  }
end

-- An app with a release process, which fails.
injections.release = function(case, trial)
  table.insert(trial:app().formation, { id = "r", type = "release", quantity = 0, size = "Basic",
    command = "bin/migrate" })
  return injections.http({ place = "worker.release", fault = {}, name = case.name }, trial)
end

-- The network ----------------------------------------------------------------------------------------------------

local function passed(proxy)
  local counts = proxy:counts()
  return counts.up + counts.down
end

-- All connections through a proxy are reset when a share of what an undisturbed move sends through it has passed.
injections.reset = function(case, trial)
  local proxy = trial.world.proxies[case.server]
  local before, bytes = passed(proxy), case.bytes or math.floor(trial.traffic[case.server] * case.share)
  proxy:cut_after(bytes)
  return {
    lift = function() proxy:cut_after(nil) end,
    met = function()
      local since = passed(proxy) - before
      if since < bytes then return nil, ("only %d of %d bytes came by"):format(since, bytes) end
      return ("reset at byte %d"):format(bytes)
    end,
  }
end

-- Nothing moves through a proxy for some time.
injections.silence = function(case, trial)
  local proxy = trial.world.proxies[case.server]
  local before, bytes = passed(proxy), math.floor(trial.traffic[case.server] * case.share)
  local seconds
  return {
    watch = function()
      while passed(proxy) - before < bytes do task.sleep(0.005) end
      local began = task.now()
      proxy:freeze()
      local _ <close> = setmetatable({}, { __close = function()
        proxy:thaw()
        seconds = task.now() - began
      end })
      task.sleep(case.seconds)
    end,
    lift = nothing,
    met = function()
      if not seconds then return nil, "so many bytes never came by" end
      return ("silent for %.0f s from byte %d on"):format(seconds, bytes)
    end,
  }
end

-- At a step ------------------------------------------------------------------------------------------------------

-- Runs fn(world, note) when the step begins, once; the note is the proof.
local function at_step(step, trial, fn)
  local proof
  return {
    at = function(begun)
      if begun ~= step or proof then return end
      proof = fn(trial.world, trial) or false
    end,
    lift = nothing,
    met = function()
      if proof then return proof end
      return nil, proof == nil and "the step never began" or "it was over too soon"
    end,
  }
end

injections["at step"] = function(case, trial)
  local act = actions[case.act]
  local injection = at_step(case.step, trial, act.run)
  if act.lift then injection.lift = function() act.lift(trial.world) end end
  if act.met then
    local begun = injection.met
    injection.met = function()
      local seen, why = begun()
      if not seen then return nil, why end
      return act.met(trial)
    end
  end
  return injection
end

---The fault of the case, there when a step begins and not before.
---@param step string
function injections.from_step(step, case, trial)
  local inner
  local outer = at_step(step, trial, function()
    inner = injections[case.inject](case, trial)
    return true
  end)
  outer.lift = function() if inner then inner.lift() end end
  outer.met = function()
    if not inner then return nil, "the step never began" end
    return inner.met()
  end
  return outer
end

-- This machine ---------------------------------------------------------------------------------------------------

local DISK = 96 << 20                  -- the preflight wants 64 MB

-- The record of runs and the runs' files are on a small disk, which something else fills to its last byte.
injections["full disk"] = function(case, trial)
  fs.mkdir(trial.dir)
  local mounted = process.run { "mount", "-t", "tmpfs", "-o", ("size=%d,mode=0700"):format(DISK), "tmpfs", trial.dir,
    check = false }
  if mounted.code ~= 0 then return { skip = "no small file system can be mounted here" } end
  local filler = trial.dir .. "/filler"
  local injection = at_step(case.step, trial, function()
    local done = process.run { "dd", "if=/dev/zero", "of=" .. filler, "bs=4096", check = false }
    return done.stderr:find("No space left", 1, true) and "no byte free"
  end)
  injection.lift = function() fs.remove(filler) end
  injection.close = function() process.run { "umount", "-l", trial.dir, check = false } end
  return injection
end

local FAKETIME = { "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1" }

-- A sanitizer wants to be loaded before anything else, and its program is not what is asked about here.
local function faketime()
  if fs.read("/proc/self/maps", 1 << 24):find("libasan", 1, true) then return nil end
  for _, path in ipairs(FAKETIME) do
    if fs.exists(path) then return path end
  end
end

-- pgorch alone has another time of day than the world; what it measures by, the monotonic clock, is nobody's to set.
injections.clock = function(case, trial)
  local library = faketime()
  if not library then return { skip = "libfaketime is not installed, or cannot be used with a sanitizer" } end
  local file = trial.world.dir .. "/clock-" .. trial.id
  fs.write(file, ("%+d"):format(case.from))
  trial.ahead = math.max(case.from, case.to)
  trial.env.LD_PRELOAD, trial.env.FAKETIME_TIMESTAMP_FILE = library, file
  trial.env.DONT_FAKE_MONOTONIC, trial.env.FAKETIME_NO_CACHE = "1", "1"
  local injection = at_step(case.step, trial, function()
    fs.write(file, ("%+d"):format(case.to))
    return true
  end)
  -- It had made up for the difference of before: what it signs next is as wrong as the jump was long.
  injection.met = function()
    local seen = requests.skewed(trial:requests(), case.to - case.from)
    return seen, not seen and "no request was signed with the other time" or nil
  end
  return injection
end

return injections
