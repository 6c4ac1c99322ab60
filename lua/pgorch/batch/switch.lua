-- The words that only change what a batch as a whole may do: pause, continue, drain.

local fail  = require "pgorch.error"
local named = require "pgorch.batch.named"
local term  = require "pgorch.term"

-- What each asks for, from which states, and what it says.
local VERBS = {
  pause    = { state = "paused", from = { running = true, draining = true, stopped = true },
               said = "no more rows begin: `pgorch batch continue %s` goes on" },
  continue = { state = "running", from = { paused = true, draining = true, stopped = true },
               said = "rows begin again, by the workers of the record or by `pgorch batch run MANIFEST`" },
  drain    = { state = "draining", from = { running = true, stopped = true },
               said = "no more rows begin; once those at work have ended, it is paused" },
}

---@param verb "pause"|"continue"|"drain"
---@return table word
return function(verb)
  local usage, it = ("pgorch batch %s BATCH"):format(verb), VERBS[verb]
  return { run = function(argv)
    local words, host = named.words(argv, {}, usage)
    local st <close>, name = named.open(words, host, usage)
    named.no_more(words, usage)
    local batch = st:batch(name)
    if not it.from[batch.state] then
      fail.raise("PGO-USAGE", ("batch %s is %s: there is nothing to %s"):format(name, batch.state, verb))
    end
    st:set_batch_state(name, it.state, nil, { continued = verb == "continue" })
    term.out(("batch %s: %s\n"):format(name, it.said:format(name)))
    return 0
  end }
end
