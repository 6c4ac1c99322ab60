-- The HTTP server, driven by curl: an independent client says what it got.

local fs = require "pgorch.fs"
local log = require "pgorch.log"
local process = require "pgorch.process"
local serve = require("pgorch.http_server").serve
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local function curl(...)
  return process.run { "curl", "-sS", "--max-time", "30", check = false, limit = 8 << 20, ... }
end

-- What curl printed, and its exit code: 18 is a cut body, 52 no answer.
local function get(...)
  local result = curl(...)
  return result.stdout, result.code
end

local function serving(handler, fn, options)
  options = options or {}
  options.on_error = options.on_error or function() end
  local server <close> = serve(options, handler)
  return fn(server.url, server)
end

local function with_file(size, fn)
  return fs.with_temporary("pgorch-http-", function(dir)
    local lines = {}
    for i = 1, math.ceil(size / 64) do lines[i] = ("%063d\n"):format(i) end
    fs.write(dir .. "/file", table.concat(lines):sub(1, size), { sync = false })
    return fn(dir .. "/file", dir)
  end)
end

describe("a request", function()
  it("comes with path and query as they were sent, and headers by lower-case name", function()
    local seen
    serving(function(req) seen = req; return {} end, function(url)
      get(url .. "/a%20b%2Fc?q=%41+x", "-H", "X-One: 1", "-H", "x-one: 2", "-X", "DELETE")
    end)
    expect(seen.method).is "DELETE"
    expect(seen.path).is "/a%20b%2Fc"
    expect(seen.query).is "q=%41+x"
    expect(seen.headers["x-one"]).is "1, 2"
    local names = {}
    for _, each in ipairs(seen.raw_headers) do names[#names + 1] = each[1] end
    expect(table.concat(names, " ")).has "X-One x-one"
    expect(seen.remote.host).is "127.0.0.1"
  end)

  it("brings its body as a stream, of known length or in chunks", function()
    with_file(3000000, function(path, dir)
      serving(function(req) return { body = req.body:read_all() } end, function(url)
        for _, framing in ipairs { "Content-Length: 3000000", "Transfer-Encoding: chunked" } do
          get(url, "-H", framing, "--data-binary", "@" .. path, "-o", dir .. "/back")
          expect(fs.read(dir .. "/back") == fs.read(path)).is(true)
        end
      end)
    end)
  end)

  it("may be answered before its body was read", function()
    with_file(5000000, function(path)
      serving(function() return { status = 404, body = "no" } end, function(url)
        expect((get(url, "-T", path, "-w", " %{http_code}"))).is "no 404"
      end)
    end)
  end)

  it("is held back by a slow reader, and arrives whole", function()
    with_file(6000000, function(path)
      serving(function(req)
        local count = 0
        for _ = 1, 10 do
          count = count + #req.body:read(50000)
          task.sleep(0.01)
          expect(req.body:total()).below(count + (1 << 20))
        end
        return { body = tostring(count + req.body:drain()) }
      end, function(url)
        expect((get(url, "-T", path))).is "6000000"
      end)
    end)
  end)
end)

describe("an answer", function()
  it("has the status and the headers that the handler gave", function()
    serving(function()
      return { status = 201, headers = { ["X-Kind"] = "a", ["Set-Cookie"] = { "one", "two" } }, body = "made" }
    end, function(url)
      local text = get(url, "-i")
      expect(text).has "HTTP/1.1 201"
      expect(text).has "X-Kind: a"
      expect(text).has "Set-Cookie: one"
      expect(text).has "Set-Cookie: two"
      expect(text).matches "made$"
    end)
  end)

  it("comes from a stream, of known length or in chunks", function()
    with_file(3000000, function(path, dir)
      serving(function(req)
        local source, bytes = fs.source(path)
        return { body = source, length = req.path == "/known" and bytes or nil }
      end, function(url)
        local headers = { ["/known"] = "Content-Length: 3000000", ["/chunks"] = "Transfer-Encoding: chunked" }
        for route, header in pairs(headers) do
          local head = get(url .. route, "-D", "-", "-o", dir .. "/back")
          expect(head).has(header)
          expect(fs.read(dir .. "/back") == fs.read(path)).is(true)
        end
      end)
    end)
  end)

  it("to HEAD tells a length without a body", function()
    serving(function() return { length = 123456789 } end, function(url)
      expect((get(url, "-I"))).has "Content-Length: 123456789"
    end)
  end)

  it("is cut when its stream fails or is short, so that the client sees it", function()
    serving(function(req)
      local s = stream.new()
      s:write(("x"):rep(1000))
      if req.path == "/fails" then s:fail("broken") else s:finish() end
      return { body = s, length = req.path == "/short" and 2000 or nil }
    end, function(url)
      expect(select(2, get(url .. "/fails"))).is(18)
      expect(select(2, get(url .. "/short"))).is(18)
      expect(select(2, get(url .. "/good"))).is(0)
    end)
  end)

  it("is broken on purpose: cut after some bytes, or none at all", function()
    serving(function(req)
      if req.path == "/drop" then return { drop = true } end
      return { body = ("x"):rep(100000), cut_after = 1000 }
    end, function(url)
      local text, code = get(url)
      expect({ #text, code }).same { 1000, 18 }
      expect(select(2, get(url .. "/drop"))).is(52)
    end)
  end)

  it("is 500 when the handler raises, gives nothing, or gives what cannot be sent", function()
    local errors = {}
    serving(function(req)
      if req.path == "/raises" then error("boom", 0) end
      if req.path == "/header" then return { headers = { ["x-y"] = "a\r\nb: c" } } end
      if req.path == "/echo" then return { body = req.body } end
    end, function(url)
      for _, route in ipairs { "/raises", "/header", "/nothing", "/echo" } do
        expect((get(url .. route, "-w", "%{http_code}"))).matches "500$"
      end
    end, { on_error = function(err) errors[#errors + 1] = err.id end })
    expect(errors).same { "PGO-LUA", "PGO-INVALID", "PGO-INVALID", "PGO-INVALID" }
  end)

  it("is logged unless on_error takes the error", function()
    local sink, said = log.sink, nil
    log.sink = function(_, message) said = message end
    local ok, err = pcall(function()
      local server <close> = serve({}, function() error("boom", 0) end)
      get(server.url .. "/where")
    end)
    log.sink = sink
    expect(ok or err).is(true)
    expect(said).has "GET /where: PGO-LUA: boom"
  end)
end)

describe("a server", function()
  it("keeps connections open for the next request", function()
    local ports = {}
    serving(function(req) ports[#ports + 1] = req.remote.port; return { body = "x" } end, function(url)
      get(url, url)
    end)
    expect(ports[1]).is(ports[2])
  end)

  it("answers a hundred requests at once", function()
    local at_once, most = 0, 0
    serving(function(req)
      at_once = at_once + 1
      most = math.max(most, at_once)
      task.sleep(0.2)
      at_once = at_once - 1
      return { body = req.query .. " " }
    end, function(url)
      local result = curl("--parallel", "--parallel-immediate", "--parallel-max", "100", url .. "/?[1-100]")
      local sum = 0
      for number in result.stdout:gmatch("%d+") do sum = sum + tonumber(number) end
      expect(sum).is(5050)
      expect(most).above(50)
    end)
  end)

  it("outlives clients that leave in mid-upload and in mid-download", function()
    local upload, chunk = nil, ("x"):rep(65536)
    with_file(20000000, function(path)
      serving(function(req)
        if req.method == "PUT" then
          local ok, err = pcall(req.body.drain, req.body)
          upload = ok or err
          error(err, 0)
        end
        local s = stream.new()
        task.group(function(group)
          group:spawn(function() s:write(chunk); s:finish() end)
        end)
        return req.path == "/rest" and { body = "still here" } or { body = s, length = 20000000 }
      end, function(url)
        expect(select(2, get(url, "-T", path, "--limit-rate", "100k", "--max-time", "1"))).is(28)
        expect(select(2, get(url, "--limit-rate", "1k", "--max-time", "1"))).is_not(0)
        expect((get(url .. "/rest"))).is "still here"
        task.timeout(10, function()
          while not upload do task.sleep(0.05) end
        end)
        expect(upload.id).is "PGO-NET"
      end)
    end)
  end)

  it("closes while handlers hang: each is cancelled, cleans up, and its client is cut", function()
    local cleaned, codes = 0, {}
    task.group(function(group)
      local started = task.event()
      local server = serve({}, function(req)
        local _ <close> = setmetatable({}, { __close = function()
          task.shield(5, task.sleep, 0.05)
          cleaned = cleaned + 1
        end })
        if req.path == "/2" then started:set() end
        task.sleep(100)
      end)
      for i = 1, 2 do
        group:spawn(function() codes[i] = select(2, get(server.url .. "/" .. i)) end)
        if i == 1 then task.sleep(0.3) end
      end
      started:wait()
      server:close()
      server:close()
      expect(cleaned).is(2)
    end)
    expect(codes).same { 52, 52 }
  end)

  it("closes when the scope around it is cancelled", function()
    local url
    expect(function()
      task.timeout(0.3, function()
        local server <close> = serve({}, function() return { body = "x" } end)
        url = server.url
        expect((get(url))).is "x"
        task.sleep(100)
      end)
    end):raises "PGO-TIMEOUT"
    expect(select(2, get(url))).is(7) -- connection refused
  end)

  it("listens on loopback only, and says when a port is taken", function()
    expect(function() serve({ host = "0.0.0.0" }, print) end):raises "PGO-INVALID"
    serving(function() return {} end, function(_, server)
      expect(function() serve({ port = server.port }, print) end):raises "PGO-NET"
    end)
  end)

  it("speaks TLS with a certificate of its own", function()
    fs.with_temporary("pgorch-tls-", function(dir)
      local made = process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", dir .. "/key.pem", "-out", dir .. "/cert.pem", "-days", "1", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1", check = false }
      if made.code ~= 0 then skip("no openssl program") end
      serving(function(req) return { body = req.body:read_all() } end, function(url)
        expect(url).matches "^https://"
        local back = get(url, "--cacert", dir .. "/cert.pem", "--data-binary", "@" .. dir .. "/cert.pem")
        expect(back == fs.read(dir .. "/cert.pem")).is(true)
        expect(select(2, get(url))).is(60) -- not trusted
      end, { cert_pem = fs.read(dir .. "/cert.pem"), key_pem = fs.read(dir .. "/key.pem") })
    end)
  end)
end)
