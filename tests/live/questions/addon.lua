-- Questions about add-ons and attachments. These make essential-0 databases and destroy each as soon as it has been
-- looked at. Asked last: the app's own add-on has served its purpose by then.

local answer = require "answer"
local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local poll   = require "pgorch.poll"
local task   = require "pgorch.task"

local PLAN, LONGEST = "heroku-postgresql:essential-0", 1800

local function create(live, name, config)
  local full = live.app .. name
  live.names[full] = "ANOTHER-ADDON"
  return live:request("POST", ("/apps/%s/addons"):format(live.app), { headers = { ["Accept-Expansion"] = "plan" },
    body = { plan = { name = PLAN }, name = full, attachment = {}, config = config or {}, confirm = live.app } })
end

local function destroy(live, id)
  return live:request("DELETE", ("/apps/%s/addons/%s"):format(live.app, id), { body = { force = false } })
end

-- What is answered to a wish; an add-on that comes of it is destroyed at once.
local function wish(live, name, config)
  local reply = create(live, name, config)
  if reply.status < 300 then destroy(live, reply.value.id) end
  return { accepted = reply.status < 300, answer = answer.outcome(reply, live.names) }
end

local function name_taken(live)
  local reply = live:request("POST", ("/apps/%s/addons"):format(live.app),
    { body = { plan = { name = PLAN }, name = live.addon.name, attachment = {}, config = {} } })
  if reply.status < 300 then destroy(live, reply.value.id) end
  return answer.outcome(reply, live.names)
end

local function new(live)
  local reply = create(live, "-new")
  if reply.status >= 300 then return { refused = answer.outcome(reply, live.names) } end
  local value = reply.value
  live.second = { id = value.id, name = value.name }
  return { status = reply.status, state = value.state, shape = answer.shape(value),
    config_vars = #value.config_vars, provision_message = type(value.provision_message) == "string" }
end

local function add(list, value)
  if list[#list] ~= value then list[#list + 1] = value end
end

local function wait_word(reply)
  local value = type(reply.value) == "table" and reply.value or {}
  if reply.status ~= 200 then return tostring(reply.status) end
  return value["waiting?"] and "waiting" or "ready"
end

-- The second add-on until it is there, both APIs asked side by side.
local function provisioning(live)
  if not live.second then return "there is no second add-on" end
  local states, waits, messages, deadline = {}, {}, {}, task.now() + LONGEST
  repeat
    local addon = live:request("GET", ("/apps/%s/addons/%s"):format(live.app, live.second.name)).value
    local wait = live:request("GET", "/client/v11/databases/" .. live.second.id .. "/wait_status", { data = true })
    add(states, addon.state)
    add(waits, wait_word(wait))
    local message = wait.status == 200 and wait.value.message
    if message then messages[answer.numberless(answer.mask(message, live.names))] = true end
    if task.now() > deadline then fail.raise("PGO-HEROKU-ADDON", "the second add-on is not provisioned") end
    task.sleep(poll.seconds "addon")
  until addon.state ~= "provisioning" and waits[#waits] == "ready"
  return { states = states, wait_status = waits, messages = messages }
end

local function attachments(live)
  local path = ("/addons/%s/addon-attachments"):format(live.second and live.second.id or live.addon.id)
  local list = live:request("GET", path).value
  local names = {}
  for _, each in ipairs(list) do names[(each.name:gsub("_%u+$", "_COLOUR"))] = true end
  return { shape = answer.shape(list[1]), names = names }
end

-- DATABASE belongs to the first add-on, which keeps its other attachment whatever is answered.
local function taken_attachment(live)
  if not live.second then return "there is no second add-on" end
  local reply = live:request("POST", "/addon-attachments",
    { body = { app = { name = live.app }, addon = { name = live.second.name }, name = "DATABASE" } })
  local found = answer.outcome(reply, live.names)
  found.headers = answer.headers(reply.headers)
  return found
end

local function config_of_attachment(live)
  local reply = live:request("PATCH", ("/apps/%s/config-vars"):format(live.app),
    { body = { DATABASE_URL = "postgres://nobody@127.0.0.1/nothing" } })
  return { status = reply.status, id = reply.status >= 300 and reply.value and reply.value.id or json.null }
end

local function destroyed(live)
  if not live.second then return "there is no second add-on" end
  local reply = destroy(live, live.second.id)
  local state = type(reply.value) == "table" and reply.value.state
  return { status = reply.status, state = state, afterwards = answer.outcome(
    live:request("GET", ("/apps/%s/addons/%s"):format(live.app, live.second.name)), live.names) }
end

return {
  { id = "addon.shape", about = "Keys and formats of an add-on that is there",
    ask = function(live)
      return answer.shape(live:request("GET", ("/apps/%s/addons/%s"):format(live.app, live.addon.name),
        { headers = { ["Accept-Expansion"] = "addon_service,plan" } }).value)
    end },
  { id = "addon.name_taken", about = "An add-on under a name that is taken", ask = name_taken },
  { id = "addon.unknown_plan", about = "A plan that does not exist",
    ask = function(live)
      return answer.outcome(live:request("POST", ("/apps/%s/addons"):format(live.app),
        { body = { plan = { name = "heroku-postgresql:no-such-plan" }, attachment = {}, config = {} } }), live.names)
    end },
  { id = "addon.version_9", about = "A version that is no longer offered",
    ask = function(live) return wish(live, "-v9", { version = "9" }) end },
  { id = "addon.version_18", about = "Whether PostgreSQL 18 is offered",
    ask = function(live) return wish(live, "-v18", { version = "18" }) end },
  { id = "addon.new", about = "The answer to a new add-on", ask = new },
  { id = "addon.provisioning", about = "Its states, and those of wait_status, until it is ready", ask = provisioning,
    timed = true },
  { id = "attachment.new", about = "How the second database of an app is attached", ask = attachments },
  { id = "attachment.taken", about = "An attachment name that another add-on has, without confirm",
    ask = taken_attachment },
  { id = "config.of_attachment", about = "Changing a config var that an attachment sets", ask = config_of_attachment },
  { id = "addon.destroyed", about = "The answer to destroying an add-on, and to a look afterwards", ask = destroyed },
}
