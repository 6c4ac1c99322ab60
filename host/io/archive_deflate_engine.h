/* Inside archive_deflate only: an engine as the others see it. */
#ifndef PGO_IO_ARCHIVE_DEFLATE_ENGINE_H
#define PGO_IO_ARCHIVE_DEFLATE_ENGINE_H

#include "io/archive_deflate.h"

/* Levels lie below this; each engine keeps its memory in a place of its own. */
#define PGO_DEFLATE_LEVELS 13

struct pgo_deflate {
    void *zlib, *isal, *unpack; /* unpack: what reads libdeflate's pieces again */
    int zlib_level;
    void *libdeflate[PGO_DEFLATE_LEVELS];
};

typedef int pgo_deflate_fn(pgo_deflate *deflate, int level, const char *data, size_t length,
                           bool last, pgo_buffer *out, pgo_err *err);

pgo_deflate_fn pgo_deflate_isal, pgo_deflate_libdeflate;
void pgo_deflate_isal_free(pgo_deflate *deflate);
void pgo_deflate_libdeflate_free(pgo_deflate *deflate);

#endif
