# Every library that pgorch uses, by its package (vendor/README.md says why each). Nothing is bundled.
list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/vendor)
include(vendor/versions.cmake)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(PostgreSQL ${PGORCH_LIBPQ} REQUIRED)
find_package(CURL ${PGORCH_CURL} REQUIRED)
find_package(OpenSSL ${PGORCH_OPENSSL} REQUIRED)
find_package(SQLite3 ${PGORCH_SQLITE} REQUIRED)
find_package(EXPAT ${PGORCH_EXPAT} REQUIRED)

# What has no CMake module of its own is found by pkg-config and given a target.
function(pgorch_pkg target package version)
  pkg_check_modules(${package} REQUIRED IMPORTED_TARGET GLOBAL ${package}>=${version})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${target} INTERFACE PkgConfig::${package} Threads::Threads)
endfunction()

pgorch_pkg(Libuv::Libuv libuv ${PGORCH_LIBUV})
pgorch_pkg(Lua54::Lua lua5.4 ${PGORCH_LUA})
pgorch_pkg(Jansson::Jansson jansson ${PGORCH_JANSSON})
pgorch_pkg(Microhttpd::Microhttpd libmicrohttpd ${PGORCH_MICROHTTPD})
