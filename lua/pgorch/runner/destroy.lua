-- Destroying the source of a run that has cut over, an instance with all its databases. Shows first what goes; refuses
-- while anything speaks for keeping it: a database that nobody has moved, rows that were written since, a new database
-- that does not answer or has lost what was moved, clients that still come.

local cleanup     = require "pgorch.runner.cleanup"
local clock       = require "pgorch.clock"
local context     = require "pgorch.runner.context"
local detector    = require "pgorch.detector"
local fail        = require "pgorch.error"
local instance    = require "pgorch.runner.destroy.instance"
local json        = require "pgorch.json"
local poll        = require "pgorch.poll"
local target      = require "pgorch.runner.destroy.target"
local task        = require "pgorch.task"
local values      = require "pgorch.recipe.values"

local destroy = {}

local function keep(text, o) fail.raise("PGO-SOURCE-KEPT", text, o) end

local function context_of(session)
  return context.new(session, session.steps.cut_over or { id = "destroy-source" }, "destroy-source", {})
end

local function refuse_unmoved(session)
  cleanup.refuse_unfinished(session)
  if session.run.state == "put_back" or not session:cut_over() then
    keep(("run %s has not moved anything: the source is in use"):format(session.run.id))
  end
  for _, id in ipairs { "verify", "nothing_was_written" } do
    if session.results[id] == nil then keep(("run %s was never compared (%s)"):format(session.run.id, id)) end
  end
end

local SHOWN = 20

local function lines(list)
  local more = #list - SHOWN
  return table.concat(list, "\n", 1, math.min(#list, SHOWN)) .. (more > 0 and ("\nand %d more"):format(more) or "")
end

-- What the app uses now must be the database that was moved to, and hold what was moved.
local function refuse_without_target(ctx, force)
  local addon, astray = ctx.target:database(), target.astray(ctx)
  if astray then
    keep(("%s of %s does not lead to %s any more"):format(astray, ctx.params.app, addon.name), { cure =
      "If the data has moved on from there, delete the source in the provider's console." })
  end
  local lost = target.lost(ctx)
  if #lost > 0 and not force then
    keep(("%d tables of %s had rows when they were verified, and have none now"):format(#lost, addon.name),
      { detail = lines(lost), cure = "If that is meant to be, pass --force." })
  end
end

local function refuse_if_written(asked, name)
  if not asked or asked.answer == "quiet" then return end
  local names = #asked.names > 0 and table.concat(asked.names, "\n") or asked.why
  if asked.answer == "written" then
    keep(("%s was written to after the dump, and that is nowhere else"):format(name), { detail = names })
  end
  return ("cannot be told whether %s was written to: %s"):format(name, asked.why)
end

-- It is the instance that is destroyed: no word of the user's makes up for a database that is nowhere else.
local function refuse_unmoved_databases(session, source)
  local unmoved, others = instance.others(session, source)
  if #unmoved > 0 then
    keep(("%s holds %d databases that no run here has moved, and they would go with it"):format(source.label, #unmoved),
      { detail = lines(unmoved), cure = "Move each, or delete what may go in the provider's console." })
  end
  return others
end

local function find_doubts(ctx, others)
  local source, mark = ctx.source, ctx.result.fingerprint and ctx.result.fingerprint.mark
  local doubt = refuse_if_written(mark and detector.ask(source, mark, { settle = 0 }), source.dbname)
  for _, other in ipairs(others) do
    doubt = refuse_if_written(instance.written(source, other), other.name) or doubt
  end
  return doubt
end

local function clients_text(clients)
  local list = {}
  for i, c in ipairs(clients) do
    list[i] = ("%s (%s), %d sessions in %s"):format(c.application or c.user or "?", c.address or "local", c.sessions,
      c.database)
  end
  return table.concat(list, "\n")
end

local function databases_text(source, others)
  local list = { source.dbname .. " (moved by this run)" }
  for _, other in ipairs(others) do list[#list + 1] = ("%s (%s)"):format(other.name, other.why) end
  return "databases that go with it: " .. table.concat(list, ", ")
end

local function text_of(ctx, others, clients)
  local source, opened, size = ctx.source, ctx.result.window_opens or {}, ctx.result.size
  local since = opened.has_setting ~= nil and opened.opened
  local said = {
    ("%s at %s, id %s, %s"):format(source:name(), source.provider, source.id or "?",
      size and size.bytes and values.show_size(size.bytes) or "? bytes"),
    databases_text(source, others),
    since and "read-only since " .. since or "not read-only",
    #clients == 0 and "no clients are connected" or clients_text(clients),
  }
  return "source   " .. table.concat(said, "\n"):gsub("\n", "\n         ") .. "\n"
end

---Everything that is to be known before; raises PGO-SOURCE-KEPT for what speaks against it. `force` overlooks clients,
---what cannot be told, and tables that the new database has lost since; never a database or rows that are nowhere else.
---@param session table
---@param o {force: boolean}
---@return {label: string, text: string, ctx: table}
function destroy.inspect(session, o)
  refuse_unmoved(session)
  local ctx = context_of(session)
  local source = ctx.source
  if not source.destroy then
    keep(("%s's API cannot destroy it from here: do it in its console"):format(source.provider),
      { cure = ("Delete %s there; then `pgorch cleanup %s`."):format(source.label, session.run.id) })
  end
  refuse_without_target(ctx, o.force)
  source:claim(ctx)                                      -- not under a run of another machine
  local others = refuse_unmoved_databases(session, source)
  local doubt, clients = find_doubts(ctx, others), instance.clients(source)
  if not o.force and #clients > 0 then                   -- the doubt may be for no other reason
    keep(("%d clients still connect to it"):format(#clients), { detail = clients_text(clients),
      cure = "Point them to the new database, or pass --force." })
  end
  if not o.force and doubt then keep(doubt, { cure = "Look, then pass --force." }) end
  return { ctx = ctx, label = source.label, text = text_of(ctx, others, clients) }
end

-- A provider may take a moment. A new look, for the instance that is known is the one that was there.
local function is_gone(session)
  for _ = 1, 10 do
    session.use = nil
    local ok, err = pcall(function() return context_of(session).source.id end)
    if not ok then
      if type(err) == "table" and err.absent then return true end
      error(err, 0)
    end
    task.sleep(poll.seconds "connect")
  end
  return false
end

-- They lead to nothing now.
local function old_vars(facts, unset)
  local vars, app, names = {}, facts.ctx.target.app, {}
  for i, holder in ipairs(facts.ctx.result.cut_over.holders or {}) do
    vars[holder.old], names[i] = json.null, holder.old
  end
  if #names == 0 then return "" end
  local list = table.concat(names, " ")
  if not unset then
    return ("%s of %s lead to nothing now: heroku config:unset %s --app %s\n"):format(list, app.name, list, app.name)
  end
  app:set_config(vars)
  return ("%s of %s removed\n"):format(list, app.name)
end

-- Our attachment was there for a rollback. An add-on that lost its last one would be destroyed with its data.
local function attachment_off(held)
  local ours = held:is_ours() and held:attached()
  for _, each in ipairs(ours and held.app:attachments() or {}) do
    if each.addon.id == ours.addon.id and each.id ~= ours.id then
      held.app:detach(ours.id)
      return ("attachment %s of %s is taken off: the app restarts\n"):format(ours.name, held.app.name)
    end
  end
  return ""
end

---Destroys it, and asks the provider again.
---@param session table
---@param facts table  of destroy.inspect
---@param o {unset_old: boolean}
---@return string text
function destroy.perform(session, facts, o)
  session:durably(session.store.event, session.store, session.run.id, "destroying", { source = facts.label })
  facts.ctx.source.destroy()
  if not is_gone(session) then
    keep(("%s was asked to destroy %s, and still lists it"):format(facts.ctx.source.provider, facts.label),
      { cure = "Look at it in the provider's console." })
  end
  session:durably(session.store.event, session.store, session.run.id, "destroyed",
    { source = facts.label, at = clock.iso() })
  return ("%s is destroyed\n"):format(facts.label) .. old_vars(facts, o.unset_old) .. attachment_off(facts.ctx.target)
end

return destroy
