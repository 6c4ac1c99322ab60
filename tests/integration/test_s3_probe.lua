-- The S3 stand-in is what it stands in for: a real Ceph RGW and it get the same requests, and give the same answers
-- but for the differences that are listed with their reasons.

local ceph        = require "support.ceph"
local differences = require "support.s3_differences"
local fs          = require "pgorch.fs"
local probe       = require "support.s3_probe"
local requests    = require "support.s3_requests"
local s3          = require "pgorch.sandbox.s3"

local LEAST = 80

--- "status: 403 | 200" for each thing that is not the same.
local function compared(real, stand_in)
  local names, found = {}, {}
  for name in pairs(real) do names[name] = true end
  for name in pairs(stand_in) do names[name] = true end
  for name in pairs(names) do
    if real[name] ~= stand_in[name] then
      found[#found + 1] = ("%s: %s | %s"):format(name, tostring(real[name]), tostring(stand_in[name]))
    end
  end
  table.sort(found)
  return table.concat(found, "; ")
end

--- What is wrong with one answer, nil when nothing is.
local function complaint(name, real, stand_in)
  if stand_in.status == "none" then return ("%s: no answer by the stand-in: %s"):format(name, stand_in.said) end
  local found, allowed = compared(real, stand_in), differences[name]
  if not allowed then return found ~= "" and ("%s (RGW | stand-in): %s"):format(name, found) or nil end
  if found == "" then return name .. ": is the same now; it need not be allowed any more" end
  if stand_in.status ~= allowed.status or stand_in.code ~= allowed.code then
    return ("%s: the stand-in answers %s %s"):format(name, stand_in.status, tostring(stand_in.code))
  end
end

local function stand_in_answers()
  return fs.with_temporary("pgorch-probe-", function(dir)
    local endpoint <close> = s3.start { dir = dir }
    return probe.run(endpoint, requests)
  end)
end

describe("the S3 stand-in", function()
  it("answers as Ceph RGW does", function()
    local rgw <close> = ceph.start()
    rgw.other = rgw:add_user "other"
    local real, stand_in = probe.run(rgw, requests), stand_in_answers()
    local complaints = {}
    for _, request in ipairs(requests) do
      complaints[#complaints + 1] = complaint(request[1], real[request[1]], stand_in[request[1]])
    end
    for name in pairs(differences) do
      if not real[name] then complaints[#complaints + 1] = name .. ": is no request" end
    end
    expect(table.concat(complaints, "\n")).is ""
    expect(#requests >= LEAST).is(true)
  end, { limit = 120 })
end)
