-- Commands of the user's, run by sh -c: when the window opens and closes, and the acceptance tests.
-- They get addresses in their environment, never in their arguments. What they say goes into the run's folder.

local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local log     = require "pgorch.log"
local process = require "pgorch.process"
local values  = require "pgorch.recipe.values"

local M = {}

-- Kept with the run, and shown with --verbose.
local function keep(path, done)
  local words = (done.stdout or "") .. (done.stderr or "")
  if path then fs.write(path, words) end
  for line in words:gmatch "[^\n]+" do log.debug(line) end
  return words
end

-- One that waits for ever would keep the app offline for ever: it is ended, with all that it has started.
local function within_limit(command, o)
  local ok, done = pcall(process.run, { "/bin/sh", "-c", command, env = o.env, check = false, timeout = o.limit })
  if ok then return done end
  if not fail.is(done, "PGO-TIMEOUT") then error(done, 0) end
  fail.raise(o.id, ("%s: `%s` had not ended after %s and was killed"):format(o.what, command,
    values.show_duration(o.limit)), { cure = "Correct the command, or raise --hook-limit, then `pgorch resume`." })
end

---Runs the command if one was given. A failure is an error of `id` with the command's last words.
---@param command string|nil
---@param o {id: string, what: string, env?: table, log?: string, limit?: number}  log: a file for what it says;
---  limit: seconds
---@return {seconds: number, stdout: string}|nil
function M.run(command, o)
  if not command or command == "" then return nil end
  local done = within_limit(command, o)
  local words = keep(o.log, done)
  if done.code == 0 then return { seconds = done.seconds, stdout = done.stdout } end
  fail.raise(o.id, ("%s: `%s` ended with %s"):format(o.what, command,
    done.signal and "signal " .. tostring(done.signal) or "status " .. tostring(done.code)),
    { detail = words:sub(-2000), status = done.code })
end

local function environment(ctx, phase, outcome)
  return { PGORCH_RUN = ctx.run.id, PGORCH_APP = ctx.params.app, PGORCH_SOURCE = ctx.source:name(),
           PGORCH_PHASE = phase, PGORCH_OUTCOME = outcome or false }
end

local function say(ctx, flag, done)
  if done then ctx:note(("%s has run (%s)"):format(flag, values.show_duration(done.seconds))) end
end

-----on-freeze. Remembered before and after by the caller: a run that was killed in it runs it again.
function M.freeze(ctx)
  if not ctx.params.on_freeze then return end
  local done = M.run(ctx.params.on_freeze, { id = "PGO-HOOK", what = "--on-freeze",
    log = ctx.run.dir .. "/on-freeze.log", env = environment(ctx, "freeze"),
    limit = ctx.params.hook_limit })
  say(ctx, "--on-freeze", done)
end

-----on-thaw, once for each way out: `remembered` (what the step has stored so far) says so afterwards.
---@param outcome "moved"|"put-back"
---@param remembered table
function M.thaw(ctx, outcome, remembered)
  if remembered.thawed or not ctx.params.on_thaw then return end
  local done = M.run(ctx.params.on_thaw, { id = "PGO-HOOK", what = "--on-thaw", log = ctx.run.dir .. "/on-thaw.log",
    env = environment(ctx, "thaw", outcome), limit = ctx.params.hook_limit })
  say(ctx, "--on-thaw", done)
  remembered.thawed = true
  ctx:remember(remembered)
end

return M
