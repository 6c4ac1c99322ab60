-- The DigitalOcean recipe in a sandbox: the third provider, which proves that one takes less than a page.

local run = require "support.provider_run"("digitalocean", { "--instance", "demo", "--bucket", "dumps-of-ours" },
  function(world) return world.digitalocean:database_url(world.digitalocean.state.databases[1]) end)

local function trusted(world)
  local found = {}
  for i, rule in ipairs(world.digitalocean.state.databases[1].rules) do found[i] = rule.value end
  return found
end

describe("run digitalocean", function()
  it("lets itself in, moves the data, and leaves the trusted sources as they were",
    run.with_world({ digitalocean = { trusted = { "198.51.100.7" }, backup_age = 30 * 3600 } },
      function(world)
        local done = run.run(world, {})
        run.expect_exit(done, 4)
        expect(done.all).has "PGO-BACKUP-OLD"
        expect(trusted(world)).same { "198.51.100.7" }
        world.digitalocean.state.databases[1].backups[1] = os.time() - 3600
        -- Spaces has names of its own for the keys.
        done = run.run(world, {}, { AWS_ACCESS_KEY_ID = false, AWS_SECRET_ACCESS_KEY = false,
          SPACES_ACCESS_KEY_ID = world.s3.access_key, SPACES_SECRET_ACCESS_KEY = world.s3.secret_key })
        run.expect_exit(done, 0)
        run.expect_moved(world)
        expect(trusted(world)).same { "198.51.100.7" }
        expect(run.objects(world, world.s3.account)).same {}
      end), { limit = 250 })
end)
