-- Destroying the source of a run that has cut over. Shows first what it is; refuses while anything speaks for keeping
-- it: rows that were written to it since, a new database that does not answer, clients that still come.

local cleanup     = require "pgorch.runner.cleanup"
local clock       = require "pgorch.clock"
local config_vars = require "pgorch.config_vars"
local context     = require "pgorch.runner.context"
local detector    = require "pgorch.detector"
local fail        = require "pgorch.error"
local json        = require "pgorch.json"
local poll        = require "pgorch.poll"
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

-- What the app uses now must be the database that was moved to, and answer.
local function refuse_without_target(ctx)
  local config, addon = ctx.target.app:config(), ctx.target:database()
  for _, name in ipairs(ctx.result.cut_over.vars) do
    if not config[name] or config_vars.is_source(ctx.source, config[name]) then
      keep(("%s of %s does not lead to %s any more"):format(name, ctx.params.app, addon.name))
    end
  end
  local conn <close> = ctx.target:connect()
  conn:value "select 1"
end

local function refuse_if_written(ctx)
  local mark = ctx.result.fingerprint and ctx.result.fingerprint.mark
  local asked = mark and detector.ask(ctx.source, mark, { settle = 0 })
  if not asked or asked.answer == "quiet" then return end
  local names = #asked.names > 0 and table.concat(asked.names, "\n") or asked.why
  if asked.answer == "written" then
    keep("it was written to after the dump, and that is nowhere else", { detail = names })
  end
  return ("cannot be told whether it was written to: %s"):format(asked.why)
end

local function clients_text(clients)
  local list = {}
  for i, c in ipairs(clients) do
    list[i] = ("%s (%s), %d sessions"):format(c.application or c.user or "?", c.address or "local", c.sessions)
  end
  return table.concat(list, "\n")
end

---Everything that is to be known before; raises PGO-SOURCE-KEPT for what speaks against it. `force` overlooks clients
---and what cannot be told, never rows that would be lost.
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
  refuse_without_target(ctx)
  local doubt, clients = refuse_if_written(ctx), source:clients()
  if not o.force and doubt then keep(doubt, { cure = "Look, then pass --force." }) end
  if not o.force and #clients > 0 then
    keep(("%d clients still connect to it"):format(#clients), { detail = clients_text(clients),
      cure = "Point them to the new database, or pass --force." })
  end
  local opened, size = ctx.result.window_opens or {}, ctx.result.size
  local since = opened.has_setting ~= nil and opened.opened
  return { ctx = ctx, label = source.label, text = ("source   %s at %s, id %s, %s\n         %s\n         %s\n"):format(
    source:name(), source.provider, source.id or "?", size and size.bytes and values.show_size(size.bytes) or "? bytes",
    since and "read-only since " .. since or "not read-only",
    #clients == 0 and "no clients are connected" or clients_text(clients):gsub("\n", "\n         ")) }
end

-- A provider may take a moment. A new look, for the instance that is known is the one that was there.
local function is_gone(session)
  for _ = 1, 10 do
    session.use = nil
    local ok, err = pcall(function() return context_of(session).source.id end)
    if not ok then
      if fail.is(err, "PGO-PROVIDER-INSTANCE") then return true end
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
local function attachment_off(target)
  local ours = target:is_ours() and target:attached()
  for _, each in ipairs(ours and target.app:attachments() or {}) do
    if each.addon.id == ours.addon.id and each.id ~= ours.id then
      target.app:detach(ours.id)
      return ("attachment %s of %s is taken off: the app restarts\n"):format(ours.name, target.app.name)
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
