/* What several connections read of one database, written as the data of an uncompressed archive, as
 * pg_dump -Fc -Z0 would write it: framed, and nothing else changed. Rows of one table may come in
 * streams side by side: each is taken whole, in no order. What stands around them (a block's
 * beginning and its end) is the caller's. Memory: none but the streams' own. */
#ifndef PGO_IO_ARCHIVE_ROWS_H
#define PGO_IO_ARCHIVE_ROWS_H

#include "core/op.h"
#include "core/stream.h"
#include "io/archive_piece.h"

/* Where rows go. It outlives the ops that write there. */
typedef struct pgo_archive_rows {
    pgo_stream *to;                           /* a reference, of 64 KiB or more */
    struct pgo_archive_rows_op *first, *last; /* at work, who is next to be served first */
    struct pgo_archive_rows_op *amid;         /* whose row has begun and is not whole */
    unsigned count;
    bool broken; /* a row in it will never be whole */
} pgo_archive_rows;

void pgo_archive_rows_init(pgo_archive_rows *rows, pgo_stream *to);
void pgo_archive_rows_free(pgo_archive_rows *rows);

/* Op: the rows of a COPY in text format, from a stream (a reference is taken) until its end, while
 * other such ops do the same. A row that is longer than the streams keeps the others waiting until
 * it is whole. A stream that ends with an error, and PGO_E_CLOSED by whoever reads, are the op's
 * error. An op that fails or is cancelled closes its stream. */
typedef struct pgo_archive_rows_op {
    pgo_op op;
    uint64_t bytes; /* without what frames them */
    /* inside */
    pgo_archive_rows *rows;
    pgo_stream *from;
    struct pgo_archive_rows_op *next;
} pgo_archive_rows_op;

void pgo_archive_rows_take(pgo_archive_rows_op *op, pgo_loop *loop, pgo_archive_rows *rows,
                           pgo_stream *from);

/* Op: large objects, of a COPY in binary format with the columns oid, place (int8) and bytes
 * (bytea), in this order, each object from place 0 on without a gap. Alone in `to`. */
typedef struct pgo_archive_objects {
    pgo_op op;
    uint64_t bytes;
    /* inside */
    pgo_stream *from, *to;
    enum { PGO_OBJECTS_HEADER, PGO_OBJECTS_ROW, PGO_OBJECTS_BYTES, PGO_OBJECTS_OVER } state;
    unsigned char fixed[32]; /* what is read of fixed length, `have` bytes of it */
    size_t have;
    char framing[16]; /* what goes out next, from `sent` on */
    size_t framed, sent;
    uint64_t left, at; /* bytes of this piece that are still to come; place in the object */
    uint32_t oid;      /* the object that is written; 0: none yet */
} pgo_archive_objects;

void pgo_archive_objects_take(pgo_archive_objects *op, pgo_loop *loop, pgo_stream *from,
                              pgo_stream *to);

/* A number as archives have it; the oid of a large object as if it had a sign. */
void pgo_archive_number(char number[static PGO_ARCHIVE_INT], uint32_t value);

#endif
