/* Reads the data of an uncompressed custom archive, which is what follows its head, into pieces.
 * Every row is a chunk of its own there, millions of them: each costs a look at five bytes and a
 * copy. Never trusts what it reads: PGO_E_ARCHIVE names the place in the file. */
#ifndef PGO_IO_ARCHIVE_BLOCKS_H
#define PGO_IO_ARCHIVE_BLOCKS_H

#include "io/archive_head.h"
#include "io/archive_piece.h"

#define PGO_ARCHIVE_CHUNK_MOST ((size_t)1 << 30) /* no row is longer */

typedef struct pgo_archive_blocks {
    pgo_archive_head *head;   /* borrowed; complete */
    pgo_archive_piece *piece; /* borrowed: what is being filled; NULL: the caller gives one */
    bool full;                /* the piece can take no more: the caller takes it away */
    uint64_t position;        /* in the file */
    uint64_t count;           /* blocks that have begun */
    /* inside */
    enum { PGO_AT_TYPE, PGO_AT_ID, PGO_AT_OID, PGO_AT_LENGTH, PGO_IN_CHUNK } state;
    bool objects; /* in a block of large objects */
    bool in_run;  /* the run has begun in an earlier piece */
    char type;
    unsigned char number[PGO_ARCHIVE_INT]; /* the one that is being read */
    size_t have;                           /* bytes of it */
    size_t left;                           /* bytes of the chunk that are still to come */
    size_t next;                           /* the entry whose block should come next */
    struct pgo_archive_step *run;          /* the step that takes bytes now, in `piece`; or NULL */
} pgo_archive_blocks;

void pgo_archive_blocks_init(pgo_archive_blocks *blocks, pgo_archive_head *head);
/* Takes bytes until there are none, or the piece is full. */
int pgo_archive_blocks_feed(pgo_archive_blocks *blocks, const char *data, size_t length,
                            size_t *taken, pgo_err *err) PGO_MUSTCHECK;
/* The file has ended: may it? */
int pgo_archive_blocks_end(const pgo_archive_blocks *blocks, pgo_err *err) PGO_MUSTCHECK;

#endif
