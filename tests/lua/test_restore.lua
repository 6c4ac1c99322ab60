-- What a restore is judged by once it has ended, what is shown while it runs, what became of the extensions.

local ask        = require "pgorch.restore.ask"
local extensions = require "pgorch.restore.extensions"
local fs         = require "pgorch.fs"
local verdict    = require "pgorch.restore.verdict"
local watch      = require "pgorch.restore.watch"

-- The first of the logs in tests/fixtures/restore_logs/ID.log, as the Data API gives it.
local function logs_of(id)
  local list = {}
  for line in fs.read(("tests/fixtures/restore_logs/%s.log"):format(id)):gmatch "([^\n]*)\n" do
    if line:find "^### " then
      if #list > 0 then break end
    else
      list[#list + 1] = { level = "info", message = line }
    end
  end
  return list
end

local function transfer(o)
  return { num = 4, state = o.state or "warned", warnings = o.warnings or 1, logs = o.logs,
           processed = o.processed or 0 }
end

describe("verdict.of", function()
  it("is good for what is harmless, if the log explains all that Heroku counted", function()
    local judged, err, transient = verdict.of(transfer { logs = logs_of "extension-comment" })
    expect(err).is_nil()
    expect(#judged.harmless).is(1)
    expect(transient).is(false)
    judged, err = verdict.of(transfer { logs = logs_of "extension-comment", warnings = 2 })
    expect(err.id).is "PGO-RESTORE-LOSSY"
    expect(err.message).has "2 warnings, its log explains 1"
    expect(#judged.lossy).is(0)
  end)

  it("never calls a lossy line success, whatever Heroku says", function()
    for _, state in ipairs { "succeeded", "warned" } do
      local _, err, transient = verdict.of(transfer { state = state, warnings = 0, logs = logs_of "unique-index" })
      expect(err.id).is "PGO-RESTORE-LOSSY"
      expect(err.message).is "restore r004: 1 lossy of 12 lines"
      expect(err.detail).has "Key (email)=(a@b) is duplicated."
      expect(err.detail).has "the source's own index is corrupt"
      expect(err.detail).has "REINDEX INDEX users_email_key; then resume."
      expect(transient).is(false)
    end
  end)

  it("says one cure once", function()
    local logs = logs_of "relation-missing"
    table.move(logs_of "relation-missing", 1, #logs, #logs + 1, logs)
    local _, err = verdict.of(transfer { logs = logs })
    local _, count = err.detail:gsub("cure: ", "")
    expect(count).is(1)
  end)

  it("takes a lost connection, a cut download and a silent failure for what passes", function()
    for _, case in ipairs { { state = "warned", logs = logs_of "connection-lost" },
                            { state = "failed", logs = logs_of "cut-archive" },
                            { state = "failed", logs = logs_of "not-an-archive" },
                            { state = "failed", logs = { { message = "403 Forbidden" } } }, { state = "failed" } } do
      local _, err, transient = verdict.of(transfer(case))
      expect(err ~= nil).is_true()
      expect(transient).is(true)
    end
  end)

  it("takes a failure of pg_restore, and whatever was canceled, for lasting", function()
    for _, case in ipairs { { state = "failed", logs = logs_of "newer-archive" }, { state = "canceled" },
                            { state = "failed", logs = { { message = "pg_restore: error: no rule knows this" } } },
                            { state = "canceled", logs = logs_of "cut-archive" } } do
      local _, err, transient = verdict.of(transfer(case))
      expect(err.id).is "PGO-RESTORE-FAILED"
      expect(transient).is(false)
    end
  end)
end)

describe("a restore's progress", function()
  local function eye_with(seen)
    local eye = watch.new(nil, { dump = 1000, source = 4000 })
    eye.seen, eye.next = seen, math.huge
    return eye
  end

  it("is counted by the dump's own size, and never past it", function()
    local eye = eye_with { bytes = 900, at = 'rows of shop."Orders"' }
    local shown = eye:progress(transfer { state = "running", processed = 1200 })
    expect(shown).same { bytes = 1000, total = 1000, text = 'of the dump\'s 1.0 kB  rows of shop."Orders"' }
  end)

  it("is counted by the size of the database while Heroku says nothing", function()
    local shown = eye_with { bytes = 900 }:progress(transfer { state = "running" })
    expect(shown).same { bytes = 900, total = 4000, text = "in the database, by the source's 4.0 kB" }
  end)

  it("is the whole dump at the end, whatever was counted before it", function()
    for _, state in ipairs { "succeeded", "warned" } do
      local eye = eye_with { bytes = 3900 }
      expect(eye:progress(transfer { state = "running" }).bytes).is(3900)
      expect(eye:progress(transfer { state = state })).same { bytes = 1000, total = 1000, text = state }
    end
    expect(eye_with { bytes = 3900 }:progress(transfer { state = "failed" })).same { text = "failed" }
  end)

  it("is the whole source where there is no dump, and what Heroku counts means nothing then", function()
    local eye = watch.new(nil, { source = 4000 })
    eye.seen, eye.next = { bytes = 900 }, math.huge
    expect(eye:progress(transfer { state = "running", processed = 70 }))
      .same { bytes = 900, total = 4000, text = "in the database, by the source's 4.0 kB" }
    expect(eye:progress(transfer { state = "succeeded" }).bytes).is(4000)
  end)

  it("is no figure while nothing is known, and the database is not asked before the restore runs", function()
    expect(eye_with(nil):progress(transfer { state = "running" })).same { text = "running" }
    local eye = watch.new({ connect = function() error("asked", 0) end }, { dump = 1, source = 1 })
    expect(eye:progress(transfer { state = "pending" })).same { text = "pending" }
    expect(eye.next <= require("pgorch.task").now()).is_true()
    expect(eye:progress(transfer { state = "running" })).same { text = "running" }   -- and it bears the refusal
  end)
end)

describe("extensions after a restore", function()
  it("are told when another version came, and warned of when missing or elsewhere", function()
    local notes, warnings = extensions.compare(
      { { name = "hstore", schema = "public", version = "1.7" }, { name = "ltree", schema = "ext", version = "1.2" },
        { name = "cube", schema = "public", version = "1.5" } },
      { { name = "hstore", schema = "public", version = "1.8" },
        { name = "ltree", schema = "public", version = "1.2" } })
    expect(notes).same { "extension hstore is 1.7 on the source, 1.8 on the target" }
    expect(warnings).same { "extension ltree is in schema ext on the source, in public on the target",
                            "extension cube is not in the target" }
  end)
end)

describe("a database of the user's own", function()
  -- It was empty at the preflight, and has views now.
  local function asked(recall, found, confirm)
    local target = { is_ours = function() return false end, refuse_if_in_use = function() end,
      claim = function() end, unclaim = function() end, name = function() return "NEWDB of shop" end,
      connect = function()
        return setmetatable({ row = function() return { relations = 3, large_objects = 0, others = 0 } end },
          { __close = function() end })
      end }
    local database = { unfinished_transfer = function() end, restore = function() return { uuid = "u", num = 7 } end,
      find_restore = function(_, key) return found[key] end }
    local ctx = { params = { app = "shop", confirm = confirm }, recall = recall, target = target,
      result = { dump_to_store = { key = "k" } }, live = { signed_url = { key = "k", expires = math.huge } },
      remember = function() end, keep = function() end }
    target.database = function() return database end
    return ask.once(ctx, database, ask.for_dump(ctx, "pgorch/r/2.dump"), false)
  end

  it("is not overwritten by a resume whose request Heroku never got, without --confirm", function()
    for _, recall in ipairs { false, { key = "pgorch/r/2.dump" }, { key = "pgorch/r/1.dump" } } do
      expect(function() asked(recall or nil, {}) end).raises "PGO-CONFIRM"
    end
    expect(asked({ key = "pgorch/r/2.dump" }, {}, "shop").num).is(7)
  end)

  it("is what a restore of this run has left in it, though that has failed", function()
    expect(asked({ key = "pgorch/r/1.dump", uuid = "a", num = 3 }, {}).num).is(7)
    for _, state in ipairs { "failed", "canceled" } do
      for _, key in ipairs { "pgorch/r/1.dump", "pgorch/r/2.dump" } do
        expect(asked({ key = key }, { [key] = { uuid = "a", num = 3, state = state } }).num).is(7)
      end
    end
  end)
end)
