-- pgorch status [RUN]: the runs of the record, or the steps of one; with --watch as they go on.

local detail     = require "pgorch.status.detail"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local list       = require "pgorch.status.list"
local native     = require "pgorch.native.host"
local recorded   = require "pgorch.report.recorded"
local report     = require "pgorch.report"
local records    = require "pgorch.store"
local term       = require "pgorch.term"
local watch      = require "pgorch.status.watch"

local command = {
  summary = "list the runs, or show one; --watch follows it",
  usage = "pgorch status [RUN] [--watch] [--json]\n"
    .. "  --watch  looks every second until the run is over, and ends with its exit status; Ctrl-C: 130\n"
    .. "  --no-color  no colour and no live display\n"
    .. "  --json   a line for each run, after one with the version; of RUN one object with its steps, its log, what\n"
    .. "           stands and what can be typed; with --watch one line for each event of the log. Times are UTC."
    .. invocation.RECORD_USAGE,
}

command.flags = invocation.with_record {
  { name = "json", type = "boolean" }, { name = "watch", type = "boolean" }, { name = "no-color", type = "boolean" },
}

local LEFT = 130

local function show_all(store, host)
  local all = watch.all_fields(store)
  if host.json then watch.lines(all) else term.out(list.text(all, store.path)) end
  return 0
end

local function show(store, id, host)
  local seen = recorded.read(store, store:run(id))
  if not host.json then
    term.out(detail.text(seen, report.of(seen)))
    return 0
  end
  local one = list.fields(seen.run, store:outlines()[seen.run.id])
  for name, value in pairs(detail.fields(seen)) do one[name] = value end
  term.out(json.encode(one) .. "\n")
  return 0
end

local function find(id, host)
  if id then return invocation.find_store(host) end
  return records.find(invocation.store_url(host))
end

-- Who has begun nothing yet has no record, and is not wrong to ask.
local function show_none(host)
  local place = records.name(invocation.store_url(host))
  if host.json then watch.lines {} else term.out(("no runs in %s: there is no record there\n"):format(place)) end
  return 0
end

-- Ctrl-C ends the looking on alone: it says nothing of the run.
local function look_on(store, id, host)
  local ok, status = xpcall(function()
    if id then return watch.run(store, store:run(id).id, host) end
    return watch.list(store, host)
  end, fail.handler)
  if ok then return status end
  if native.interrupted() then return LEFT end
  error(status, 0)
end

function command.run(arguments)
  local id, host = invocation.simple(arguments, command.flags, command.usage)
  local store <close> = find(id, host)
  if not store then return show_none(host) end
  if host.watch then return look_on(store, id, host) end
  if id then return show(store, id, host) end
  return show_all(store, host)
end

return command
