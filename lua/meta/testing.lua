---@meta pgorch.native.testing
-- What only tests ask of the program. Scripts use pgorch.test.left_open.

local testing = {}

---Handles of the loop that are open now, by their kind, and tasks: { tasks = 1, tcp = 2 }. What the program keeps for
---its whole life is not counted.
---@return table<string, integer>
function testing.open() end

---The process ends at once, as by kill -9.
function testing.die() end

return testing
