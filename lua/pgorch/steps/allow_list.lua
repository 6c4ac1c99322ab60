-- Lets this machine through the source's allow list, and takes that one entry out again at the end, good or bad.
-- Where the list is open, or has us already, nothing is added.

local recipe     = require "pgorch.recipe"
local allow_list = require "pgorch.allow_list"
local fail       = require "pgorch.error"
local task       = require "pgorch.task"
local poll       = require "pgorch.poll"

local LOOKS = 36    -- of poll.seconds each: three minutes

local function give_up(cidr, why)
  fail.raise("PGO-ALLOW-LIST", ("the database does not answer, though %s is on its allow list"):format(cidr), {
    cause = why, cure = "Is that the address this machine comes from? If not, name it with --from-ip.",
  })
end

-- A new entry takes seconds to minutes to reach the database's firewall.
local function wait_until_reachable(ctx, cidr)
  local deadline = task.now() + LOOKS * poll.seconds "allow_list"
  while true do
    local ok, answer = pcall(function()
      local conn <close> = ctx.source:connect()
      return conn.server_version
    end)
    if ok then return end
    local network = fail.is(answer, "PGO-PG-CONNECT") or fail.is(answer, "PGO-NET") or fail.is(answer, "PGO-TIMEOUT")
    if not network then error(answer, 0) end
    if task.now() > deadline then give_up(cidr, answer) end
    ctx:progress { text = "waiting for the allow list to spread" }
    task.sleep(poll.seconds "allow_list")
  end
end

local function has(ctx, cidr)
  for _, each in ipairs(ctx.source.allow_list.get()) do
    if each == cidr then return true end
  end
  return false
end

-- Runs on the same instance share the entry: the last one to leave takes it out. Whatever the entry, one run at a time
-- reads the list and writes it.
local function shared_name(ctx, cidr)
  local turn = ("allow-list:%s:%s"):format(ctx.source.provider, ctx.source.id)
  return turn .. ":" .. cidr, turn
end

local function take_out(ctx, cidr)
  local name, turn = shared_name(ctx, cidr)
  local left = ctx:leave(name, function(before)
    if before.listed then return "the owner's" end
    return ctx.source.allow_list.remove(cidr) or "removed"
  end, { turn = turn })
  local how = left and left.result
  if how == "kept" then
    ctx:warn(cidr .. " stays on the allow list: without it the list would be empty, which means open to all")
  elseif how == "removed" then              -- not where it was refused, or somebody else took it out
    ctx:put_back("allow list: " .. cidr .. " removed")
  elseif left and #left.others > 0 then
    ctx:note(("%s stays on the allow list: needed by run %s"):format(cidr, table.concat(left.others, ", ")))
  end
end

-- What an attempt of this run has put there is taken out first if this machine comes from another address by now.
local function leave_former(ctx, cidr)
  local former = ctx.recall and ctx.recall.cidr
  if not former or former == cidr then return end
  take_out(ctx, former)
  ctx:remember {}
end

-- Remembered first: one who is killed while he joins the others would be counted among them for ever.
local function join(ctx, cidr)
  ctx:remember { cidr = cidr }
  local name, turn = shared_name(ctx, cidr)
  local added
  local before = ctx:join(name, {
    turn = turn,
    look = function() return { listed = has(ctx, cidr) } end,
    effect = function(before)
      added = not before.listed and not has(ctx, cidr)
      if added then ctx.source.allow_list.add(cidr) end
    end })
  return before.listed, added
end

local function let_in(ctx, cidr)
  local owners, added = join(ctx, cidr)
  if owners then                           -- no run put it there: it stays, whatever comes
    take_out(ctx, cidr)
    return { state = "listed" }
  end
  wait_until_reachable(ctx, cidr)          -- it may have been put there a moment ago
  return { state = added and "added" or "listed", cidr = cidr }
end

local function run(ctx)
  local state = allow_list.state(ctx, ctx.source)
  local cidr = state.cidr
  leave_former(ctx, cidr)
  local result = cidr and let_in(ctx, cidr) or { state = state.answer }
  if state.answer ~= "none" then ctx:take_over_from_rehearsals(result.cidr) end
  return result
end

local function undo(ctx, result)
  if result.cidr then take_out(ctx, result.cidr) end
end

-- By the provider's own program. Two of them replace the list as a whole.
local COMMANDS = {
  vultr = "vultr-cli database get %s\nvultr-cli database update %s --trusted-ips ALL-OF-THEM-BUT-%s",
  linode = "linode-cli databases postgresql-view %s\n"
    .. "linode-cli databases postgresql-update %s --allow_list EACH-OF-THEM-BUT-%s",
  digitalocean = "doctl databases firewalls list %s\ndoctl databases firewalls remove %s --uuid UUID-OF-%s",
}

local function by_hand(ctx, result)
  local text, id = COMMANDS[ctx.source.provider], ctx.source.id
  if not result.cidr then return nil end
  return text and text:format(id, id, result.cidr) or "remove " .. result.cidr .. " from the allow list"
end

-- Somebody may have taken our entry out while the run was stopped.
local function check(ctx)
  return allow_list.state(ctx, ctx.source).answer ~= "closed"
end

local function cleanup(ctx, result, row)
  local cidr = result and result.cidr
  if not cidr then return {} end
  local what, was_there = "allow-list entry " .. cidr, has(ctx, cidr)
  if row.state ~= "undone" then take_out(ctx, cidr) end
  if not was_there then return { { what = what, state = "gone" } } end
  local others = ctx:others((shared_name(ctx, cidr)))
  if #others > 0 then return { { what = what, state = "kept", why = "run " .. others[1] .. " needs it" } } end
  if row.state == "undone" then return { { what = what, state = "kept", why = "not this run's any more" } } end
  return { { what = what, state = has(ctx, cidr) and "left" or "removed" } }
end

local function entry(cidr) return { "~ allow list + " .. cidr, after = "~ allow list - " .. cidr } end

local WORDS = { none = "there is no allow list", open = "the allow list is open to all",
                listed = "the allow list lets us in" }

local function plan(ctx)
  local ours = ctx.recall and ctx.recall.cidr         -- there for the time of the look
  if ours then return entry(ours) end
  local state = allow_list.state(ctx, ctx.source)
  return state.answer == "closed" and entry(state.cidr) or WORDS[state.answer]
end

return recipe.step {
  id = "allow_list", title = "Be let in by the allow list", effect = "write", run = run, plan = plan,
  estimate = 20, check = check, undo = undo, undo_when = "always", before_checks = true, cleanup = cleanup,
  stands = function(result) return result.cidr and result.cidr .. " is on the source's allow list" or false end,
  undo_estimate = 60,
  by_hand = by_hand,
}
