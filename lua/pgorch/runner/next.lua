-- What can be typed next, for a run as it stands. One place for it: the summary, status, cancel and messages say the
-- same. Pure: it is told what it has to know.

local next_words = {}

local PAST = "the point of no return is passed: `pgorch rollback %s` needs the window still closed, or --lose-writes"

-- By the run's state; `interrupted` is a run whose process is gone.
local WORDS = {
  running = "stop it: pgorch cancel %s   give up: pgorch rollback %s",
  waiting = "go on: pgorch approve %s   stop it: pgorch cancel %s   give up: pgorch rollback %s",
  put_back = "try again: pgorch resume %s",
  undoing = "finish putting back: pgorch rollback %s",
  undo_failed = "try again to put back: pgorch rollback %s",
  done = "what came of it: pgorch report %s --html FILE   tidy up: pgorch cleanup %s",
}

-- Nothing but this destroys it.
local SOURCE = "the source lives on, until nobody needs it any more: pgorch destroy-source %s"

---@param id string
---@param state string        of the run, or "interrupted"
---@param past boolean|nil    the point of no return is passed
---@return string[] lines
function next_words.lines(id, state, past)
  local text = WORDS[state] or "go on: pgorch resume %s" .. (past and "" or "   give up: pgorch rollback %s")
  local lines, more = { (text:gsub("%%s", id)) }, state == "done" and SOURCE or PAST
  if past and state ~= "put_back" then lines[2] = (more:gsub("%%s", id)) end
  return lines
end

return next_words
