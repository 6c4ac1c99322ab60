-- What a rehearsal has of the real world can only be read: the source's sessions are read-only, and whatever would
-- change something there (the switch, the sessions of others, the allow list, a request that is no GET) is refused.
-- The last line of defence: the rehearsal's own steps ask for none of it.

local fail = require "pgorch.error"

local guard = {}

local READS = { GET = true, HEAD = true }

local function refuse(what)
  return function() fail.raise("PGO-REHEARSAL", ("%s: a rehearsal changes nothing outside"):format(what)) end
end

local WRITES = { "make_read_only", "restore_setting", "end_other_sessions", "claim", "destroy" }

---@param source pgorch.Source
---@param o? {allow_list: boolean}   whether an entry may come and go
---@return pgorch.Source
function guard.source(source, o)
  for _, name in ipairs(WRITES) do
    if source[name] then source[name] = refuse("source:" .. name) end
  end
  local connect, env = source.connect, source.env
  function source.connect(self, how)
    if how and how.writable then refuse "a session that may write to the source"() end
    return connect(self, how)
  end
  function source.env(self, dir)
    local vars = env(self, dir)
    vars.PGOPTIONS = vars.PGOPTIONS .. " -c default_transaction_read_only=on"
    return vars
  end
  if source.allow_list and not (o and o.allow_list) then
    source.allow_list.add, source.allow_list.remove = refuse "the allow list", refuse "the allow list"
  end
  return source
end

---A client of an API whose every request goes through its method `request`: the provider's, Heroku's.
---@param client any
---@return any client
function guard.client(client)
  if type(client) ~= "table" or type(client.request) ~= "function" then return client end
  local request = client.request
  function client.request(self, method, ...)
    if not READS[method] then refuse(("%s %s"):format(tostring(method), tostring((...))))() end
    return request(self, method, ...)
  end
  return client
end

return guard
