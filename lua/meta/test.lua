---@meta _
-- The words of a test file: what `pgorch test` puts beside the usual globals. docs/testing.md explains them.

---The path of the test file, and the folder that it is in.
---@type string
TEST_FILE, TEST_FOLDER = nil, nil

---A group of tests. Groups may stand in each other.
---@param name string
---@param body fun()
function describe(name, body) end

---One test, which runs as a task: it may wait.
---@param title string
---@param body async fun()
---@param options? {limit?: number}  seconds: 120; 600 in a group with a sandbox
function it(title, body, options) end

---Runs before each test of the file or the group.
---@param fn async fun()
function before(fn) end

---Runs after each test of the file or the group, also when it failed.
---@param fn async fun()
function after(fn) end

---Ends the test as skipped.
---@param why string
function skip(why) end

---@class pgorch.Expectation
---@field is fun(other: any)
---@field is_not fun(other: any)
---@field same fun(other: table)        equal in depth
---@field has fun(text: string)         a string with the text
---@field lacks fun(text: string)
---@field matches fun(pattern: string)  a Lua pattern
---@field is_true fun()
---@field is_nil fun()
---@field above fun(number: number)
---@field below fun(number: number)
---@field raises fun(id?: string): pgorch.Error  of a function: the error that it raises

---expect(x).is(y): fails the test when x is not y.
---@param value any
---@return pgorch.Expectation
function expect(value) end

---A world of its own for each test of the file or the group. It is there inside of `it`, `before` and `after`.
---@param options? pgorch.test.Sandbox
---@return pgorch.test.World
function sandbox(options) end
