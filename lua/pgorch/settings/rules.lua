-- What can become of a setting of the source at Heroku, as data: what is carried, what Heroku has a command for, what
-- never is. What is in none of these lists is set on request if its owner may, and left alone if only the server's may.

local rules = {}

---Settings of a database that change what queries mean, or how an app is treated: carried without being asked for.
---@type table<string, boolean>
rules.CARRY = {
  search_path = true, TimeZone = true, DateStyle = true, IntervalStyle = true, timezone_abbreviations = true,
  default_text_search_config = true, bytea_output = true, extra_float_digits = true, xmloption = true, xmlbinary = true,
  standard_conforming_strings = true, escape_string_warning = true, transform_null_equals = true, array_nulls = true,
  quote_all_identifiers = true, lc_monetary = true, lc_numeric = true, lc_time = true, plan_cache_mode = true,
  default_transaction_isolation = true, default_transaction_deferrable = true, row_security = true,
  statement_timeout = true, lock_timeout = true, idle_in_transaction_session_timeout = true, transaction_timeout = true,
  idle_session_timeout = true, jit = true, ["pg_trgm.similarity_threshold"] = true,
  ["pg_trgm.word_similarity_threshold"] = true, ["pg_trgm.strict_word_similarity_threshold"] = true,
  ["plpgsql.variable_conflict"] = true, ["plpgsql.check_asserts"] = true,
}

---What Heroku has a command for: `heroku pg:settings:COMMAND VALUE`, on every plan but Essential.
---@type table<string, string>
rules.COMMANDS = {
  log_lock_waits = "log-lock-waits", log_connections = "log-connections", log_statement = "log-statement",
  log_min_duration_statement = "log-min-duration-statement", log_min_error_statement = "log-min-error-statement",
  track_functions = "track-functions", ["auto_explain.log_analyze"] = "auto-explain:log-analyze",
  ["auto_explain.log_buffers"] = "auto-explain:log-buffers", ["auto_explain.log_format"] = "auto-explain:log-format",
  ["auto_explain.log_min_duration"] = "auto-explain:log-min-duration",
  ["auto_explain.log_nested_statements"] = "auto-explain:log-nested-statements",
  ["auto_explain.log_triggers"] = "auto-explain:log-triggers",
  ["auto_explain.log_verbose"] = "auto-explain:log-verbose",
}

---What pgorch itself sets on a source: never looked at.
rules.OURS = { default_transaction_read_only = true }

---Never carried, by a pattern of the name, and why.
---@type {[1]: string, [2]: string}[]
rules.NEVER = {
  { "^transaction_", "of one transaction alone" },
  { "^application_name$", "of one session alone" },
  { "^client_encoding$", "of one session alone" },
  { "^role$", "names a role of the source" },
  { "^session_authorization$", "names a role of the source" },
  { "^temp_tablespaces$", "names tablespaces of the source" },
  { "^default_tablespace$", "names a tablespace of the source" },
  { "_preload_libraries$", "names libraries of the source's machine" },
  { "^dynamic_library_path$", "names folders of the source's machine" },
  { "^ssl", "of the source's machine" },
  { "^lc_messages$", "the language of the server's messages is Heroku's" },
  { "^log_", "what Heroku logs is Heroku's" },
  { "^aiven%.", "of the source's provider" },
  { "^rds%.", "of the source's provider" },
  { "^extwlist%.", "of the source's provider" },
}

---Prefixes of names with a dot that modules of the server define. What others hold, an app's own, may be a secret.
rules.MODULES = { "auto_explain.", "pg_stat_statements.", "pg_trgm.", "plpgsql.", "postgis." }

---Settings of the server that commonly hold passwords or keys.
rules.SECRET = { primary_conninfo = true, archive_command = true, restore_command = true,
  archive_cleanup_command = true, recovery_end_command = true, ssl_passphrase_command = true }

---Values that are lists of names, each quoted on its own (GUC_LIST_QUOTE in PostgreSQL's source).
rules.LISTS = { search_path = true, temp_tablespaces = true, session_preload_libraries = true,
  shared_preload_libraries = true, local_preload_libraries = true, unix_socket_directories = true }

return rules
