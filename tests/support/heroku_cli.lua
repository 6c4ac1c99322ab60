-- Runs the real Heroku CLI in a world, and tells what it printed and what it asked the stand-in for: each request as
-- one line, with ids and generated names replaced by what they are, to be compared with what is known of the CLI.

local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"

local M = {}

local HEROKU = env.get "PGORCH_HEROKU_CLI" or "build/deps/heroku/heroku"

---@return boolean
function M.is_installed()
  return fs.exists(HEROKU)
end

local function absolute(path)
  return path:match "^/" and path or process.run({ "/bin/pwd" }).stdout:gsub("\n", "/") .. path
end

---Runs one command: "pg:wait DATABASE" or {"config:set", "A=b c"}. What it printed anywhere is `all`.
---@param world table
---@param command string|string[]
---@param more? table<string, string> variables beside the world's
---@return {code: integer, all: string}
function M.run(world, command, more)
  local argv = { HEROKU }
  if type(command) == "table" then
    table.move(command, 1, #command, 2, argv)
  else
    for word in command:gmatch "%S+" do argv[#argv + 1] = word end
  end
  argv.env, argv.env_clear, argv.check, argv.timeout = sandbox.environment(world), true, false, 120
  argv.cwd, argv[1] = world.dir, absolute(HEROKU)     -- in a git repository it would add a remote to it
  for name, value in pairs(more or {}) do argv.env[name] = value end
  local done = process.run(argv)
  done.all = done.stdout .. done.stderr
  return done
end

-- Requests -----------------------------------------------------------------------------------------------------------

local function log_path(world)
  return world.dir .. "/requests.jsonl"
end

---A place in the log of requests, for `requests`.
---@return integer
function M.mark(world)
  local about = fs.stat(log_path(world))
  return about and about.size or 0
end

---The requests to the Heroku stand-in since a mark, as its log has them.
---@param mark integer
---@return table[]
function M.entries(world, mark)
  local found = {}
  for line in fs.read(log_path(world), 1 << 27):sub(mark + 1):gmatch "[^\n]+" do
    local entry = json.decode(line, { nulls = true })
    local is_link = entry.path:find "^/files/"         -- what Heroku's own worker fetches
    if entry.standin == "heroku" and not is_link then found[#found + 1] = entry end
  end
  return found
end

-- Id -> what it is the id of. Ids of what is gone by now are kept from the call before.
local function learn_ids(world)
  local known, state = world.known_ids or {}, world.heroku.state
  for _, app in ipairs(state.apps) do
    known[app.id] = "<app>"
    for _, transfer in ipairs(app.transfers) do known[transfer.uuid] = "<transfer>" end
    for _, release in ipairs(app.releases) do known[release.id] = "<release>" end
  end
  for _, addon in ipairs(state.addons) do
    known[addon.id] = "<addon>"
    for _, schedule in ipairs(addon.schedules) do known[schedule.uuid] = "<schedule>" end
  end
  for _, attachment in ipairs(state.attachments) do known[attachment.id] = "<attachment>" end
  world.known_ids = known
  return known
end

local UUID = ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12)

local function normal(known, text)
  return (text:gsub(UUID, known):gsub("postgresql%-%a+%-%d%d%d%d%d", "<name>"):gsub('postgres://[^"]+', "<url>"))
end

local function family(headers)
  local parts = {}
  if (headers.accept or ""):find("version=3.sdk", 1, true) then parts[1] = "sdk" end
  if (headers.authorization or ""):find "^Basic" then parts[#parts + 1] = "basic" end
  for _, name in ipairs { "accept-expansion", "accept-inclusion", "range" } do
    if headers[name] then parts[#parts + 1] = ("%s=%s"):format(name:gsub("accept%-", ""), headers[name]) end
  end
  return #parts > 0 and " [" .. table.concat(parts, " ") .. "]" or ""
end

---One request as a line: METHOD PATH?QUERY BODY [what its headers ask for].
---@return string
function M.line(world, entry)
  local known = learn_ids(world)
  local path = entry.path .. (entry.query and "?" .. entry.query or "")
  local body = entry.request and entry.request ~= json.null and " " .. json.encode(entry.request) or ""
  return normal(known, entry.method .. " " .. path .. body) .. family(entry.headers)
end

---The requests since a mark as lines. Polls, which are the same line again and again, count once.
---@return string[]
function M.requests(world, mark)
  local lines = {}
  for _, entry in ipairs(M.entries(world, mark)) do
    local line = M.line(world, entry)
    if line ~= lines[#lines] then lines[#lines + 1] = line end
  end
  return lines
end

-- What the rows about databases share --------------------------------------------------------------------------------

M.APP = "judged-app"

---How each pg:* command begins.
---@param name string attachment, config var or add-on
function M.resolve(name)
  return ('POST /actions/addon-attachments/resolve {"addon_attachment":"%s","app":"judged-app"} '
    .. "[sdk inclusion=addon:plan,config_vars]"):format(name)
end

function M.resolve_addon(name)
  return ('POST /actions/addons/resolve {"addon":"%s","app":"judged-app"} [sdk expansion=addon_service,plan]')
    :format(name)
end

---A config var of the judged app.
function M.url_of(world, var)
  return world.heroku.state:config(world.heroku:app(M.APP))[var]
end

function M.value(url, sql)
  local conn <close> = pg.connect(url, { settings = { TimeZone = "UTC" } })
  return conn:value(sql)
end

-- Rows ---------------------------------------------------------------------------------------------------------------

local function fail(row, done, format, ...)
  error(("heroku %s: %s\n%s"):format(row[1], format:format(...), done.all:sub(-3000)), 0)
end

-- `$NAME` is values.NAME.
local function fill(text, values)
  return (text:gsub("%$(%u+)", values or {}))
end

-- Requests that the CLI sends side by side have no order, and one that is sent twice counts once.
local function sorted(lines)
  local unique, known = {}, {}
  for _, line in ipairs(lines) do
    if not known[line] then unique[#unique + 1] = line end
    known[line] = true
  end
  table.sort(unique)
  return unique
end

local function check_requests(world, row, done, mark, values)
  local asked, wanted = M.requests(world, mark), {}
  for i, line in ipairs(row.asks) do wanted[i] = fill(line, values) end
  if row.at_once then asked, wanted = sorted(asked), sorted(wanted) end
  local got, expected = table.concat(asked, "\n"), table.concat(wanted, "\n")
  if got ~= expected then fail(row, done, "it asked\n%s\ninstead of\n%s\n", got, expected) end
end

local COLOUR = "\27%[[%d;]*m"

-- The CLI breaks its lines at 80 columns.
local function flat(text)
  return (text:gsub(COLOUR, ""):gsub("\n ›", "\n"):gsub("%s+", " "))
end

---Runs commands one after another. A row is {COMMAND, code =, says =, asks =, at_once =, before =, check =}: the exit
---code (0), a text that is printed or several, the requests that are sent, functions of the world to call first and
---after. `$NAME` in a command and in the requests is `values.NAME`; `~` in a command is a blank within a word.
---@param world table
---@param rows table[]
---@param values? table<string, string>
function M.walk(world, rows, values)
  for _, row in ipairs(rows) do
    if row.before then row.before(world) end
    local argv = {}
    for word in row[1]:gmatch "%S+" do
      argv[#argv + 1] = fill((word:gsub("~", " ")), values)
    end
    local mark = M.mark(world)
    local done = M.run(world, argv)
    if done.code ~= (row.code or 0) then fail(row, done, "exit code %d", done.code) end
    for _, text in ipairs(type(row.says) == "table" and row.says or { row.says }) do
      if not flat(done.all):find(text, 1, true) then fail(row, done, "it does not say `%s`", text) end
    end
    if row.asks then check_requests(world, row, done, mark, values) end
    if row.check then row.check(world, done) end
  end
end

return M
