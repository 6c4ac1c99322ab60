-- Listings, both versions. They have a bucket of their own.

local entries = { { "list: a bucket", "PUT /list" } }
for _, key in ipairs { "a/1", "a/2", "b", "c/%C3%BC%2B%26%20", "d", "e%3C" } do
  entries[#entries + 1] = { "list: " .. key, "PUT /list/" .. key, { body = "x" } }
end

for _, each in ipairs {
  { "v1", "", "Name Prefix Marker MaxKeys Key IsTruncated Size StorageClass Delimiter EncodingType ETag ID" },
  { "v1, prefix", "prefix=a%2F", "Key Prefix" },
  { "v1, prefix of none", "prefix=zzz", "Key Prefix" },
  { "v1, delimiter", "delimiter=%2F", "Key Prefix Delimiter IsTruncated NextMarker" },
  { "v1, delimiter and prefix", "delimiter=%2F&prefix=a%2F", "Key Prefix" },
  { "v1, delimiter and two a page", "delimiter=%2F&max-keys=2", "Key Prefix IsTruncated NextMarker" },
  { "v1, delimiter, after a prefix", "delimiter=%2F&marker=a%2F", "Key Prefix Marker" },
  { "v1, delimiter, after a key", "delimiter=%2F&marker=b", "Key Prefix" },
  { "v1, two a page", "max-keys=2", "Key IsTruncated NextMarker MaxKeys" },
  { "v1, the next page", "max-keys=2&marker=a%2F2", "Key IsTruncated NextMarker Marker" },
  { "v1, none a page", "max-keys=0", "Key IsTruncated MaxKeys" },
  { "v1, 5000 a page", "max-keys=5000", "Key IsTruncated MaxKeys" },
  { "v1, letters a page", "max-keys=x", "Key" },
  { "v1, fewer than none a page", "max-keys=-1", "Key" },
  { "v1, coded", "encoding-type=url", "Key EncodingType Marker" },
  { "v1, coded, with a delimiter", "encoding-type=url&delimiter=%2F&prefix=c%2F&marker=a%2F",
    "Key Prefix Marker Delimiter" },
  { "v1, coded, prefixes", "encoding-type=url&delimiter=%2F", "Key Prefix Delimiter" },
  { "v1, coded in another way", "encoding-type=rot13", "Key EncodingType" },
  { "v2", "list-type=2", "Name Prefix MaxKeys Key KeyCount IsTruncated Size Delimiter ID" },
  { "v2, with owners", "list-type=2&fetch-owner=true", "Key ID DisplayName" },
  { "v2, two a page", "list-type=2&max-keys=2", "Key KeyCount IsTruncated MaxKeys",
    { token = "NextContinuationToken" } },
  { "v2, the next page", "list-type=2&max-keys=2&continuation-token={token}", "Key KeyCount IsTruncated" },
  { "v2, after a key", "list-type=2&start-after=b", "Key StartAfter" },
  { "v2, delimiter, one a page", "list-type=2&delimiter=%2F&max-keys=1", "Key Prefix KeyCount IsTruncated",
    { token2 = "NextContinuationToken" } },
  { "v2, delimiter, the next page", "list-type=2&delimiter=%2F&max-keys=1&continuation-token={token2}",
    "Key Prefix KeyCount IsTruncated" },
  { "v2, delimiter", "list-type=2&delimiter=%2F", "Key Prefix KeyCount" },
  { "v2, coded", "list-type=2&encoding-type=url&prefix=c", "Key EncodingType Prefix" },
  { "v2, none a page", "list-type=2&max-keys=0", "Key KeyCount IsTruncated" },
} do
  entries[#entries + 1] = { "list: " .. each[1], "GET /list" .. (each[2] ~= "" and "?" .. each[2] or ""), nil,
    see = each[3], keep = each[4] }
end

return entries
