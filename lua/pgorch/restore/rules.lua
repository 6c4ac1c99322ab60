-- The rules by which a restore's complaints are judged, as data. What no rule knows is lossy, so a harmless rule is
-- narrow: the message and the command; a mended one too, and it is lossy in a recipe without the step that mends. A
-- lossy rule only says what was lost, and what can be done about it.
-- Each rule has a log of a real pg_restore in tests/fixtures/restore_logs, named after it; a rule without one is none.

---@class pgorch.restore.Rule
---@field id string                    a word; the log's name
---@field class "harmless"|"mended"|"lossy"
---@field by string|nil               mended: id of the step that does it, for the name that `command` catches
---@field program "pg_dump"|"pg_restore"|nil   who complains; nil: either
---@field error string|string[]|nil    Lua pattern in the message; of several, any
---@field command string|string[]|nil  Lua pattern in "Command was:"; of several, any
---@field why string                   what it means
---@field cure string|nil              what to do on the source; {1} is the first name in quotes in the message
---@field transient boolean|nil        another attempt may well succeed

-- Shared words.
local GRANTS = "grants are not carried: the roles of the source do not exist at Heroku"
local EXTENSION = "an extension is missing, and what needs it"
local SEARCH_PATH = "A restore runs with an empty search_path. Write the schema in front of the name in the function, "
  .. "or give it its own: ALTER FUNCTION ... SET search_path = public."
local REFRESH = "^REFRESH MATERIALIZED VIEW (.+);%s*$"
local EMPTY = "a materialized view has no data"
local NOT_THE_DUMP = "what Heroku downloaded is not the dump"

---@type pgorch.restore.Rule[]
return {
  -- harmless
  { id = "extension-comment", class = "harmless", error = "ERROR:  must be owner of extension ",
    command = "^COMMENT ON EXTENSION ", why = "extensions belong to Heroku; only the comment on one is missing" },
  { id = "extension-drop", class = "harmless", error = "ERROR:  must be owner of extension ",
    command = "^DROP EXTENSION IF EXISTS ", why = "extensions belong to Heroku; the extension stays" },
  { id = "transaction-timeout", class = "harmless",
    error = 'ERROR:  unrecognized configuration parameter "transaction_timeout"$',
    command = "^SET transaction_timeout = 0;", why = "pg_restore 17 sets it on an older server; it concerns no data" },
  { id = "schema-exists", class = "harmless", error = 'ERROR:  schema ".*" already exists$',
    command = "^CREATE SCHEMA [^;]+;%s*$", why = "the schema was there before; what is in it is restored" },
  { id = "public-comment", class = "harmless", error = "ERROR:  must be owner of schema public$",
    command = '^COMMENT ON SCHEMA "?public"? IS ', why = "only the comment on schema public is missing" },
  { id = "grant", class = "harmless", error = 'ERROR:  role ".*" does not exist$', command = "^GRANT ", why = GRANTS },
  { id = "revoke", class = "harmless", error = 'ERROR:  role ".*" does not exist$', command = "^REVOKE ",
    why = GRANTS },
  { id = "default-privileges", class = "harmless", command = "^ALTER DEFAULT PRIVILEGES ", why = GRANTS,
    error = { 'ERROR:  role ".*" does not exist$', 'ERROR:  must be member of role ".*"$',
              "ERROR:  permission denied to change default privileges$" } },
  { id = "owner", class = "harmless", command = "^ALTER [%u ]+ .- OWNER TO [^;]+;%s*$",
    error = { 'ERROR:  role ".*" does not exist$', 'ERROR:  must be member of role ".*"$',
              'ERROR:  must be able to SET ROLE ".*"$' },
    why = "at Heroku everything belongs to the default credential" },
  { id = "publication", class = "harmless", error = "ERROR:  must be superuser to create FOR ALL TABLES publication$",
    command = "^CREATE PUBLICATION ", why = "publications are not carried" },
  { id = "publication-schemas", class = "harmless", error = "ERROR:  must be superuser to add or set schemas$",
    command = "^ALTER PUBLICATION .- ADD TABLES IN SCHEMA ", why = "publications are not carried" },
  { id = "subscription", class = "harmless", command = "^CREATE SUBSCRIPTION ",
    error = { "ERROR:  must be superuser to create subscriptions$",
              "ERROR:  permission denied to create subscription$" },
    why = "subscriptions are not carried" },

  -- mended: only the view's data is missing, which a session with the source's search_path can make
  { id = "matview", class = "mended", by = "refresh_matviews", command = REFRESH, why = EMPTY, cure = SEARCH_PATH,
    error = { 'ERROR:  relation ".-" does not exist', "ERROR:  function .- does not exist",
              'ERROR:  type ".-" does not exist', "ERROR:  operator does not exist: ",
              'ERROR:  text search configuration ".-" does not exist' } },
  { id = "matview-of-empty", class = "mended", by = "refresh_matviews", command = REFRESH, why = EMPTY,
    error = 'ERROR:  materialized view ".-" has not been populated$',
    cure = "What was said of the view that it reads is the reason." },

  -- lossy: the source has to be mended
  { id = "unique-index", class = "lossy", error = 'could not create unique index "(.-)"',
    why = "a unique index is missing: the source's own index is corrupt, its rows share a key",
    cure = "On the source, list them without that index (SET enable_indexscan, enable_indexonlyscan and "
      .. "enable_bitmapscan to off; SELECT key, count(*) FROM ... GROUP BY 1 HAVING count(*) > 1), "
      .. "remove the duplicates, REINDEX INDEX {1}; then resume." },
  { id = "foreign-key", class = "lossy", error = 'violates foreign key constraint "(.-)"',
    why = "a foreign key is missing: the source holds rows whose parent does not exist",
    cure = "On the source, mend or delete the rows that DETAIL names, or drop {1} there; then resume." },
  { id = "check", class = "lossy", error = 'COPY failed for table "(.-)": ERROR:  new row for relation ".-" '
      .. "violates check constraint",
    why = "all rows of a table are missing: one of them breaks a check of its own",
    cure = "On the source, mend the row of {1} that DETAIL names, or make the check NOT VALID; then resume. "
      .. "A check that reads other tables cannot be restored." },
  { id = "encoding", class = "lossy",
    error = 'COPY failed for table "(.-)": ERROR:  invalid byte sequence for encoding',
    why = "all rows of a table are missing: one of them holds bytes that are not the encoding's",
    cure = "On the source, mend the row of {1} that CONTEXT names; then resume." },
  { id = "already-exists", class = "lossy", error = 'relation "(.-)" already exists',
    why = "the database was not empty: rows may be there twice, or a table be another one",
    cure = "Something made {1} in the target while the restore ran: stop it, then resume." },
  { id = "table-missing", class = "lossy", error = 'relation "(.-)" does not exist',
    command = { "^COPY ", "^ALTER TABLE " },
    why = "a table could not be made: its rows, keys and defaults are missing with it",
    cure = "What was said of {1} above is the reason." },
  { id = "relation-missing", class = "lossy", error = 'relation ".-" does not exist',
    why = "something that needs a table or view is missing", cure = SEARCH_PATH },
  { id = "function-missing", class = "lossy", error = "function .- does not exist",
    why = "something that needs a function is missing", cure = SEARCH_PATH },
  { id = "type-missing", class = "lossy", error = 'type ".-" does not exist',
    why = "something that needs a type is missing", cure = SEARCH_PATH },
  { id = "collation-missing", class = "lossy", error = 'collation "(.-)" for encoding ".-" does not exist',
    why = "something that needs a collation is missing",
    cure = "Heroku's server does not know {1}: on the source, use another collation; then resume." },

  -- lossy: what Heroku does not allow
  { id = "extension-denied", class = "lossy", why = EXTENSION, error = 'permission denied to create extension "(.-)"',
    cure = "Heroku does not offer {1} to this plan: drop it on the source, with what needs it; then resume." },
  { id = "extension-unavailable", class = "lossy", why = EXTENSION,
    error = { 'could not open extension control file "(.-)"', 'extension "(.-)" is not available' },
    cure = "Heroku's server does not have it: drop it on the source, with what needs it; then resume." },
  { id = "extension-missing", class = "lossy", error = 'extension "(.-)" does not exist', why = EXTENSION,
    cure = "What was said of {1} above is the reason." },
  { id = "event-trigger", class = "lossy", error = 'permission denied to create event trigger "(.-)"',
    why = "an event trigger is missing: only a superuser may make one",
    cure = "Drop {1} on the source; then resume." },
  { id = "language", class = "lossy", error = "permission denied for language ", why = "a function is missing",
    cure = "Only a superuser may make functions in C or internal ones: drop it on the source; then resume." },
  { id = "foreign-server", class = "lossy", why = "a foreign server or table is missing",
    error = { "permission denied for foreign%-data wrapper ", 'server "(.-)" does not exist' },
    cure = "Drop the foreign server on the source, with its tables; then resume." },
  { id = "user-mapping", class = "lossy", error = 'role "(.-)" does not exist', command = "^CREATE USER MAPPING ",
    why = "a user mapping is missing", cure = "Drop {1}'s user mapping on the source; then resume." },
  { id = "policy", class = "lossy", error = 'role "(.-)" does not exist', command = "^CREATE POLICY ",
    why = "a row security policy is missing: who may see which rows has changed",
    cure = "Drop the policy before the move, and make it again for a credential of Heroku's; then resume." },

  -- lossy: the archive, the way to Heroku, the server there
  { id = "newer-archive", class = "lossy", error = "unsupported version %(.-%) in file header",
    why = "Heroku's pg_restore is older than the pg_dump that made the dump: nothing was restored",
    cure = "Use a pg_dump of the target's major version: PGORCH_PG_DUMP names one." },
  { id = "not-an-archive", class = "lossy", error = "input file does not appear to be a valid archive",
    why = NOT_THE_DUMP, transient = true },
  { id = "text-dump", class = "lossy", error = "input file appears to be a text format dump", why = NOT_THE_DUMP },
  { id = "empty-archive", class = "lossy", error = "input file is too short", why = NOT_THE_DUMP, transient = true },
  { id = "cut-archive", class = "lossy", error = "could not read from input file",
    why = "the download ended before the dump did", transient = true },
  { id = "disk-full", class = "lossy",                    -- the last write that had some room is a short one
    error = { "No space left on device", "could not extend file .-: wrote only %d+ of %d+ bytes" },
    why = "the disk of the target is full: rows or indexes are missing",
    cure = "Choose a larger plan: `pgorch cleanup RUN --confirm APP` removes the add-on that is too small; then run "
      .. "again with --plan." },
  { id = "source-unreachable", class = "lossy", program = "pg_dump", error = "connection to server .- failed: ",
    why = "Heroku's pg_dump could not connect to the source",
    cure = "Let Heroku in: its addresses are not fixed, so the source's allow list has to hold 0.0.0.0/0 while it "
      .. "fetches; or choose --via archive or --via direct, then run again." },
  { id = "source-lost", class = "lossy", program = "pg_dump", transient = true,
    error = { "server closed the connection unexpectedly", "FATAL:  terminating connection due to",
              "failed: PQgetCopyData%(%) failed" },            -- an error of the server's says PQgetResult()
    why = "Heroku's pg_dump lost its connection to the source" },
  { id = "connection-lost", class = "lossy", transient = true,
    error = { "FATAL:  terminating connection due to", "server closed the connection unexpectedly",
              "no connection to the server" },
    why = "the connection to Heroku's database was lost" },
  { id = "no-connection", class = "lossy", transient = true, error = "connection to server .- failed: ",
    why = "Heroku's database let nobody in" },
}
