-- The exit statuses, the product's promise to scripts, and the states of a run in words.

local STATES = { put_back = "put back", undo_failed = "NOT all put back", undoing = "half put back" }

local OF = {
  [0] = "done", [1] = "failed, put back", [2] = "usage", [3] = "done, with warnings", [4] = "preflight failed",
  [5] = "verification failed or writes seen, put back", [6] = "trouble outside, state kept", [7] = "locked",
  [8] = "stopped, state kept", [9] = "moved, but something after the cut-over failed", [10] = "changes pending",
  [11] = "failed, and not everything could be put back", [130] = "left at once",
}

-- A part that --until or --only asked for is not the whole.
local PART = { [0] = "ended as asked", [3] = "ended as asked, with warnings" }

return {
  OF = OF,
  of = function(status, state) return state == "stopped" and PART[status] or OF[status] or "?" end,
  of_state = function(state) return STATES[state] or state end,
}
