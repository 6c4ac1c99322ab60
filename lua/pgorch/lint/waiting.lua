-- What waits: calls of the library that yield to the loop, and functions of the file that make such calls. As far as
-- the text tells: what a parameter is, is not known.

local names  = require "pgorch.lint.names"
local source = require "pgorch.lint.source"

local waiting = {}

local function set(text)
  local made = {}
  for word in text:gmatch "%S+" do made[word] = true end
  return made
end

-- Modules of which every function waits, or those that are named.
local MODULES = {
  ["pgorch.fs"] = true,
  ["pgorch.task"] = set "sleep group map timeout shield retry",
  ["pgorch.pg"] = set "connect copy env",
  ["pgorch.http"] = set "request serve",
  ["pgorch.process"] = set "run spawn",
  ["pgorch.term"] = set "ask",
  ["pgorch.dump"] = set "run",
  ["pgorch.store"] = set "open find",
}

-- Methods with these names wait, whoever has them.
local METHODS = set "exec query rows transaction pages"

-- So does every method of what these give.
local MAKERS = set "pgorch.pg.connect pgorch.http.client pgorch.process.spawn pgorch.heroku.client pgorch.s3.client"

-- Of ctx: what is written into the record, and what other runs are asked for.
local OF_CTX = set "remember hold lock others in_turn join leave leave_for_good in_other_runs record"

local CALLERS = set "pcall xpcall assert select"

local function of_module(path)
  local module, name = path:match "^(.*)%.([^.]+)$"
  local known = MODULES[module]
  return known == true or known and known[name] == true or path:match "^pgorch%.provider%.api" ~= nil and name ~= "api"
end

-- ctx.source, use.api: live things, which are made when they are first named.
local function is_live(it, node)
  local value = names.value(node)
  local name = value and names.field(value)
  if not name then return false end
  if it:is_use(value[1]) then return name ~= "run" end
  return it:is_ctx(value[1]) and require("pgorch.runner.context").OWN[name] == nil
end

local function is_made(node)
  local value = names.value(node)
  if not value then return false end
  if value.tag == "Call" then return MAKERS[names.path(value[1]) or ""] == true end
  return value.tag == "Invoke" and value[2][1] == "connect"
end

local function method_waits(it, node)
  local receiver, name = node[1], node[2][1]
  if it:is_ctx(receiver) then return OF_CTX[name] == true end
  return METHODS[name] == true or is_live(it, receiver) or is_made(receiver)
end

local function text_of(node)
  if node.tag == "Id" then return node[1] end
  local field = names.field(node)
  return field and ("%s.%s"):format(text_of(node[1]), field) or "..."
end

-- What a call waits for, as it is written there; nil when it is not known to wait.
local function call_waits(it, node, busy)
  if node.tag == "Invoke" then
    return method_waits(it, node) and ("%s:%s"):format(text_of(node[1]), node[2][1]) or nil
  end
  local callee = node[1]
  if callee.tag == "Id" and not callee.var and CALLERS[callee[1]] and node[2] then callee = node[2] end
  local path = names.path(callee)
  if path and of_module(path) then return text_of(callee) end
  local fn = names.fn(callee)
  if fn and waiting.first(it, fn, busy) then return text_of(callee) end
end

---The first call in a function that waits, and its name as written; functions inside of it count only when called.
---@param it pgorch.lint.File
---@param fn pgorch.lint.Node
---@param busy? table   functions that are being looked at
---@return pgorch.lint.Node|nil
---@return string|nil name
function waiting.first(it, fn, busy)
  busy = busy or {}
  if busy[fn] then return nil end
  busy[fn] = true
  local found, name
  source.each(fn[2], function(node)
    if found or node.tag == "Function" then return false end
    local said = (node.tag == "Call" or node.tag == "Invoke") and call_waits(it, node, busy)
    if said then found, name = node, said end
  end)
  busy[fn] = nil
  return found, name
end

---The calls that wait outside of every function: {node, name}.
---@param it pgorch.lint.File
---@return table[]
function waiting.at_top(it)
  local list = {}
  source.each(it.source.tree, function(node)
    if node.tag == "Function" then return false end
    local said = (node.tag == "Call" or node.tag == "Invoke") and call_waits(it, node, {})
    if said then list[#list + 1] = { node = node, name = said } end
  end)
  return list
end

return waiting
