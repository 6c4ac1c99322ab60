std = "lua54"
max_line_length = 120
exclude_files = { "lua/meta", "build" }
local words = { "describe", "it", "expect", "before", "after", "skip", "sandbox", "TEST_FOLDER", "TEST_FILE" }
files["tests"] = { read_globals = words }
files["lua/pgorch/new/test.lua"] = { read_globals = words }
