-- A stand-in of Acme's API for the tests: it answers what the recipe asks, from what is in the table below, and
-- the database that it tells of is a real one. Tests look at the table as `world.acme`. Where the real API is strict,
-- be as strict here: a stand-in that forgives hides mistakes.
local clock    = require "pgorch.clock"
local stand_in = require "pgorch.sandbox.stand_in"

local TOKEN = "a-token-of-the-tests"

return function(world)
  local source = world.source                                   -- a PostgreSQL server with fixtures/acme.sql in it
  local acme = {
    firewall = { "198.51.100.7/32" },                           -- somebody else's office: we are not on the list
    jobs     = { nightly = { id = "nightly", state = "running" } },
  }

  local function set_firewall(cidrs)
    acme.firewall = cidrs
    source.gate:allow(cidrs)                                    -- the others are not let in
  end
  set_firewall(acme.firewall)

  local function cluster()
    return { id = "shop", name = "shop", state = "up", version = source.version, endpoint = source.host,
             port = source.port, admin = source.user, ca = source.ca_pem, last_backup_at = clock.iso() }
  end

  local function is_ours(request) return request.at.cluster == "shop" end

  local function set_state(request, state)
    local job = acme.jobs[request.at.job]
    if not job then return nil end                              -- nil is an answer of 404
    job.state = state
    return job
  end

  return stand_in.serve(world, acme, {
    host = "api.acme.example", prefix = "/v1", token = TOKEN, env = { ACME_TOKEN = TOKEN },
    given_back = { "firewall", "jobs" },                        -- a run that leaves these otherwise fails its test
    routes = {
      ["GET /clusters"] = function() return { items = { cluster() } } end,
      ["GET /clusters/:cluster"] = function(request) return is_ours(request) and cluster() or nil end,
      ["GET /clusters/:cluster/password"] = function(request)
        return is_ours(request) and { value = source.password } or nil
      end,
      ["GET /clusters/:cluster/firewall"] = function() return { cidrs = acme.firewall } end,
      ["POST /clusters/:cluster/firewall"] = function(request)
        local cidrs = { table.unpack(acme.firewall) }
        cidrs[#cidrs + 1] = request.body.cidr
        set_firewall(cidrs)
        return 201, { cidrs = cidrs }
      end,
      ["DELETE /clusters/:cluster/firewall/:cidr"] = function(request)
        local left = {}
        for _, cidr in ipairs(acme.firewall) do
          if cidr ~= request.at.cidr then left[#left + 1] = cidr end
        end
        if #left == #acme.firewall then return nil end
        set_firewall(left)
        return true                                             -- 204, without a body
      end,
      ["GET /jobs/:job"] = function(request) return acme.jobs[request.at.job] end,
      ["POST /jobs/:job/pause"] = function(request) return set_state(request, "paused") end,
      ["POST /jobs/:job/resume"] = function(request) return set_state(request, "running") end,
    },
  })
end
