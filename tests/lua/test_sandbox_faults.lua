-- Faults at large: every place is documented under its name, and a file is counted down as it says.

local faults = require "pgorch.sandbox.faults"
local fields = require "pgorch.sandbox.faults.fields"
local fs = require "pgorch.fs"
local http = require "pgorch.http"
local http_server = require "pgorch.http_server"
local json = require "pgorch.json"
local places = require "pgorch.sandbox.faults.places"
local task = require "pgorch.task"

describe("the places of faults", function()
  it("are every operation of every stand-in, told by its requests", function()
    local all = places.all()
    expect(all["s3.put_part"]).is "PUT /BUCKET/KEY?uploadId"
    expect(all["s3.any"]).has "any request"
    expect(all["heroku.restore"]).is "POST /client/v11/databases/*/restores"
    expect(all["heroku.attachments"]).has "GET /addons/*/addon-attachments"
    expect(all["vultr.object_storage"]).is "GET /v2/object-storage/*"
    expect(all["linode.bucket"]).has "GET /"
    expect(all["worker.restore"]).has "warnings"
  end)

  it("are checked, but for those of stand-ins that are not the sandbox's own", function()
    for _, name in ipairs { "s3.put_part", "worker.provision", "vultr.any", "acme.jobs" } do places.check(name) end
    for _, name in ipairs { "s3.put_prat", "worker.any", "put_part", "" } do
      expect(function() places.check(name) end).raises "PGO-INVALID"
    end
  end)
end)

local function with_world(fn)
  return function()
    fs.with_temporary("pgorch-faults-", function(dir) fn({ dir = dir }, dir .. "/faults/") end)
  end
end

describe("a fault file", function()
  it("is counted down and removed", with_world(function(world, folder)
    faults.put(world, "s3.put_part", { answer = 503, times = 2, skip = 1 })
    expect(faults.at(world, "s3.put_object")).is_nil()
    expect(faults.at(world, "s3.put_part")).is_nil()
    expect(faults.at(world, "s3.put_part").answer).is(503)
    expect(json.decode(fs.read(folder .. "s3.put_part")).times).is(1)
    expect(faults.at(world, "s3.put_part").answer).is(503)
    expect(fs.exists(folder .. "s3.put_part")).is(false)
    expect(faults.at(world, "s3.put_part")).is_nil()
  end))

  it("stays when it is for always, and a name of its own goes before `any`", with_world(function(world)
    faults.put(world, "s3.any", { answer = 500, times = "always" })
    faults.put(world, "s3.put_part", { answer = 503 })
    expect(faults.at(world, "s3.put_part").answer).is(503)
    for _ = 1, 3 do expect(faults.at(world, "s3.put_part").answer).is(500) end
  end))

  it("that is half written or no JSON does nothing", with_world(function(world, folder)
    fs.mkdir(folder)
    fs.write(folder .. "s3.put_part", "")
    expect(faults.at(world, "s3.put_part")).is_nil()
    expect(fs.exists(folder .. "s3.put_part")).is(true)
  end))

  it("is refused when a field or a value would do nothing", with_world(function(world)
    for _, fault in ipairs { { anwser = 503 }, { answer = "503" }, { answer = 503, times = 0 }, { drop = 1 },
      { times = 2 } } do
      expect(function() faults.put(world, "s3.put_part", fault) end).raises "PGO-INVALID"
    end
    expect(function() faults.put(world, nil, { answer = 503 }) end).raises "PGO-INVALID"
    expect(function() faults.put(world, nil, { match = "/apps", answer = 503 }) end).raises "PGO-INVALID"
  end))
end)

describe("a field of a fault", function()
  local function checked(...)
    for _, text in ipairs { ... } do faults.check(fields.parse(text)) end
  end

  local function refused(...)
    for _, text in ipairs { ... } do
      expect(expect(function() checked(text) end).raises("PGO-INVALID").message).has "does nothing at"
    end
  end

  it("is refused at a stand-in that does not know it", function()
    refused("heroku.app rate=5", "vultr.any lose", "linode.bucket damage=disk", "heroku.any looks=2",
      "s3.put_part stuck", "heroku.restore error=x", "s3.any silent", "heroku.restore canceled",
      "heroku.restore warnings=lossy", "vultr.account reason=x", "heroku.app html", "s3.any html", "heroku.app skew=9",
      "s3.put_part message=x", "vultr.any code=x", "worker.restore drop", "worker.start hold=3",
      "worker.restore code=x")
    checked("s3.put_part rate=5", "s3.any lose skew=9", "worker.ready looks=2", "worker.restore answer=500 message=x",
      "linode.any reason=x answer=400", "linode.any html answer=502", "vultr.any html answer=502",
      "heroku.app answer=403 code=x message=y", "heroku.app delay=1")
  end)

  it("with a match may be any that a request can have, or its stand-in's", function()
    checked("PUT /b/* rate=5", "GET /v2/** html answer=502", "GET /x code=x answer=400")
    checked("PUT /b/* lose standin=s3", "GET /x rate=5 standin=acme")
    refused("PUT /b/* rate=5 standin=heroku", "GET /x looks=5")
  end)

  it("that is not everybody's says in the listing whose it is", function()
    for name, row in pairs(fields.known) do
      if row[3] and row[3] ~= places.STAND_INS then
        local whose = row[2]:match("^([^:]+):"):lower()
        expect(name .. " " .. whose).is(name .. " " .. table.concat(row[3], ", "))
      end
    end
  end)

  it("is any at a stand-in that is not the sandbox's own", function() checked "acme.jobs rate=5 looks=1" end)
end)

describe("a fault for a method and a path", function()
  local function asked(world, method, path, query)
    local fault = faults.at(world, "heroku.unknown", { method = method, path = path, query = query })
    return fault and fault.answer
  end

  it("is for the requests that fit, and for no others", with_world(function(world)
    faults.put(world, nil, { match = "POST /apps/*/addons", answer = 501, times = "always" })
    faults.put(world, nil, { match = "* /client/**", answer = 502, times = "always" })
    faults.put(world, nil, { match = "GET /backups?key=x*", answer = 503, times = "always" })
    expect(asked(world, "POST", "/apps/a/addons")).is(501)
    expect(asked(world, "GET", "/apps/a/addons")).is_nil()
    expect(asked(world, "POST", "/apps/a/b/addons")).is_nil()
    expect(asked(world, "POST", "/apps/a/addons/x")).is_nil()
    expect(asked(world, "DELETE", "/client/v11/a/b")).is(502)
    expect(asked(world, "GET", "/backups", "key=xyz")).is(503)
    expect(asked(world, "GET", "/backups", "key=y")).is_nil()
  end))

  it("may be for one stand-in alone, and a place of its own goes before it", with_world(function(world)
    faults.put(world, nil, { match = "* /**", standin = "s3", answer = 500, times = "always" })
    faults.put(world, "s3.put_part", { answer = 503 })
    local request = { method = "PUT", path = "/b/k" }
    expect(faults.at(world, "vultr.account", request)).is_nil()
    expect(faults.at(world, "s3.put_part", request).answer).is(503)
    expect(faults.at(world, "s3.put_part", request).answer).is(500)
  end))
end)

describe("a fault with a chance", function()
  local function falls(seed, times)
    local played = {}
    fs.with_temporary("pgorch-faults-", function(dir)
      local world = { dir = dir, seed = seed }
      faults.put(world, "s3.put_part", { answer = 503, chance = 0.3, times = times })
      for i = 1, 60 do played[i] = faults.at(world, "s3.put_part") and "x" or "." end
    end)
    return table.concat(played)
  end

  it("falls on the same requests for the same seed, on others for another", function()
    local first = falls(1)
    expect(falls(1)).is(first)
    expect(falls(2) ~= first).is(true)
    local count = select(2, first:gsub("x", ""))
    expect(count).above(5)
    expect(count < 40).is(true)
  end)

  it("is used up after so many", function()
    expect(select(2, falls(1, 2):gsub("x", ""))).is(2)
  end)
end)

describe("a fault in words", function()
  it("is a place or a method and a path, then fields", function()
    local at, fault = fields.parse "s3.put_part answer=503 code=SlowDown times=always drop"
    expect(at).is "s3.put_part"
    expect(fault).same { answer = 503, code = "SlowDown", times = "always", drop = true }
    at, fault = fields.parse [[POST /a/*/b  delay=0.5 body='{"id": "x y"}' message="two words" after=false]]
    expect(at).is_nil()
    expect(fault).same { match = "POST /a/*/b", delay = 0.5, body = { id = "x y" }, message = "two words",
      after = false }
  end)

  it("has its mistakes found", function()
    expect(function() fields.parse "s3.put_part message='half" end).raises "PGO-INVALID"
    for _, text in ipairs { "s3.put_part drob", "s3.put_part answer=many" } do
      expect(function() faults.check(fields.parse(text)) end).raises "PGO-INVALID"
    end
  end)
end)

--- A server of no stand-in, and fn(its URL, ask(fault), what it was asked, is the fault still to come?).
local function with_server(fn)
  fs.with_temporary("pgorch-faults-", function(dir)
    local asked = {}
    local handler = faults.wrap({ dir = dir }, function() return "acme.get" end, function(req)
      asked[#asked + 1] = req.path
      return { status = 200, body = req.path }
    end)
    local server <close> = http_server.serve({}, handler)
    fn(server.url, function(fault) faults.put({ dir = dir }, "acme.get", fault) end, asked,
      function() return fs.exists(dir .. "/faults/acme.get") end)
  end)
end

describe("a stand-in with a fault", function()
  it("answers with a body that is a text, or an object as JSON", function()
    with_server(function(url, fault, asked)
      fault { answer = 418, body = { id = "tea", sizes = { 1, 2 } } }
      local reply = http.request { url = url .. "/x", check = false }
      expect(reply.status).is(418)
      expect(reply.headers["content-type"]).is "application/json"
      expect(json.decode(reply.body)).same { id = "tea", sizes = { 1, 2 } }
      fault { answer = 502, body = "<html>" }
      expect(http.request({ url = url .. "/x", check = false, retry = false }).body).is "<html>"
      expect(#asked).is(0)
    end)
  end)

  it("delays a request, and others pass it", function()
    with_server(function(url, fault, asked, is_waiting)
      fault { delay = 1 }
      local answered = {}
      local function get(path)
        local reply = http.request { url = url .. path, timeout = 30 }
        answered[#answered + 1] = reply.body
      end
      task.group(function(group)
        group:spawn(get, "/first")
        while is_waiting() do task.sleep(0.01) end -- until the first request has it
        get "/second"
      end)
      expect(answered).same { "/second", "/first" }
      expect(asked[#asked]).is "/first"
    end)
  end)

  it("cuts the connection in the middle of a request, before anything is done", function()
    fs.with_temporary("pgorch-faults-", function(dir)
      local done = 0
      local handler = faults.wrap({ dir = dir }, function() return "acme.put" end, function(req)
        done = done + 1
        return { status = 200, body = tostring(#req.body:read_all()) }
      end)
      local server <close> = http_server.serve({}, handler)
      local function put()
        return http.request { method = "PUT", url = server.url .. "/x", body = ("a"):rep(1 << 20) }
      end
      faults.put({ dir = dir }, "acme.put", { cut_request = 1000 })
      expect(put).raises "PGO-NET"
      expect(done).is(0)
      expect(put().body).is(tostring(1 << 20))
    end)
  end)
end)
