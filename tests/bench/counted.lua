-- The built-in move of any PostgreSQL, verified as the article asks by hand: tables and rows of both sides are counted
-- and compared, and nothing is summed. For the benchmark of whole migrations, where both must do the same work.
-- pgorch run tests/bench/counted.lua

local recipe = require "pgorch.recipe"
local step   = require "pgorch.steps"

local replace = recipe.replace

return recipe.from "postgres" {
  name    = "counted",
  summary = "Move any PostgreSQL database to Heroku Postgres, and compare the numbers of rows alone",

  change = {
    replace { "checksum_source", step.checksum_source { content = "none", title = "Count every row of the source" } },
    replace { "verify", step.verify { content = "none" } },
  },
}
