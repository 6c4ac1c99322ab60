/* One piece of data to deflate's bytes, by any of three engines: zlib, ISA-L (least CPU) and
 * libdeflate (small at little CPU). A piece stands alone: it refers to nothing before it, and ends
 * at a byte's border, so that pieces made on different threads make one stream when put behind each
 * other. A pgo_deflate holds the engines' memory; one thread at a time uses it. */
#ifndef PGO_IO_ARCHIVE_DEFLATE_H
#define PGO_IO_ARCHIVE_DEFLATE_H

#include "core/buffer.h"

#include <stdint.h>

enum pgo_deflate_engine {
    PGO_DEFLATE_ZLIB,
    PGO_DEFLATE_ISAL,
    PGO_DEFLATE_LIBDEFLATE,
    PGO_DEFLATE_ENGINES
};

typedef struct pgo_deflate pgo_deflate;

/* "zlib", "isal", "deflate". */
const char *pgo_deflate_name(enum pgo_deflate_engine engine);
/* Whether this build has the engine, and the levels that it takes. */
bool pgo_deflate_has(enum pgo_deflate_engine engine, int *lowest, int *highest);

pgo_deflate *pgo_deflate_new(void); /* NULL: out of memory. The engines' own is had at first use */
void pgo_deflate_free(pgo_deflate *deflate);

/* Appends the piece to `out`. The stream's last piece carries deflate's mark of the end, and may be
 * empty. */
int pgo_deflate_piece(pgo_deflate *deflate, enum pgo_deflate_engine engine, int level,
                      const char *data, size_t length, bool last, pgo_buffer *out,
                      pgo_err *err) PGO_MUSTCHECK;

/* The checksum at the end of a zlib stream, of one piece; zlib's adler32_combine joins them. */
uint32_t pgo_deflate_adler(const char *data, size_t length);

#endif
