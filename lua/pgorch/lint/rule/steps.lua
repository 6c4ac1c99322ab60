-- A step that changes something says how that is put back, and every step has a title.

local CHANGES = { write = true, destroy = true }

local function name_of(step)
  local id = step.fields.id
  return id and id.tag == "String" and ("step `%s`"):format(id[1]) or "the step"
end

local function check_undo(it, step)
  local effect = step.fields.effect
  if not effect or not CHANGES[effect[1]] or step.fields.undo then return end
  it:report(step.at.effect, "no-undo", ("%s: effect is \"%s\" and there is no `undo`: give a function, or "
    .. "`undo = false` when there is nothing to put back"):format(name_of(step), effect[1]))
end

local function check_title(it, step)
  if step.fields.title then return end
  it:report(step.at.id or step.table, "no-title", ("%s has no `title`: it is what people read while it runs, and in "
    .. "the report"):format(name_of(step)))
end

return function(it)
  for _, step in ipairs(it.steps) do
    if step.whole then
      check_undo(it, step)
      check_title(it, step)
    end
  end
end
