-- What the tests of recipes other than Vultr's share: the same as for Vultr's (vultr_run), with the app pointing to the
-- database as that provider names it.

local vultr_run = require "support.vultr_run"

---@param recipe string    "linode", or a file
---@param arguments string[]  what it needs besides the app: "--instance", "demo"
---@param old_url? fun(world: table): string   the app's DATABASE_URL before the move
---@return table  as support.vultr_run
return function(recipe, arguments, old_url)
  local M = setmetatable({}, { __index = vultr_run })

  function M.usual(more)
    local list = { "run", recipe, "--app", M.APP, "--plan", "essential-1", "--yes-cut-over" }
    table.move(arguments, 1, #arguments, #list + 1, list)
    return table.move(more or {}, 1, #(more or {}), #list + 1, list)
  end

  ---`pgorch run RECIPE` with the usual arguments and these.
  function M.run(world, more, variables) return vultr_run.pgorch(world, M.usual(more), variables) end

  function M.kill_when(world, due, pause)
    return vultr_run.kill_when(world, due, pause, M.usual { "--json" })
  end

  ---The body of an `it`, with a world of its own in which the app uses the provider's database.
  function M.with_world(options, fn)
    return vultr_run.with_world(options, function(world)
      if old_url then
        world.old_url = old_url(world)
        world.heroku:app(M.APP).config.DATABASE_URL = world.old_url
      end
      fn(world)
    end)
  end

  return M
end
