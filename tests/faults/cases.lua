-- The faults: what is injected where, and how a move may end that meets it. Data only: injections.lua does it,
-- product.lua spreads the kinds of HTTP faults over every place that a move asks.
--
-- A case: {name=, inject= (a name of injections.lua) and what that reads, recipe= (vultr), ends= (exit statuses that
-- are right), id= (an error id that must be said), cure= (what the user does then, of actions.lua), later= (exit
-- statuses of the resumed run that are right too, after which all is as before), data= ("large": more than one part),
-- more= (words of the command line),
-- during= (what meets the fault: `resume` or `rollback` of a move that was stopped in its window, or the `undo` after
-- --accept has failed), may_repeat= (so many more good restores are right), ci= (in the short run),
-- long= (takes minutes, of which it waits the most)}

local HTML = "<html><head><title>Proxy</title></head><body><h1>Something went wrong</h1></body></html>"
local PAGE = { body = HTML, headers = { ["content-type"] = "text/html" } }

local function page(fault)
  for name, value in pairs(PAGE) do fault[name] = value end
  return fault
end

-- How a move may end. What is asked again is waited out; what may not be asked twice keeps the state.
local DONE    = { 0, 3 }
local STOPS   = { 0, 3, 6, 9 }
local REFUSES = { 0, 3, 1, 4, 6, 9 }      -- it stays: stopped, or put back, or refused before anything was done

local M = { DONE = DONE, STOPS = STOPS }

-- Kinds of HTTP faults. `once`: what only reads asks again, and the move is done. `changes`: for requests that change
-- something. `body`: for those that send an object.
M.kinds = {
  { name = "500 once", fault = { answer = 500 }, ends = STOPS, once = true },
  { name = "503 once", fault = { answer = 503 }, ends = STOPS, once = true },
  { name = "503 with Retry-After", fault = { answer = 503, retry_after = 1 }, ends = STOPS, once = true },
  { name = "429 once", fault = { answer = 429 }, ends = STOPS, once = true },
  { name = "429 with Retry-After", fault = { answer = 429, retry_after = 1 }, ends = STOPS, once = true },
  { name = "502 in HTML", fault = page { answer = 502 }, ends = STOPS, once = true },
  { name = "200 in HTML", fault = page { answer = 200 }, ends = REFUSES, hard = true },
  { name = "reset before the effect", fault = { drop = true }, ends = STOPS, once = true },
  { name = "reset after the effect", fault = { drop = true, after = true }, ends = STOPS, changes = true },
  { name = "504 after the effect", fault = page { answer = 504, after = true }, ends = STOPS, changes = true },
  { name = "reset at byte 7 of the answer", fault = { cut_after = 7 }, ends = STOPS, once = true, answers = true },
  { name = "reset at byte 9000 of the request", fault = { cut_request = 9000 }, ends = STOPS, body = true },
  { name = "503 always", fault = { answer = 503, times = "always" }, ends = REFUSES, hard = true },
  { name = "stalled for ever", fault = { delay = 7200 }, ends = STOPS, long = true },
}

local function worker(name, at, fault, more)
  local case = { name = name, inject = "http", place = "worker." .. at, fault = fault, ends = DONE }
  for key, value in pairs(more or {}) do case[key] = value end
  return case
end

local function part(name, at, fault, more)
  local case = { name = name, inject = "http", place = "s3." .. at, fault = fault, ends = DONE, data = "large" }
  for key, value in pairs(more or {}) do case[key] = value end
  return case
end

M.cases = {
  -- Heroku at work.
  worker("provisioning crawls", "provision", { looks = 20 }),
  worker("provisioning fails", "provision", { times = 1 }, { ends = { 1, 6 }, id = "PGO-HEROKU-ADDON",
    cure = "remove the add-on", ci = true }),
  worker("the database crawls", "ready", { looks = 10 }),
  worker("the database fails", "ready", { error = "no room" }, { ends = { 1, 6 }, id = "PGO-HEROKU-ADDON",
    cure = "remove the add-on" }),
  worker("the restore stays pending", "start", { delay = 4, times = 2 }, { ends = { 6 }, id = "PGO-RESTORE-STUCK",
    more = { "--restore-pending", "1s" }, may_repeat = 1 }),
  worker("the restore fails", "restore", { answer = 500, message = "the worker was lost" },
    { ends = { 0, 1, 3, 6 } }),
  worker("the restore cannot download", "restore", { answer = 500, times = 3,
    message = "unable to download the backup: the server answered 403" }, { ends = { 1 }, id = "PGO-RESTORE-FAILED" }),
  worker("the restore is lossy", "restore", { warnings = "lossy" }, { ends = { 1 }, id = "PGO-RESTORE-LOSSY",
    ci = true }),
  worker("the restore complains harmlessly", "restore", { warnings = "harmless" }, { may_repeat = 1 }),
  worker("the restore is canceled elsewhere", "restore", { canceled = true }, { ends = { 1 },
    id = "PGO-RESTORE-FAILED" }),
  worker("the restore falls silent for a while", "restore", { delay = 3, silent = true }, { ends = STOPS }),
  { name = "the release fails", inject = "release", ends = { 1 }, id = "PGO-CUT-OVER" },

  -- The signed URL and the parts of the upload.
  { name = "the URL expires between presign and use", inject = "at step", step = "restore", act = "expire the URL",
    ends = DONE, ci = true },
  { name = "the URL is expired for ever", inject = "at step", step = "restore", act = "expire every URL",
    ends = { 1 }, id = "PGO-URL" },
  part("a part is refused twice", "put_part", { answer = 503, code = "SlowDown", times = 2 }),
  part("a part is cut on its way", "put_part", { cut_request = 4000000, times = 2 }, { ci = true }),
  part("a part is lost after its answer", "put_part", { lose = true }, { ends = { 0, 1, 3, 6 } }),
  part("a part arrives damaged", "put_part", { damage = "wire" }, { ends = STOPS }),
  part("parts are refused for ever", "put_part", { answer = 503, code = "SlowDown", times = "always" },
    { ends = { 6 }, hard = true }),
  part("complete is answered twice", "complete_upload", { after = true, drop = true }),
  part("complete fails after its effect", "complete_upload", { after = true, answer = 500 }),
  part("complete forgets the last part", "complete_upload", { lose = true }, { ends = { 0, 1, 3, 6 },
    id = "PGO-S3-INTEGRITY" }),
  part("the upload is reset in mid-part by the network", "put_part", { drop = true, times = 3 }),

  -- Servers that restart.
  { name = "the source restarts in mid-dump", inject = "at step", step = "dump_to_store", act = "restart the source",
    ends = STOPS, ci = true },
  { name = "the source restarts in mid-verification", inject = "at step", step = "verify",
    act = "restart the source at once", ends = STOPS },
  { name = "the source fails over, away for 3 s", inject = "at step", step = "fingerprint",
    act = "fail over", ends = STOPS },
  { name = "a failover opens the source, a client writes", inject = "at step", step = "checksum_source",
    act = "fail over and write", ends = { 5, 6 }, may_repeat = 1, ci = true },
  { name = "the target restarts in mid-restore", inject = "at step", step = "restore", act = "restart the target",
    ends = { 0, 1, 3, 6 } },
  { name = "the target restarts in mid-verification", inject = "at step", step = "verify",
    act = "restart the target at once", ends = STOPS, later = { 5 } },   -- its unlogged table is empty then

  -- This machine. The disk is that of the record and the logs; tests/integration/test_spool.lua fills that of a dump.
  -- The preflight finds it, or nothing can be written down any more: not that something was put back either.
  { name = "the disk is full before the window", inject = "full disk", step = "preflight", ends = { 4, 11 } },
  { name = "the disk is full in the window", inject = "full disk", step = "window_opens", ends = { 6 } },
  { name = "the disk is full in mid-dump", inject = "full disk", step = "dump_to_store", ends = { 6 }, ci = true },
  { name = "the disk is full in mid-restore", inject = "full disk", step = "restore", ends = { 6 } },
  { name = "the disk is full at the cut-over", inject = "full disk", step = "cut_over", ends = { 6, 9 } },
  { name = "the disk is full after the cut-over", inject = "full disk", step = "window_closes", ends = { 6, 9 } },
  { name = "the clock jumps 3 h ahead before the dump", inject = "clock", step = "preflight", from = 0, to = 10800,
    ends = DONE },
  { name = "the clock jumps 3 h ahead in mid-dump", inject = "clock", step = "dump_to_store", from = 0, to = 10800,
    ends = DONE, ci = true },
  { name = "the clock jumps 3 h ahead, past the deadline", inject = "clock", step = "fingerprint", from = 0, to = 10800,
    more = { "--deadline", "+2h" }, ends = DONE },
  { name = "the clock jumps 3 h ahead in mid-restore", inject = "clock", step = "restore", from = 0, to = 10800,
    ends = DONE },
  { name = "the clock jumps 3 h back before the dump", inject = "clock", step = "preflight", from = 10800, to = 0,
    ends = DONE },
  { name = "the clock jumps 3 h back in mid-dump", inject = "clock", step = "dump_to_store", from = 10800, to = 0,
    ends = DONE, ci = true },
  { name = "the clock jumps 3 h back in mid-restore", inject = "clock", step = "restore", from = 10800, to = 0,
    ends = DONE },
}

-- While something is put back, or gone on with. An undo that fails is told, and done by `pgorch rollback` later.
local PUTS_BACK = { undo = { 5, 11 }, rollback = { 0, 11 }, resume = STOPS }

local function during(what, name, case)
  case.name, case.during, case.ends = ("%s: %s"):format(what, name), what, case.ends or PUTS_BACK[what]
  if case.place then case.inject = "http" end
  M.cases[#M.cases + 1] = case
end

local REFUSED = { answer = 422, body = { id = "invalid_params", message = "no" }, times = "always" }
local AWAY = { answer = 503, times = "always" }

during("undo", "Heroku refuses the dynos", { place = "heroku.formation", fault = REFUSED, ends = { 11 }, ci = true })
during("undo", "the storage is away", { place = "s3.delete_object", fault = AWAY, recipe = "linode" })
during("undo", "a reset after the effect on the allow list", { place = "vultr.update_database",
  fault = { drop = true, after = true } })
during("undo", "the source is reset", { inject = "reset", server = "source", bytes = 2000, recipe = "postgres" })
during("rollback", "the allow list is away", { place = "vultr.update_database", fault = AWAY, ends = { 11 } })
during("rollback", "the source is reset", { inject = "reset", server = "source", bytes = 2000,
  recipe = "digitalocean", ci = true })
during("rollback", "a reset after the effect on the dynos", { place = "heroku.formation",
  fault = { drop = true, after = true }, recipe = "linode" })
during("rollback", "503 once of the storage", { place = "s3.delete_object", fault = { answer = 503 } })
during("resume", "the restore's answer is lost", { place = "heroku.restore", fault = { drop = true, after = true },
  recipe = "linode", ci = true })
during("resume", "the target is reset", { inject = "reset", server = "target", bytes = 30000,
  recipe = "postgres" })

-- The network: the proxies in front of each server, by each recipe; one of them in the short run.
local RECIPES = { "vultr", "linode", "digitalocean", "postgres" }
local SHORT = { ["target 0.35"] = "linode", ["source 0.6"] = "vultr", ["storage 0.85"] = "postgres" }
M.servers = { "heroku", "provider", "storage", "source", "target" }

local function reset(server, share, recipe)
  return { name = ("%s: every connection is reset at %d %% of its bytes"):format(server, share * 100),
    inject = "reset", server = server, share = share, recipe = recipe, ends = { 0, 1, 3, 4, 6, 9 },
    ci = SHORT[server .. " " .. share] == recipe }
end

for _, server in ipairs(M.servers) do
  for _, recipe in ipairs(RECIPES) do
    if server ~= "provider" or recipe ~= "postgres" then
      for _, share in ipairs { 0.1, 0.35, 0.6, 0.85 } do M.cases[#M.cases + 1] = reset(server, share, recipe) end
    end
  end
  M.cases[#M.cases + 1] = { name = server .. ": silent for 100 s in mid-run", inject = "silence", server = server,
    share = 0.5, seconds = 100, ends = { 0, 1, 3, 6, 9 }, long = true }
end

return M
