-- What is printed where an undo has failed: each step of the built-in recipes that has one says what does it by hand,
-- and never what would lose data.

local allow_list = require "pgorch.steps.allow_list"
local closes   = require "pgorch.steps.window_closes"
local cut_over = require "pgorch.steps.cut_over"
local dump     = require "pgorch.steps.dump_to_store"
local fail     = require "pgorch.error"
local loader   = require "pgorch.recipe.load"
local opens    = require "pgorch.steps.window_opens"
local restore  = require "pgorch.steps.restore"

local function each_step(list, fn)
  for _, item in ipairs(list) do
    if item.kind == "step" then fn(item) end
    for _, inner in ipairs(item.lists or {}) do each_step(inner, fn) end
  end
end

-- A target that is used by nobody, by an app, or cannot be asked.
local function target(refusal)
  return { app = { name = "shop" }, as = "DATABASE", attachment = "PGORCH_TARGET",
    refuse_if_in_use = function() if refusal then fail.raise(refusal, "no") end end }
end

describe("by hand", function()
  it("is said for every undo of every built-in recipe", function()
    local seen = 0
    for _, name in ipairs(loader.built_in()) do
      each_step(loader.load(name).steps, function(step)
        if not step.undo then return end
        seen = seen + 1
        expect(("%s %s: %s"):format(name, step.id, type(step.by_hand))).is(("%s %s: function"):format(name, step.id))
      end)
    end
    expect(seen > 20).is(true)
  end)

  it("gives each config var its value back, then the app the old database", function()
    local ctx = { target = target() }
    expect(cut_over.by_hand(ctx, { holders = {
      { name = "DATABASE_URL", old = "OLD_DATABASE_URL", attachment = "DATABASE" },
      { name = "db", old = "OLD_db", attachment = "DB", copy = true } } })).is(table.concat({
        "heroku addons:detach DATABASE --app shop",
        [[heroku config:set DATABASE_URL="$(heroku config:get OLD_DATABASE_URL --app shop)" --app shop]],
        "heroku config:unset OLD_DATABASE_URL --app shop",
        [[heroku config:set db="$(heroku config:get OLD_db --app shop)" --app shop]],
        "heroku config:unset OLD_db --app shop",
        "heroku addons:detach DB --app shop" }, "\n"))
    expect(cut_over.by_hand(ctx, { holders = {}, was = "postgresql-old-1" })).is(
      "heroku addons:attach postgresql-old-1 --as DATABASE --confirm shop --app shop")
    expect(cut_over.by_hand(ctx, {})).is "heroku addons:detach DATABASE --app shop"
  end)

  it("closes the window again", function()
    local ctx = { params = { app = "shop", on_freeze = "tell them" }, result = { window_opens = { maintenance = false,
      formation = { { type = "web", quantity = 2 }, { type = "release", quantity = 0 } } } } }
    expect(closes.by_hand(ctx, {})).is(
      "tell them\nheroku maintenance:on --app shop\nheroku ps:scale web=0 --app shop")
    ctx.result = {}
    expect(closes.by_hand(ctx, {})).is(nil)
  end)

  it("leaves an app in maintenance that was so before, and runs --on-thaw where it has not run", function()
    local ctx = { params = { app = "shop", on_thaw = "tell them" } }
    local old = { maintenance = true, formation = { { type = "web", quantity = 2 } } }
    expect(opens.by_hand(ctx, old)).is "heroku ps:scale web=2 --app shop\ntell them"
    old.maintenance, old.thawed = false, true
    expect(opens.by_hand(ctx, old)).is "heroku ps:scale web=2 --app shop\nheroku maintenance:off --app shop"
  end)

  it("finds the dump in its storage, and what of it was not completed", function()
    local text = dump.by_hand({ run = { id = "r1" }, store = { name = "b", endpoint = function()
      return "https://s3.example.com" end } }, {})
    expect(text).has "aws s3 rm --recursive s3://b/pgorch/r1/ --endpoint-url https://s3.example.com\n"
    expect(text).has "list-multipart-uploads --bucket b --prefix pgorch/r1/ --endpoint-url https://s3.example.com "
    expect(text).has [[abort-multipart-upload --bucket b --key "$key" --upload-id "$id" --endpoint-url https]]
  end)

  it("takes our entry off the allow list by the provider's own program, and nothing where there is none", function()
    local function said(provider, cidr)
      return allow_list.by_hand({ source = { provider = provider, id = "id-1" } }, { cidr = cidr })
    end
    for provider, words in pairs { vultr = "vultr-cli database update id-1 ", acme = "remove ",
        linode = "linode-cli databases postgresql-update id-1 ", digitalocean = "doctl databases firewalls remove " }
    do
      expect(said(provider, "192.0.2.1/32")).has(words)
      expect(said(provider, "192.0.2.1/32")).has "192.0.2.1/32"
    end
    expect(said("vultr", nil)).is(nil)
  end)

  it("empties no database that an app uses", function()
    local function said(refusal) return restore.by_hand { params = { app = "shop" }, target = target(refusal) } end
    expect(said(nil)).is "heroku pg:backups:cancel --app shop\nheroku pg:reset PGORCH_TARGET --app shop"
    expect(said "PGO-LOCKED").is(nil)
    expect(said "PGO-NET").has "# only if nothing there has the address of PGORCH_TARGET_URL:\nheroku pg:backups"
  end)
end)
