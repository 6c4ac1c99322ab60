-- pgorch report RUN: what came of a run, as a page for people (--html FILE), as an object for machines (--json), or in
-- short. Reads the record alone; a run that is still at work can be looked at too.

local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local page       = require "pgorch.report.page"
local recorded   = require "pgorch.report.recorded"
local report     = require "pgorch.report"
local term       = require "pgorch.term"
local text       = require "pgorch.report.text"

local command = {
  summary = "what came of a run: a page, JSON, or in short",
  usage = "pgorch report RUN [--html FILE | --json]\n"
    .. "  FILE is written whole or not at all, for you alone (0600), and needs nothing else to be read.\n"
    .. "  Times are UTC. Secrets are not in it; names of tables and hosts are."
    .. invocation.RECORD_USAGE,
}

command.flags = invocation.with_record {
  { name = "json", type = "boolean" }, { name = "html", type = "string", value = "FILE" },
}

local function write_page(path, it)
  local stat = fs.stat(path)
  if stat and stat.type ~= "file" then
    fail.raise("PGO-USAGE", ("--html %s: that is a %s, name a file"):format(path, stat.type == "directory" and "folder"
      or stat.type))
  end
  fs.write(path, page.write(it), { mode = 0600 })
  term.err(("written: %s\n"):format(path))
end

function command.run(arguments)
  local id, host = invocation.simple(arguments, command.flags, command.usage)
  if not id then fail.raise("PGO-USAGE", "no run is named: `pgorch status` lists the runs") end
  if host.html and host.json then fail.raise("PGO-USAGE", "--html and --json: choose one") end
  local store <close> = invocation.find_store(host)
  local it = report.of(recorded.read(store, store:run(id)))
  if host.html then
    write_page(host.html, it)
  else
    term.out(host.json and json.encode(it) .. "\n" or text.write(it))
  end
  return 0
end

return command
