-- Streams: bounded queues of bytes between a producer and a consumer, outside Lua. See lua/meta/stream.lua.
return require "pgorch.native.stream"
