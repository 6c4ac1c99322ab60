-- JSON. Keys are written sorted, so equal values give equal text. A null in an object is an absent field when
-- read, and json.null in an array; write json.null where the other side wants to see null.
--
--   json.encode(value, {pretty = true}?)       raises PGO-JSON on a secret, NaN, infinity; names the field
--   json.encode_secret(value)                  the same with secrets written: the text is then a secret itself
--   json.decode(text, {secrets = {"password", "url"}, nulls = true}?)
--                                              fields so named, at any depth, are secrets ("*": every text)
--   json.array(table?)                         encodes as [] even when empty; {} is an object
--   json.null
return require "pgorch.native.json"
