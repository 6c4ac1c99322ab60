-- The HTTP client against our own server: answers, failures, retries, secrets, streams with bounded memory, TLS.

local fail = require "pgorch.error"
local fs = require "pgorch.fs"
local http = require "pgorch.http"
local process = require "pgorch.process"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local function serve(handler, options)
  options = options or {}
  options.port = 0
  options.on_error = options.on_error or function() end
  return http.serve(options, handler)
end

-- Answers of a list, one after the other; the last one stays.
local function script(answers)
  local count = 0
  return function(request)
    count = count + 1
    request.number = count
    local answer = answers[math.min(count, #answers)]
    return type(answer) == "function" and answer(request) or answer
  end, function() return count end
end

local function quick(tries)
  return { tries = tries or 6, base = 0.01, cap = 0.02 }
end

local function zeros(bytes)
  return process.spawn { "head", "-c", tostring(bytes), "/dev/zero", stdout = "stream" }
end

local function peak_memory()
  return tonumber(fs.read("/proc/self/status"):match "VmHWM:%s*(%d+)") * 1024
end

describe("http.request", function()
  it("returns status, headers and body, whatever the method", function()
    local server <close> = serve(function(request)
      return { status = 201, headers = { ["X-Method"] = request.method }, body = request.body:read_all() }
    end)
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local reply = http.request { method = method, url = server.url .. "/a?b=c", body = "hello" }
      expect(reply.status).is(201)
      expect(reply.headers["x-method"]).is(method)
      expect(reply.body).is "hello"
      expect(reply.bytes).is(5)
      expect(reply.sent).is(5)
    end
    expect(http.request { method = "HEAD", url = server.url }.body).is ""
    expect(http.request { method = "POST", url = server.url }.headers["x-method"]).is "POST"
  end)

  it("raises another status with the server's own words", function()
    local server <close> = serve(function()
      local headers = { ["Content-Type"] = "application/json" }
      return { status = 422, headers = headers, body = [[{"message":"name is taken"}]] }
    end)
    local err = expect(function() http.request { url = server.url .. "/x?token=abc" } end):raises "PGO-HTTP"
    expect(err.message).is(server.url .. " answered 422: name is taken")
    expect(err.status).is(422)
    expect(err.retryable).is(false)
    expect(http.request { url = server.url, check = false }.status).is(422)
  end)

  it("refuses a body above the limit", function()
    local server <close> = serve(function() return { status = 200, body = ("x"):rep(2000) } end)
    expect(#http.request { url = server.url, limit = 2000 }.body).is(2000)
    expect(function() http.request { url = server.url, limit = 1999 } end):raises "PGO-LIMIT"
  end)

  it("says what is wrong with the network, and never the path, the user or the query", function()
    local closed
    do
      local server <close> = serve(function() return { status = 200 } end)
      closed = server.port
    end
    local url = ("http://user:hunter2@127.0.0.1:%d/path?signature=abc"):format(closed)
    local err = expect(function() http.request { url = url } end):raises "PGO-NET"
    expect(err.message).matches(("^http://127%%.0%%.0%%.1:%d: "):format(closed))
    for _, hidden in ipairs { "hunter2", "path", "signature" } do expect(tostring(err)).lacks(hidden) end
    expect(err.retryable).is(true)
    expect(function() http.request { url = "http://no-such-host.invalid/" } end):raises "PGO-DNS"
    expect(function() http.request { url = "ftp://127.0.0.1/" } end):raises "PGO-INVALID"
    expect(function() http.request { url = "/relative" } end):raises "PGO-INVALID"
  end)

  it("has a time limit, and one for silence", function()
    local server <close> = serve(function(request)
      if request.path == "/slow" then task.sleep(30) end
      local body = stream.new()
      body:write "begin"
      return { status = 200, body = body }
    end)
    local began = task.now()
    local err = expect(function() http.request { url = server.url .. "/slow", timeout = 0.2 } end):raises "PGO-TIMEOUT"
    expect(err.retryable).is(true)
    expect(function() http.request { url = server.url .. "/stuck", stall_timeout = 0.3 } end):raises "PGO-TIMEOUT"
    expect(task.now() - began).below(5)
  end)

  it("notices a connection that breaks in mid-body", function()
    local server <close> = serve(function()
      return { status = 200, body = ("x"):rep(100000), cut_after = 5000 }
    end)
    expect(function() http.request { url = server.url } end):raises "PGO-NET"
  end)

  it("can be cancelled in mid-transfer and at connecting", function()
    local server <close> = serve(function() task.sleep(30) end)
    for _, url in ipairs { server.url, "http://10.255.255.1/", "http://slow.invalid/" } do
      local began = task.now()
      expect(function() task.timeout(0.1, http.request, { url = url }) end):raises()
      expect(task.now() - began).below(2)
    end
  end)

  it("runs a hundred at once", function()
    local running, most = 0, 0
    local server <close> = serve(function(request)
      running = running + 1
      most = math.max(most, running)
      task.sleep(0.1)
      running = running - 1
      return { status = 200, body = request.path }
    end)
    local list = {}
    for i = 1, 100 do list[i] = i end
    local bodies = task.map(list, { limit = 100 }, function(i)
      return http.request { url = server.url .. "/" .. i }.body
    end)
    for i = 1, 100 do expect(bodies[i]).is("/" .. i) end
    expect(most).above(10)
  end)
end)

describe("a retry", function()
  it("is polite: connection errors and 503, with the hook told", function()
    local handler, count = script { { drop = true }, { status = 503 }, { status = 200, body = "there" } }
    local server <close> = serve(handler)
    local told = {}
    local reply = http.request { url = server.url, retry = quick(), on_retry = function(err, wait)
      told[#told + 1] = err.id .. (wait < 0.1 and "" or " late")
    end }
    expect(reply.body).is "there"
    expect(count()).is(3)
    expect(told).same { "PGO-NET", "PGO-HTTP" }
  end)

  it("does as Retry-After asks, in seconds or with a date", function()
    local handler = script {
      { status = 429, headers = { ["Retry-After"] = "1" } },
      { status = 503, headers = { ["Retry-After"] = "Fri, 20 Nov 2020 18:00:00 GMT" } },
      { status = 429, headers = { ["Retry-After"] = "86400" } },
      { status = 200 },
    }
    local server <close> = serve(handler)
    local waits = {}
    local policy = { tries = 6, base = 0.01, cap = 0.02, retry_after_cap = 1.2 }
    http.request { url = server.url, retry = policy, on_retry = function(_, wait) waits[#waits + 1] = wait end }
    expect(waits).same { 1, 0, 1.2 }
  end)

  it("gives up after its tries, with the last error", function()
    local handler, count = script { { status = 502 } }
    local server <close> = serve(handler)
    local err = expect(function() http.request { url = server.url, retry = quick(3) } end):raises "PGO-HTTP"
    expect(err.status).is(502)
    expect(count()).is(3)
  end)

  it("is not for a POST, nor for a refusal", function()
    local handler, count = script { { status = 503 } }
    local server <close> = serve(handler)
    local options = { method = "POST", url = server.url, retry = quick(), check = false }
    expect(http.request(options).status).is(503)
    expect(count()).is(1)
    options.idempotent = true
    http.request(options)
    expect(count()).is(7)
    local refusing, refused = script { { status = 404 } }
    local other <close> = serve(refusing)
    http.request { url = other.url, retry = quick(), check = false }
    expect(refused()).is(1)
  end)

  it("never happens behind our back: a POST whose answer is lost was sent once, also on a used connection", function()
    for _, method in ipairs { "POST", "PATCH" } do
      local handler, count = script { { status = 200 }, { drop = true }, { status = 200 } }
      local server <close> = serve(handler)
      http.request { url = server.url }
      expect(function() http.request { method = method, url = server.url, body = "{}" } end):raises "PGO-NET"
      expect(count()).is(2)
    end
  end)
end)

describe("credentials", function()
  local token = secret.new "abcdefghijklmnop"

  it("reach the server in headers, URL and body", function()
    local server <close> = serve(function(request)
      local seen = { request.headers.authorization, request.query, request.body:read_all() }
      return { status = 200, body = table.concat(seen, " ") }
    end)
    local reply = http.request {
      method = "POST", url = server.url .. "/?sig=" .. token, body = token,
      headers = { Authorization = "Bearer " .. token },
    }
    expect(reply.body).is(("Bearer %s sig=%s %s"):format("abcdefghijklmnop", "abcdefghijklmnop", "abcdefghijklmnop"))
  end)

  it("may be the URL or the body itself", function()
    for _, options in ipairs { { url = secret.new "http://files.invalid/x?X-Amz-Signature=0123456789abcdef" },
      { url = "http://files.invalid/", method = "POST", body = '{"password":"' .. token .. '"}' } } do
      local err = expect(function() http.request(options) end).raises "PGO-INVALID"
      expect(err.message).has "use https"
    end
  end)

  it("are not sent over http to another machine", function()
    for _, headers in ipairs { { Authorization = "x" }, { ["X-Key"] = token }, { cookie = "a=b" } } do
      for _, url in ipairs { "http://example.invalid/", "http://127.0.0.1.example.invalid/", "http://10.0.0.1/" } do
        expect(function() http.request { url = url, headers = headers } end):raises "PGO-INVALID"
      end
    end
    expect(function() http.request { url = "http://user:pass@example.invalid/" } end):raises "PGO-INVALID"
  end)

  it("are refused as masks, and with line breaks", function()
    local options = { url = "http://127.0.0.1:1/", headers = { Authorization = "Bearer " .. tostring(token) } }
    expect(function() http.request(options) end):raises "PGO-SECRET-MARKER"
    options = { url = "http://127.0.0.1:1/", headers = { Evil = "a\r\nInjected: b" } }
    expect(function() http.request(options) end):raises "PGO-INVALID"
  end)

  it("do not follow a redirect to another origin", function()
    local other <close> = serve(function(request)
      return { status = 200, body = (request.headers.authorization or "none") .. (request.headers["x-key"] or "none")
        .. (request.headers.plain or "none") }
    end)
    local server <close> = serve(function(request)
      if request.path == "/here" then return { status = 200, body = request.headers.authorization } end
      return { status = 302, headers = { Location = request.path == "/near" and "/here" or other.url .. "/x" } }
    end)
    local headers = { Authorization = "Bearer " .. token, ["X-Key"] = token, Plain = "yes" }
    expect(http.request { url = server.url .. "/near", follow = 5, headers = headers }.body).has "abcdefghijklmnop"
    expect(http.request { url = server.url .. "/far", follow = 5, headers = headers }.body).is "nonenoneyes"
    expect(http.request { url = server.url .. "/near", check = false }.status).is(302)
  end)
end)

describe("streams", function()
  local SIZE = 200 * 1000 * 1000

  it("go up and down with bounded memory", function()
    local server <close> = serve(function(request)
      if request.method == "PUT" then
        local count = request.body:drain()
        return { status = 200, body = tostring(count) }
      end
      return { status = 405 }
    end)
    local before = peak_memory()
    for _, length in ipairs { SIZE, false } do
      local source <close> = zeros(SIZE)
      local progress = http.progress()
      local reply = http.request {
        method = "PUT", url = server.url, body = source.stdout, length = length or nil, progress = progress,
      }
      expect(reply.body).is(tostring(SIZE))
      expect(progress:sent()).is(SIZE)
    end
    expect(peak_memory() - before).below(60e6)
  end, { limit = 240 })

  it("come down with bounded memory, at the reader's pace", function()
    local source
    local server <close> = serve(function()
      source = zeros(SIZE)
      return { status = 200, body = source.stdout, length = SIZE }
    end)
    local before = peak_memory()
    local into = stream.new()
    local count
    task.group(function(group)
      group:spawn(function()
        task.sleep(0.2)
        count = into:drain()
      end)
      expect(http.request { url = server.url, into = into }.bytes).is(SIZE)
    end)
    source:close()
    expect(count).is(SIZE)
    expect(peak_memory() - before).below(60e6)
  end, { limit = 240 })

  it("take only the body of a 2xx, and end in any case", function()
    local handler = script {
      { status = 503, body = "busy" }, { status = 200, body = "data" }, { status = 404, body = "no" },
    }
    local server <close> = serve(handler)
    local into = stream.new()
    expect(http.request { url = server.url, into = into, retry = quick() }.body).is ""
    expect(into:read_all()).is "data"
    into = stream.new()
    local reply = http.request { url = server.url, into = into, check = false }
    expect(reply.body).is "no"
    expect(function() into:read_all() end):raises "PGO-HTTP"
  end)

  it("carry the producer's failure, not a short body", function()
    local seen
    local server <close> = serve(function(request)
      local ok, err = pcall(request.body.read_all, request.body)
      seen = ok and "whole" or err.id
      return { status = 200 }
    end)
    local body = stream.new()
    body:write "some"
    body:fail(fail.new("PGO-IO", "the disk broke"))
    local err = expect(function() http.request { method = "PUT", url = server.url, body = body } end):raises "PGO-IO"
    expect(err.message).is "the disk broke"
    body = stream.new()
    body:write "some"
    body:finish()
    local options = { method = "PUT", url = server.url, body = body, length = 10 }
    expect(function() http.request(options) end):raises "PGO-INVALID"
    expect(seen).is_not "whole"
  end)

  it("tell a reader that stopped reading, and a writer that nobody reads", function()
    local server <close> = serve(function(request)
      if request.method == "PUT" then return { drop = true } end
      return { status = 200, body = ("x"):rep(5000000) }
    end)
    local into = stream.new()
    into:close()
    expect(function() http.request { url = server.url, into = into } end):raises "PGO-CLOSED"
    local body = stream.new()
    body:write "some"
    local err
    task.group(function(group)
      group:spawn(function()
        err = select(2, pcall(http.request, { method = "PUT", url = server.url, body = body }))
      end)
      expect(function() for _ = 1, 1000 do body:write(("y"):rep(100000)) end end):raises "PGO-CLOSED"
    end)
    expect(err.id).is "PGO-NET"
  end)
end)

describe("TLS", function()
  local function authority(dir, name)
    process.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" .. name,
      "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", dir .. "/key.pem", "-out", dir .. "/cert.pem" }
    return { cert_pem = fs.read(dir .. "/cert.pem"), key_pem = fs.read(dir .. "/key.pem") }
  end

  it("is verified, with the authority that is given or the system's", function()
    local dir <close> = setmetatable({ path = fs.mkdtemp "pgo-http-" }, {
      __close = function(self) fs.remove_tree(self.path) end })
    local ours = authority(dir.path, "ours")
    local theirs = authority(dir.path, "theirs")
    local server <close> = serve(function() return { status = 200, body = "safe" } end,
      { cert_pem = ours.cert_pem, key_pem = ours.key_pem })
    expect(http.request { url = server.url, ca_pem = ours.cert_pem }.body).is "safe"
    local err = expect(function() http.request { url = server.url, ca_pem = theirs.cert_pem } end):raises "PGO-TLS"
    expect(err.retryable).is(false)
    expect(function() http.request { url = server.url } end):raises "PGO-TLS"
    local name = server.url:gsub("127%.0%.0%.1", "localhost")
    expect(function() http.request { url = name, ca_pem = ours.cert_pem } end):raises "PGO-TLS"
  end)
end)

describe("http.client", function()
  it("speaks JSON, with a token, and makes secrets of named fields", function()
    local server <close> = serve(function(request)
      local body = request.body:read_all()
      return {
        status = 200, headers = { ["Content-Type"] = "application/json" },
        body = ([[{"auth":"%s","path":"%s?%s","password":"abcdefghijkl","got":%s}]]):format(
          request.headers.authorization, request.path, request.query, body == "" and "null" or body),
      }
    end)
    local api = http.client { base = server.url .. "/v1/", bearer = "tokentokentoken", secrets = { "password", "key" } }
    local thing = { name = "x", key = secret.new "keykeykeykey" }
    local reply = api:post("/things", thing, { query = { b = true, a = { 1, 2 } } })
    expect(reply.body.auth).is "Bearer tokentokentoken"
    expect(reply.body.path).is "/v1/things?a=1&a=2&b=true"
    expect(secret.is(reply.body.password)).is(true)
    expect(reply.body.got.name).is "x"
    expect(secret.is(reply.body.got.key)).is(true)
    expect(api:get("things").body.path).is "/v1/things?"
    expect(function() api:get "https://elsewhere.invalid/things" end):raises "PGO-INVALID"
  end)

  it("collects all pages, by number, cursor, link or a function", function()
    local server <close> = serve(function(request)
      local page = tonumber((request.query or ""):match "%f[%a]page=(%d)") or 1
      local cursor = (request.query or ""):match "cursor=(%w+)"
      local link
      local body
      if request.path == "/numbered" then
        body = ([[{"items":[%d],"page":%d,"pages":3}]]):format(page, page)
      elseif request.path == "/cursor" then
        local n = cursor == "b" and 2 or cursor == "c" and 3 or 1
        body = ([[{"items":[%d],"meta":{"links":{"next":"%s"}}}]]):format(n, ({ "b", "c", "" })[n])
      else
        body = ("[%d]"):format(page)
        link = page < 3 and ("</linked?page=%d>; rel=\"next\""):format(page + 1) or nil
      end
      return { status = 200, headers = { ["Content-Type"] = "application/json", Link = link }, body = body }
    end)
    local api = http.client { base = server.url }
    expect(api:pages("/numbered", "items")).same { 1, 2, 3 }
    expect(api:pages("/cursor", "items")).same { 1, 2, 3 }
    expect(api:pages("/linked")).same { 1, 2, 3 }
    expect(api:pages("/numbered", "items", nil, function(reply)
      return reply.body.page < 2 and "/numbered?page=" .. reply.body.page + 1 or nil
    end)).same { 1, 2 }
  end)
end)

describe("http.escape", function()
  it("leaves only what needs no escape, and keeps secrets secret", function()
    expect(http.escape "a b/c~d.e-f_ü").is "a%20b%2Fc~d.e-f_%C3%BC"
    expect(http.unescape "a%20b%2fc").is "a b/c"
    expect(secret.is(http.escape(secret.new "a b"))).is(true)
    expect(http.query { b = "x y", a = 1 }).is "a=1&b=x%20y"
  end)
end)
