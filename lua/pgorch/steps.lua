-- The steps common to all providers, one file each in steps/, loaded when first named: `step.verify` is the step as it
-- is, `step.verify { content = "none" }` the same step with options.

local step = { heroku_target = require("pgorch.target").heroku }

return setmetatable(step, {
  __index = function(self, name)
    local made = require("pgorch.steps." .. name)
    rawset(self, name, made)
    return made
  end,
})
