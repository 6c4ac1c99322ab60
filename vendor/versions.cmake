# The oldest version of each library that pgorch is built and tested with: Debian 12's.
set(PGORCH_LUA 5.4.4) # 5.4.5 is refused in host/lua/state.c
set(PGORCH_LIBUV 1.44)
set(PGORCH_LIBPQ 15)
set(PGORCH_CURL 7.88)
set(PGORCH_OPENSSL 3.0)
set(PGORCH_SQLITE 3.40)
set(PGORCH_EXPAT 2.5)
set(PGORCH_JANSSON 2.14)
set(PGORCH_MICROHTTPD 0.9.75)
set(PGORCH_LIBEDIT 3.1)
set(PGORCH_ZLIB 1.2.13)
