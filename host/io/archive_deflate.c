/* The engines by name, and zlib's, which is always there. ISA-L's and libdeflate's have a file
 * each. */
#include "io/archive_deflate_engine.h"

#include <stdlib.h>
#include <zlib.h>

#ifdef PGO_HAVE_DEFLATE
#include <libdeflate.h>
#endif

enum { RAW = -15, MEMORY = 8 /* zlib's default, and so pg_dump's */ };

/* Ready for a piece; NULL: out of memory. */
static z_stream *open_zlib(pgo_deflate *memory, int level) {
    z_stream *z = memory->zlib;
    if (z != NULL && memory->zlib_level == level) {
        return deflateReset(z) == Z_OK ? z : NULL;
    }
    if (z != NULL) {
        deflateEnd(z);
        free(z);
    }
    memory->zlib = z = calloc(1, sizeof *z);
    memory->zlib_level = level;
    if (z != NULL && deflateInit2(z, level, Z_DEFLATED, RAW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        memory->zlib = z = NULL;
    }
    return z;
}

static int deflate_zlib(pgo_deflate *memory, int level, const char *data, size_t length, bool last,
                        pgo_buffer *out, pgo_err *err) {
    int status;
    z_stream *z = open_zlib(memory, level);
    if (z == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "zlib at level %d", level);
    }
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)length;
    do { /* once, unless the bound should be wrong */
        size_t room = deflateBound(z, z->avail_in) + 64;
        if (pgo_buffer_reserve(out, room) < 0) {
            return pgo_fail(err, PGO_E_NOMEM, "compressing a piece of an archive");
        }
        z->next_out = (Bytef *)out->data + out->length;
        z->avail_out = (uInt)room;
        status = deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH);
        out->length += room - z->avail_out;
    } while (z->avail_out == 0 && status != Z_STREAM_END);
    return status == (last ? Z_STREAM_END : Z_OK)
               ? 0
               : pgo_fail(err, PGO_E_BUG, "zlib ended with %d", status);
}

static const struct {
    const char *name;
    int lowest, highest; /* 0, 0: not in this build */
    pgo_deflate_fn *piece;
} engines[PGO_DEFLATE_ENGINES] = {
    [PGO_DEFLATE_ZLIB] = {"zlib", 1, 9, deflate_zlib},
#ifdef PGO_HAVE_ISAL
    /* Its level 0 makes random data larger than it was. */
    [PGO_DEFLATE_ISAL] = {"isal", 1, 3, pgo_deflate_isal},
#else
    [PGO_DEFLATE_ISAL] = {"isal", 0, 0, NULL},
#endif
#ifdef PGO_HAVE_DEFLATE
    [PGO_DEFLATE_LIBDEFLATE] = {"deflate", 1, 12, pgo_deflate_libdeflate},
#else
    [PGO_DEFLATE_LIBDEFLATE] = {"deflate", 0, 0, NULL},
#endif
};

const char *pgo_deflate_name(enum pgo_deflate_engine engine) {
    return engines[engine].name;
}

bool pgo_deflate_has(enum pgo_deflate_engine engine, int *lowest, int *highest) {
    *lowest = engines[engine].lowest;
    *highest = engines[engine].highest;
    return engines[engine].piece != NULL;
}

int pgo_deflate_piece(pgo_deflate *memory, enum pgo_deflate_engine engine, int level,
                      const char *data, size_t length, bool last, pgo_buffer *out, pgo_err *err) {
    return engines[engine].piece(memory, level, data, length, last, out, err);
}

pgo_deflate *pgo_deflate_new(void) {
    return calloc(1, sizeof(pgo_deflate));
}

void pgo_deflate_free(pgo_deflate *memory) {
    if (memory == NULL) {
        return;
    }
    if (memory->zlib != NULL) {
        deflateEnd(memory->zlib);
        free(memory->zlib);
    }
#ifdef PGO_HAVE_ISAL
    pgo_deflate_isal_free(memory);
#endif
#ifdef PGO_HAVE_DEFLATE
    pgo_deflate_libdeflate_free(memory);
#endif
    free(memory);
}

uint32_t pgo_deflate_adler(const char *data, size_t length) {
#ifdef PGO_HAVE_DEFLATE
    return libdeflate_adler32(1, data, length); /* ten times zlib's speed */
#else
    return (uint32_t)adler32_z(1, (const Bytef *)data, length);
#endif
}
