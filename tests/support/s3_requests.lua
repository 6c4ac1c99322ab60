-- The requests that are sent to Ceph RGW and to the stand-in alike: { NAME, "METHOD TARGET", options, see =, keep = }.
-- They go in this order, to a server with nothing in it, each by the server's first user unless `as` names another.
--   sign     header (version 4, the usual), query, v2, v2_query, none; expires = seconds
--   body, headers, payload (in place of the body's SHA-256), chunks (a body in signed chunks), damage (to them)
--   secret, access_key, region, service, skew, signed: what the signature is made with; after: headers changed later
--   tamper   {PATTERN, REPLACEMENT} in the signed query
--   see      headers (lower case) and elements of the document that are to be the same; keep: for later requests

local requests = {}

local GROUPS = { "buckets", "signatures", "payloads", "objects", "listings", "multipart", "sharing", "settings" }

for _, group in ipairs(GROUPS) do
  for _, each in ipairs(require("support.s3_requests." .. group)) do requests[#requests + 1] = each end
end

return requests
