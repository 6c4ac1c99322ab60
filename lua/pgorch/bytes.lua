-- Blocks of memory outside Lua: parts of an upload, cut by stream:take. #b, b:digests{...}, b:string(), b:free().
return require "pgorch.native.bytes"
