/* libdeflate's pieces, made joinable. It has no flush: what it makes is a whole stream, whose last
 * block bears the mark of the end. The piece is read again by zlib, block by block, to find that
 * block; its mark is cleared, and an empty stored block, which ends at a byte's border, goes behind
 * it. Reading it again also proves that the piece is what went in. */
#ifdef PGO_HAVE_DEFLATE
#include "io/archive_deflate_engine.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RAW = -15, AT_BORDER = 128, IN_LAST = 64, UNUSED_BITS = 7 };

struct unpack {
    z_stream z;
    pgo_buffer text;
};

/* Where the last block begins, and where it ends, in bits from the piece's beginning. */
struct last_block {
    size_t begin, end;
};

static struct unpack *open_unpack(pgo_deflate *deflate, size_t length, pgo_err *err) {
    struct unpack *unpack = deflate->unpack;
    if (unpack == NULL) {
        deflate->unpack = unpack = calloc(1, sizeof *unpack);
        if (unpack == NULL || inflateInit2(&unpack->z, RAW) != Z_OK) {
            free(unpack);
            deflate->unpack = unpack = NULL;
        }
    }
    if (unpack == NULL || inflateReset(&unpack->z) != Z_OK ||
        pgo_buffer_reserve(&unpack->text, length + 1) < 0) {
        pgo_fail(err, PGO_E_NOMEM, "reading a piece of an archive again");
        return NULL;
    }
    return unpack;
}

static int find_last_block(struct unpack *unpack, const char *piece, size_t size, const char *data,
                           size_t length, struct last_block *found, pgo_err *err) {
    z_stream *z = &unpack->z;
    z->next_in = (Bytef *)(uintptr_t)piece;
    z->avail_in = (uInt)size;
    z->next_out = (Bytef *)unpack->text.data;
    z->avail_out = (uInt)length + 1;
    *found = (struct last_block){0, 0};
    while (found->end == 0) {
        int status = inflate(z, Z_BLOCK);
        if (status != Z_OK || !(z->data_type & AT_BORDER)) {
            return pgo_fail(err, PGO_E_BUG, "a piece of libdeflate's cannot be read again (%d)",
                            status);
        }
        size_t bits = 8 * (size_t)z->total_in - (size_t)(z->data_type & UNUSED_BITS);
        *(z->data_type & IN_LAST ? &found->end : &found->begin) = bits;
    }
    bool same = z->total_out == length && memcmp(unpack->text.data, data, length) == 0;
    return same ? 0 : pgo_fail(err, PGO_E_BUG, "a piece of libdeflate's is not what went in");
}

/* The three bits of a stored block's header are zeros, like those that fill up the last byte. */
static void open_end(char *piece, size_t size, const struct last_block *last, pgo_buffer *out) {
    static const char empty[] = {0, 0, 0, (char)0xff, (char)0xff};
    piece[last->begin / 8] &= (char)~(1 << last->begin % 8);
    bool fits = 8 * size - last->end >= 3;
    memcpy(piece + size, empty + (fits ? 1 : 0), fits ? 4 : 5);
    out->length += size + (fits ? 4 : 5);
}

int pgo_deflate_libdeflate(pgo_deflate *deflate, int level, const char *data, size_t length,
                           bool last, pgo_buffer *out, pgo_err *err) {
    void **compressor = &deflate->libdeflate[level];
    if (*compressor == NULL) {
        *compressor = libdeflate_alloc_compressor(level);
    }
    size_t room = libdeflate_deflate_compress_bound(*compressor, length) + 8;
    if (*compressor == NULL || pgo_buffer_reserve(out, room) < 0) {
        return pgo_fail(err, PGO_E_NOMEM, "libdeflate at level %d", level);
    }
    char *piece = out->data + out->length;
    size_t size = libdeflate_deflate_compress(*compressor, data, length, piece, room - 8);
    if (size == 0) {
        return pgo_fail(err, PGO_E_BUG, "libdeflate finds its own bound too small");
    }
    if (last) {
        out->length += size;
        return 0;
    }
    struct unpack *unpack = open_unpack(deflate, length, err);
    struct last_block found;
    int status = unpack != NULL ? find_last_block(unpack, piece, size, data, length, &found, err)
                                : PGO_E_NOMEM;
    if (status == 0) {
        open_end(piece, size, &found, out);
    }
    return status;
}

void pgo_deflate_libdeflate_free(pgo_deflate *deflate) {
    struct unpack *unpack = deflate->unpack;
    if (unpack != NULL) {
        inflateEnd(&unpack->z);
        pgo_buffer_free(&unpack->text);
        free(unpack);
    }
    for (int level = 0; level < PGO_DEFLATE_LEVELS; level++) {
        if (deflate->libdeflate[level] != NULL) {
            libdeflate_free_compressor(deflate->libdeflate[level]);
        }
    }
}
#else
typedef int pgo_no_libdeflate; /* a file has to hold something */
#endif
