/* ISA-L's deflate in pieces: a sync flush ends each, so nothing has to be mended. */
#ifdef PGO_HAVE_ISAL
#include "io/archive_deflate_engine.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

/* What the highest level needs; the lower ones take it too. */
enum { WORKSPACE = ISAL_DEF_LVL3_LARGE, MARGIN = 512 };

struct memory {
    struct isal_zstream stream;
    uint8_t workspace[WORKSPACE];
};

static struct isal_zstream *begin(pgo_deflate *deflate, int level, pgo_err *err) {
    struct memory *memory = deflate->isal;
    if (memory == NULL) {
        deflate->isal = memory = malloc(sizeof *memory);
    }
    if (memory == NULL) {
        pgo_fail(err, PGO_E_NOMEM, "ISA-L at level %d", level);
        return NULL;
    }
    isal_deflate_init(&memory->stream);
    memory->stream.level = (uint32_t)level;
    memory->stream.level_buf = memory->workspace;
    memory->stream.level_buf_size = WORKSPACE;
    return &memory->stream;
}

int pgo_deflate_isal(pgo_deflate *deflate, int level, const char *data, size_t length, bool last,
                     pgo_buffer *out, pgo_err *err) {
    struct isal_zstream *z = begin(deflate, level, err);
    if (z == NULL) {
        return PGO_E_NOMEM;
    }
    z->next_in = (uint8_t *)(uintptr_t)data;
    z->avail_in = (uint32_t)length;
    z->flush = last ? NO_FLUSH : SYNC_FLUSH;
    z->end_of_stream = last;
    do {
        size_t room = z->avail_in + z->avail_in / 16 + MARGIN;
        if (pgo_buffer_reserve(out, room) < 0) {
            return pgo_fail(err, PGO_E_NOMEM, "compressing a piece of an archive");
        }
        z->next_out = (uint8_t *)out->data + out->length;
        z->avail_out = (uint32_t)room;
        int status = isal_deflate(z);
        if (status != COMP_OK) {
            return pgo_fail(err, PGO_E_BUG, "ISA-L ended with %d", status);
        }
        out->length += room - z->avail_out;
    } while (z->avail_out == 0);
    return 0;
}

void pgo_deflate_isal_free(pgo_deflate *deflate) {
    free(deflate->isal);
}
#else
typedef int pgo_no_isal; /* a file has to hold something */
#endif
