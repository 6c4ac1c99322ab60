/* A piece of an archive's data: up to PGO_ARCHIVE_PIECE bytes of rows, and the steps that say what
 * they are. One thread of the crew makes of it the bytes of the new archive, framing included. A
 * long table is in many pieces, many small tables are in one. Only a run (of a table's rows, or of
 * a large object's bytes) that goes across pieces leaves something to whoever puts them in order:
 * its checksum. */
#ifndef PGO_IO_ARCHIVE_PIECE_H
#define PGO_IO_ARCHIVE_PIECE_H

#include "io/archive_deflate.h"

#ifndef PGO_ARCHIVE_PIECE /* tests/fuzz has smaller ones, which are full soon */
#define PGO_ARCHIVE_PIECE ((size_t)512 * 1024)
#define PGO_ARCHIVE_STEPS 4096 /* at most so many in a piece */
#endif
#define PGO_ARCHIVE_INT 5 /* bytes of a number in an archive */

enum pgo_archive_step_kind {
    PGO_ARCHIVE_BLOCK,  /* a block begins: type and id */
    PGO_ARCHIVE_OBJECT, /* in a block of large objects, one begins: its oid */
    PGO_ARCHIVE_RUN,    /* the next `length` bytes */
    PGO_ARCHIVE_END     /* a block of large objects ends */
};

struct pgo_archive_step {
    enum pgo_archive_step_kind kind;
    bool first, last; /* RUN: whether it begins and ends here */
    char type;
    char number[PGO_ARCHIVE_INT]; /* as it stands in the file */
    size_t entry;                 /* BLOCK: its index in the table of contents */
    size_t length;                /* RUN */
    size_t at;                    /* BLOCK: where it begins in `out`, once pressed */
};

typedef struct pgo_archive_piece {
    char *raw; /* owned, PGO_ARCHIVE_PIECE bytes */
    size_t length;
    struct pgo_archive_step *steps; /* owned, PGO_ARCHIVE_STEPS */
    size_t count;
    /* what pressing gives */
    pgo_buffer out;
    bool goes_on, closes, opens; /* a run comes in from before; it ends here; one goes out */
    uint32_t before, open; /* checksums of its part in here: of that which comes in; goes out */
    size_t length_before;  /* of the part of that which comes in */
    size_t adler_at;       /* closes: where in `out` the whole run's checksum belongs */
    pgo_err err;
} pgo_archive_piece;

int pgo_archive_piece_init(pgo_archive_piece *piece, pgo_err *err) PGO_MUSTCHECK;
void pgo_archive_piece_clear(pgo_archive_piece *piece); /* empty again, its memory kept */
void pgo_archive_piece_free(pgo_archive_piece *piece);

/* On any thread. Fills what pressing gives; 0, or an error's code with piece->err. */
int pgo_archive_piece_press(pgo_archive_piece *piece, pgo_deflate *deflate,
                            enum pgo_deflate_engine engine, int level) PGO_MUSTCHECK;
/* When everything before it is known: takes the checksum of the run that comes in, leaves that of
 * the run that goes out, and writes it where it belongs. */
void pgo_archive_piece_join(pgo_archive_piece *piece, uint32_t *run);

#endif
