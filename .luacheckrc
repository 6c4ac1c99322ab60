std = "lua54"
max_line_length = 120
exclude_files = { "lua/meta", "build" }
files["tests"] = { read_globals = { "describe", "it", "expect", "before", "after", "skip", "TEST_FOLDER", "TEST_FILE" } }
