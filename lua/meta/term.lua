---@meta pgorch.native.term
-- What native.term provides: standard output and error, with secrets masked, and what a person types.

local term = {}

---To standard output.
---@param text string
function term.out(text) end

---To standard error.
---@param text string
function term.err(text) end

---@param descriptor 0|1|2
---@return boolean
function term.is_tty(descriptor) end

---Columns of the terminal of standard error; 80 where that is none.
---@return integer
function term.width() end

---A line of standard input without its newline; nil at the end. What comes after it is left there.
---@async
---@return string?
function term.line() end

---@class pgorch.native.term.Editor
local editor = {}

---A line that is edited on the terminal; nil at the end of the input, which Control-D on an empty line is.
---@async
---@param prompt string
---@return string?
function editor:line(prompt) end

---The arrow keys bring it back.
---@param text string
function editor:remember(text) end

---The terminal is as it was. Also on leaving the scope of a `<close>`.
function editor:close() end

---An editor of lines. Raises PGO-INVALID where standard input or output is no terminal.
---@return pgorch.native.term.Editor
function term.editor() end

return term
