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
find_package(ZLIB ${PGORCH_ZLIB} REQUIRED)

# What has no CMake module of its own is found by pkg-config and given a target.
function(pgorch_pkg target package version)
  pkg_check_modules(${package} REQUIRED IMPORTED_TARGET GLOBAL ${package}>=${version})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${target} INTERFACE PkgConfig::${package} Threads::Threads)
endfunction()

pgorch_pkg(Libuv::Libuv libuv ${PGORCH_LIBUV})
pgorch_pkg(Lua54::Lua lua5.4 ${PGORCH_LUA})
pgorch_pkg(Jansson::Jansson jansson ${PGORCH_JANSSON})
pgorch_pkg(Libedit::Libedit libedit ${PGORCH_LIBEDIT})
pgorch_pkg(Microhttpd::Microhttpd libmicrohttpd ${PGORCH_MICROHTTPD})

# luacheck's parser, which is written in Lua itself: embedded for `pgorch lint`.
find_path(PGORCH_LUACHECK luacheck/parser.lua REQUIRED PATHS /usr/share/lua /usr/local/share/lua
          PATH_SUFFIXES 5.4 5.3 5.2 5.1)

# Faster compression than zlib's, where the machine has it: the archive is made with what there is.
add_library(Deflate::Engines INTERFACE IMPORTED GLOBAL)
target_link_libraries(Deflate::Engines INTERFACE ZLIB::ZLIB)
foreach(engine isal deflate)
  pkg_check_modules(lib${engine} IMPORTED_TARGET GLOBAL lib${engine})
  if(lib${engine}_FOUND)
    string(TOUPPER ${engine} name)
    target_link_libraries(Deflate::Engines INTERFACE PkgConfig::lib${engine})
    target_compile_definitions(Deflate::Engines INTERFACE PGO_HAVE_${name})
  endif()
endforeach()
