# Embeds what is in lua/pgorch (Lua, SQL, CSS, JS, templates), recipes/*.lua and luacheck's parser into the binary: an
# assembler file with the bytes (.incbin) and a C file with the table that host/lua/host.h declares (pgo_resource).
file(GLOB_RECURSE embedded RELATIVE ${PROJECT_SOURCE_DIR}/lua CONFIGURE_DEPENDS lua/pgorch/*.lua lua/pgorch/*.sql
  lua/pgorch/*.css lua/pgorch/*.js
  lua/pgorch/new/*.md)                 # what `pgorch new` writes
file(GLOB recipes RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS recipes/*.lua)
set(entries)
foreach(path IN LISTS embedded)
  list(APPEND entries "${path}|${PROJECT_SOURCE_DIR}/lua/${path}")
endforeach()
foreach(path IN LISTS recipes)
  list(APPEND entries "${path}|${PROJECT_SOURCE_DIR}/${path}")
endforeach()
foreach(module utils unicode unicode_printability_boundaries decoder lexer parser check_state stages/parse
        stages/unwrap_parens stages/linearize stages/resolve_locals stages/detect_globals)
  list(APPEND entries "luacheck/${module}.lua|${PGORCH_LUACHECK}/luacheck/${module}.lua")
endforeach()
list(SORT entries)

set(assembler "#if defined(__linux__)\n.section .note.GNU-stack,\"\",%progbits\n#endif\n.section .rodata\n")
set(declarations "")
set(rows "")
set(files "")
set(index 0)
foreach(entry IN LISTS entries)
  string(REPLACE "|" ";" entry "${entry}")
  list(GET entry 0 path)
  list(GET entry 1 file)
  list(APPEND files ${file})
  string(APPEND assembler ".global pgo_file_${index}\n.global pgo_file_${index}_end\npgo_file_${index}:\n.incbin \"${file}\"\npgo_file_${index}_end:\n.byte 0\n")
  string(APPEND declarations "extern const char pgo_file_${index}[], pgo_file_${index}_end[];\n")
  string(APPEND rows "    {\"${path}\", pgo_file_${index}, pgo_file_${index}_end},\n")
  math(EXPR index "${index} + 1")
endforeach()

set(c_source "/* Made by cmake/embed.cmake. */
#include \"lua/host.h\"

#include <string.h>

${declarations}
static const struct {
    const char *path, *begin, *end;
} files[] = {
${rows}};

enum { COUNT = sizeof files / sizeof files[0] };

const char *pgo_resource(const char *path, size_t *length) {
    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(files[i].path, path) == 0) {
            *length = (size_t)(files[i].end - files[i].begin);
            return files[i].begin;
        }
    }
    return NULL;
}

const char *pgo_resource_path(size_t index) {
    return index < COUNT ? files[index].path : NULL;
}
")

enable_language(ASM)
set(dir ${PROJECT_BINARY_DIR}/embedded)
file(CONFIGURE OUTPUT ${dir}/files.S CONTENT "${assembler}" @ONLY)
file(CONFIGURE OUTPUT ${dir}/files.c CONTENT "${c_source}" @ONLY)
set_source_files_properties(${dir}/files.S PROPERTIES OBJECT_DEPENDS "${files}")
set(PGORCH_EMBEDDED ${dir}/files.S ${dir}/files.c)
