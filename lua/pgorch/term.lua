-- What a person sees: standard output for results, standard error for messages, both redacted.

local native = require "pgorch.native.term"

local term = { out = native.out, err = native.err, is_tty = native.is_tty, width = native.width,
               height = native.height }

---Asks on standard error and waits for a line from standard input; nil at its end.
---@param prompt string
---@return string|nil
function term.ask(prompt)
  native.err(prompt)
  return native.line()
end

return term
