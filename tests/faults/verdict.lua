-- Judges what a move has left in its world, from the stand-ins' state, the servers and requests.jsonl alone: nothing
-- that pgorch says counts. Gives a list of complaints; an empty one is the good verdict. Changes nothing.

local clock = require "pgorch.clock"
local trial = require "trial"

local verdict = {}

-- Data -----------------------------------------------------------------------------------------------------------

local TABLES = [[select format('%I.%I', n.nspname, c.relname) as name from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', '_heroku')
    and c.relispopulated and (c.relpersistence = 'p' or not $1::boolean)
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1]]
local SEQUENCES = [[select format('%I.%I', schemaname, sequencename) as name, last_value as value
  from pg_sequences order by 1]]

---What a database holds, as text for each thing: rows of each table, sequences, large objects.
---@param conn table of a superuser
---@param logged? boolean   without unlogged tables, which a crash of the server empties
---@return table<string, string>
function verdict.contents(conn, logged)
  local found = {}
  conn:exec "set extra_float_digits = 3"
  for _, each in ipairs(conn:query(TABLES, logged == true)) do
    found[each.name] = conn:value(("select count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, e'\\n' order by "
      .. "t::text collate \"C\")), '') from only %s t"):format(each.name))
  end
  for _, each in ipairs(conn:query(SEQUENCES)) do found[each.name] = tostring(each.value) end
  found["large objects"] = conn:value [[select coalesce(md5(string_agg(oid || md5(lo_get(oid)), ' ' order by oid)), '')
    from pg_largeobject_metadata]]
  return found
end

---The first difference of two such tables, in words; nil when there is none.
---@return string|nil
function verdict.difference(source, target)
  local names = {}
  for name in pairs(source) do names[#names + 1] = name end
  for name in pairs(target) do
    if not source[name] then return ("%s is in the target only"):format(name) end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if source[name] ~= target[name] then
      return ("%s: source %s, target %s"):format(name, source[name], tostring(target[name]))
    end
  end
end

-- What was done --------------------------------------------------------------------------------------------------

local function addons_of(self)
  local found = {}
  for _, addon in ipairs(self.world.heroku.state.addons) do
    if addon.app == self:app() then found[#found + 1] = addon end
  end
  return found
end

-- Oldest first.
local function restores_of(self)
  local found = {}
  for _, each in ipairs(self:app().transfers) do
    if each.to_type == "pg_restore" then found[#found + 1] = each end
  end
  table.sort(found, function(a, b) return a.num < b.num end)
  return found
end

---Nothing twice: add-ons, restores at once, good restores. One more restore may follow each time all was put back.
---@param say fun(what: string, ...)
local function judge_once(self, say)
  local made = 0
  for _, entry in ipairs(self:requests()) do
    if entry.place == "heroku.addon.create" and entry.answer and entry.answer.provision_message then made = made + 1 end
  end
  local addons = #addons_of(self)
  if addons > 1 or made > 1 + (self.remade or 0) then say("%d add-ons, %d were made", addons, made) end
  local good, last = 0, nil
  for _, each in ipairs(restores_of(self)) do
    local began = clock.parse_iso(each.created_at)
    if last and began < last then say("two restores at once: r%03d", each.num) end
    last = clock.parse_iso(each.finished_at or clock.iso())
    if each.succeeded then good = good + 1 end
  end
  if good > 1 + self.put_back + (self.may_repeat or 0) then say("%d good restores", good) end
end

local function judge_left_overs(self, say)
  local bucket = self.world.s3.server.buckets[self.bucket]
  for key in pairs(bucket and bucket.objects or {}) do say("the object %s is left", key) end
  for _, upload in pairs(bucket and bucket.uploads or {}) do
    if not upload.completed then say("the upload of %s is left", upload.key) end
  end
  local allowed = table.concat(self.world.recipe.allowed(self.world), " ")
  if allowed ~= self.allowed_before then say("the allow list is %s, it was %s", allowed, self.allowed_before) end
  local keys = self.world.recipe.keys and #self.world.recipe.keys(self.world) or 0
  if keys > 0 then say("%d storage keys are left", keys) end
end

local function judge_app(self, say)
  local app = self:app()
  if app.maintenance then say "maintenance is on" end
  local dynos = self.world.heroku:dynos(self.app_name)
  for kind, quantity in pairs(trial.DYNOS) do
    if dynos[kind] ~= quantity then say("%s dynos of %s", tostring(dynos[kind]), kind) end
  end
end

local function source_connection(self) return self.world.source.cluster:connect(self.world.source.dbname) end

local function target_database(self)
  local url = self:database_url() or ""
  for _, addon in ipairs(addons_of(self)) do
    local name = addon.database and addon.database.dbname   -- the app's URL leads through the proxy
    if name and url:match "/([^/?]+)$" == name then return addon.database end
  end
end

local function judge_moved(self, say)
  local database = target_database(self)
  if not database then return say "DATABASE_URL is not that of the app's add-on" end
  if self:app().config.OLD_DATABASE_URL ~= self.source_url then say "OLD_DATABASE_URL is not the source" end
  local source <close> = source_connection(self)
  local target <close> = self.world.target.cluster:connect(database.dbname)
  if source:value "show default_transaction_read_only" ~= "on" then say "the source is open for writing" end
  local problem = verdict.difference(verdict.contents(source, self.crashed), verdict.contents(target, self.crashed))
  if problem then say("the data differs: %s", problem) end
end

local function judge_as_before(self, say)
  if self:database_url() ~= self.source_url then say "DATABASE_URL is not the source" end
  if self:app().config.OLD_DATABASE_URL then say "there is an OLD_DATABASE_URL" end
  local source <close> = source_connection(self)
  if source:value "show default_transaction_read_only" ~= "off" then say "the source is closed for writing" end
end

---What is to be compared with later.
function verdict.begin(self)
  self.allowed_before = table.concat(self.world.recipe.allowed(self.world), " ")
end

---@param self pgorch.faults.Trial
---@param how "moved"|"as before"
---@return string[] complaints
function verdict.of(self, how)
  local complaints = {}
  local function say(what, ...) complaints[#complaints + 1] = what:format(...) end
  judge_once(self, say)
  judge_left_overs(self, say)
  judge_app(self, say)
  local judge = how == "moved" and judge_moved or judge_as_before
  judge(self, say)
  return complaints
end

return verdict
