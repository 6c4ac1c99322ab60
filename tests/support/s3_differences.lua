-- Where the stand-in may answer otherwise than Ceph RGW 16.2.15, by the requests' names: why, and what it answers.
-- A difference that is not here fails the probe, and so does one that is here and is none any more.

local LAX = "RGW takes it; AWS and Swift refuse it, and a client of ours must not get away with it"

return {
  ["v4: another service"] = { why = LAX, status = 400, code = "InvalidArgument" },
  ["v4: host not signed"] = { why = LAX, status = 403, code = "AccessDenied" },
  ["v4: an x-amz header not signed"] = { why = LAX, status = 403, code = "AccessDenied" },
  ["location"] = { why = "the name of the zone group is a matter of configuration", status = 200 },
  ["delete: many, no XML"] = { why = "RGW leaves the error's document out", status = 400, code = "MalformedXML" },
  ["acl: public object, with a response header"] = { status = 400, code = "InvalidRequest",
    why = "RGW's answer is no HTTP: a header line without a colon" },
}
