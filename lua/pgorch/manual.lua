-- The manual page, pgorch(1), in the words of the program: every command with its flags, the recipes with their
-- parameters, exit statuses, variables, files. Made by the build, so that it is never behind.

local command = require "pgorch.command"
local help    = require "pgorch.help"
local host    = require "pgorch.native.host"
local loader  = require "pgorch.recipe.load"
local meaning = require "pgorch.runner.meaning"
local params  = require "pgorch.recipe.params"

local manual = {}

---Variables of the environment that pgorch reads, beside those that recipes name for their parameters.
---@type string[][]
manual.VARIABLES = {
  { "PGORCH_STATE", "where the record of runs is: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE" },
  { "PGORCH_PG_DUMP", "the pg_dump to use" },
  { "PGORCH_POSTGRES", "programs of the PostgreSQL server that the sandbox runs" },
  { "PGORCH_ECHO_URL", "a service that answers with this machine's address, for allow lists" },
  { "PGORCH_POLL_SCALE", "shortens the pauses between two looks, while HEROKU_HOST is this machine" },
  { "PGORCH_API_RATE", "RATE/BURST: counts requests to stand-ins on this machine, too" },
  { "PGORCH_LEASE_SECONDS", "shortens the lease of a run, in the sandbox alone" },
  { "PGORCH_HISTORY", "where `pgorch repl` keeps what was typed" },
  { "PGORCH_SANDBOX", "set by the sandbox: the folder of its state" },
  { "SOURCE_DATABASE_URL, TARGET_DATABASE_URL", "the two databases, for commands that have no recipe" },
  { "HEROKU_API_KEY", "Heroku's API token" },
  { "HEROKU_HOST, HEROKU_DATA_HOST, HEROKU_POSTGRESQL_HOST", "other hosts of Heroku's APIs, as for its CLI" },
  { "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY", "the keys of the object storage" },
  { "AWS_REGION, AWS_DEFAULT_REGION", "its region" },
  { "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL", "its address" },
  { "AWS_CA_BUNDLE", "the certificate authorities that it is trusted by" },
  { "AWS_SESSION_TOKEN", "is refused: temporary keys cannot be used" },
  { "SPACES_ACCESS_KEY_ID, SPACES_SECRET_ACCESS_KEY", "the keys of DigitalOcean's Spaces" },
  { "VULTR_API_URL, LINODE_API_URL, DIGITALOCEAN_API_URL", "other addresses of the providers' APIs" },
  { "PGSSLROOTCERT", "the certificate authority of a source, where its URL names none" },
  { "PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and others of libpq's", "what the URL of a database leaves open" },
  { "NO_COLOR, TERM", "no colour and no live display with NO_COLOR, or TERM=dumb" },
  { "LC_ALL, LC_CTYPE, LANG", "whether the terminal shows UTF-8" },
  { "HOME, XDG_STATE_HOME, XDG_CACHE_HOME, TMPDIR, PATH", "where files are kept and programs are found" },
}

local FILES = {
  { "$XDG_STATE_HOME/pgorch/state.db", "the record of runs, where PGORCH_STATE names no other; below ~/.local/state "
    .. "when XDG_STATE_HOME is not set" },
  { "$XDG_STATE_HOME/pgorch/runs/RUN", "the files of a run: logs, settings of the source" },
  { "$XDG_STATE_HOME/pgorch/repl_history", "what was typed at the prompt of `pgorch repl`" },
}

-- Text as roff: no line of it is taken for a request, and a dash can be pasted.
local function plain(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (("\n" .. text):gsub("\n([.'])", "\n\\&%1"):sub(2))
end

local function section(out, title) out[#out + 1] = ".SH " .. title:upper() end

local function entries(out, rows)
  for _, row in ipairs(rows) do
    out[#out + 1] = ".TP\n.B " .. plain(row[1])
    out[#out + 1] = plain(row[2] ~= "" and row[2] or " ")
  end
end

local function verbatim(out, text)
  out[#out + 1] = ".PP\n.nf"
  out[#out + 1] = plain((text:gsub("%s+$", "")))
  out[#out + 1] = ".fi"
end

local function add_commands(out)
  section(out, "commands")
  for _, name in ipairs(command.names()) do
    local typed = name:gsub("_", "-")
    local found = command.find(typed)
    out[#out + 1] = ".SS pgorch " .. plain(typed)
    out[#out + 1] = plain(found.summary or "")
    verbatim(out, found.usage or "pgorch " .. typed)
    if found.takes_flags then entries(out, help.flag_rows(found.flags)) end
  end
end

local function own_rows(recipe, standard)
  local rows = {}
  for _, spec in ipairs(params.sorted(recipe.params)) do
    if not standard[spec.name] then rows[#rows + 1] = help.parameter_row(spec) end
  end
  return rows
end

local function add_recipes(out)
  local standard = {}
  for name, spec in pairs(params.standard()) do standard[name] = params.complete(name, spec) end
  section(out, "recipes")
  out[#out + 1] = plain "A recipe is a file in Lua, or one of these. `pgorch run FILE --help` explains that of a file."
  for _, name in ipairs(loader.built_in()) do
    local recipe = loader.load(name)
    out[#out + 1] = ".SS " .. plain(name)
    out[#out + 1] = plain(recipe.summary)
    entries(out, own_rows(recipe, standard))
  end
  out[#out + 1] = ".SS Parameters of all of them"
  entries(out, own_rows({ params = standard }, {}))
end

local function add_statuses(out)
  section(out, "exit status")
  local rows = {}
  for status, text in pairs(meaning.OF) do rows[#rows + 1] = { tostring(status), text, status } end
  table.sort(rows, function(a, b) return a[3] < b[3] end)
  entries(out, rows)
end

---The whole page, for man(1).
---@return string
function manual.page()
  local out = { (".TH PGORCH 1 \"\" \"pgorch %s\" \"pgorch\"\n.ad l\n.nh"):format(host.version) }
  section(out, "name")
  out[#out + 1] = "pgorch \\- move managed PostgreSQL databases to Heroku Postgres with scripts that people can read"
  section(out, "synopsis")
  out[#out + 1] = ".B pgorch\n.I COMMAND\n[\\fIWORD\\fR ...]"
  section(out, "description")
  verbatim(out, help.introduction())
  add_commands(out)
  add_recipes(out)
  add_statuses(out)
  section(out, "environment")
  entries(out, manual.VARIABLES)
  section(out, "files")
  entries(out, FILES)
  section(out, "see also")
  out[#out + 1] = ".BR pg_dump (1),\n.BR psql (1)"
  return table.concat(out, "\n") .. "\n"
end

return manual
