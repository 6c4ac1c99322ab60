-- What the S3 stand-in does wrong when it is asked to: bodies that crawl, parts that are lost or spoiled, objects that
-- lack their end, errors with a good status.

local Client = require "support.s3_client"
local crypto = require "pgorch.crypto"
local faults = require "pgorch.sandbox.faults"
local fs     = require "pgorch.fs"
local s3     = require "pgorch.sandbox.s3"
local task   = require "pgorch.task"

local PART = ("p"):rep(5 << 20)

--- fn(client, put, world); put(name, fault) asks for a fault.
local function with_endpoint(fn)
  return function()
    fs.with_temporary("pgorch-s3-", function(dir)
      local world = { dir = dir }
      local endpoint <close> = s3.start(world)
      local client = Client.new(endpoint)
      client:call("PUT", "/box")
      fn(client, function(name, fault) faults.put(world, name, fault) end, world)
    end)
  end
end

local function code_of(reply) return ("%d %s"):format(reply.status, (reply.body or ""):match "<Code>(%w+)</Code>") end

local function begin(client)
  return client:call("POST", "/box/k?uploads").body:match "<UploadId>(.-)</UploadId>"
end

local function put_part(client, id, number, body)
  return client:call("PUT", ("/box/k?partNumber=%d&uploadId=%s"):format(number, id), body)
end

local function complete(client, id, ...)
  local lines = {}
  for number, etag in ipairs { ... } do
    lines[number] = ("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>"):format(number, etag)
  end
  return client:call("POST", "/box/k?uploadId=" .. id,
    "<CompleteMultipartUpload>" .. table.concat(lines) .. "</CompleteMultipartUpload>")
end

describe("a fault of the S3 stand-in", function()
  it("makes bodies crawl, in and out", with_endpoint(function(client, put)
    local text = ("x"):rep(20000)
    for _, each in ipairs { { "s3.put_object", "PUT", text }, { "s3.get_object", "GET" } } do
      put(each[1], { rate = 50000 })
      local began = task.now()
      expect(client:call(each[2], "/box/k", each[3]).status).is(200)
      expect(task.now() - began >= 0.35).is(true) -- at full speed it takes a hundredth of that
    end
    expect(client:call("GET", "/box/k").body).is(text)
  end))

  it("loses a part, and Complete misses it", with_endpoint(function(client, put)
    local id = begin(client)
    put("s3.put_part", { lose = true })
    expect(put_part(client, id, 1, PART).headers.etag).is('"' .. crypto.md5(PART) .. '"')
    put_part(client, id, 2, "end")
    expect(client:call("GET", "/box/k?uploadId=" .. id).body).lacks "<PartNumber>1<"
    expect(code_of(complete(client, id, crypto.md5(PART), crypto.md5 "end"))).is "400 InvalidPart"
    put_part(client, id, 1, PART)
    expect(complete(client, id, crypto.md5(PART), crypto.md5 "end").status).is(200)
  end))

  it("spoils a part on the wire, and its ETag tells", with_endpoint(function(client, put)
    local id = begin(client)
    put("s3.put_part", { damage = "wire" })
    expect(put_part(client, id, 1, "12345").headers.etag).is('"' .. crypto.md5 "12445" .. '"')
    expect(complete(client, id, crypto.md5 "12445").status).is(200)
    expect(client:call("GET", "/box/k").body).is "12445"
  end))

  it("spoils a part on the disk, and only reading it tells", with_endpoint(function(client, put)
    local id = begin(client)
    put("s3.put_part", { damage = "disk" })
    expect(put_part(client, id, 1, "12345").headers.etag).is('"' .. crypto.md5 "12345" .. '"')
    expect(complete(client, id, crypto.md5 "12345").status).is(200)
    expect(client:call("GET", "/box/k").body).is "12445"
  end))

  it("leaves out the last part of an object", with_endpoint(function(client, put)
    local id = begin(client)
    put_part(client, id, 1, PART)
    put_part(client, id, 2, "end")
    put("s3.complete_upload", { lose = true })
    expect(complete(client, id, crypto.md5(PART), crypto.md5 "end").status).is(200)
    expect(client:call("HEAD", "/box/k").headers["content-length"]).is(tostring(#PART))
  end))

  it("answers a Complete with 200 and an error, before or after the work", with_endpoint(function(client, put)
    for _, after in ipairs { false, true } do
      local id = begin(client)
      put_part(client, id, 1, "12345")
      put("s3.complete_upload", { answer = 200, code = "InternalError", after = after })
      expect(code_of(complete(client, id, crypto.md5 "12345"))).is "200 InternalError"
      expect(client:call("HEAD", "/box/k").status).is(after and 200 or 404)
    end
  end))

  it("leaves no file behind that nobody sees", with_endpoint(function(client, put, world)
    local id = begin(client)
    put("s3.put_part", { lose = true })
    put_part(client, id, 1, "12345")
    client:call("DELETE", "/box/k?uploadId=" .. id)
    expect(#fs.list(world.dir .. "/s3")).is(0)
  end))
end)
