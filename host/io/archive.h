/* Makes of an uncompressed custom-format archive (pg_dump -Fc -Z0) the compressed one, while it
 * streams through: pieces of 512 KiB are pressed on the crew's threads and put into their order
 * again. Memory: 2 * threads + 4 pieces of 512 KiB, at most 40, what they became, and the head;
 * 14 MiB on two cores. Engine "auto" follows the speed of the way out, piece by piece
 * (archive_pace.h). */
#ifndef PGO_IO_ARCHIVE_H
#define PGO_IO_ARCHIVE_H

#include "core/crew.h"
#include "core/op.h"
#include "core/stream.h"
#include "io/archive_blocks.h"
#include "io/archive_pace.h"

struct pgo_archive_choice {
    enum pgo_deflate_engine engine;
    int level;
};

typedef struct pgo_archive_plan {
    struct pgo_archive_choice choices[PGO_ARCHIVE_CHOICES]; /* all the same unless "auto" */
    unsigned threads;                                       /* by which memory goes */
    unsigned at_once;                                       /* pieces that the crew has at once */
    const bool *ahead; /* not owned, may be NULL: whether enough waits behind the output, too */
} pgo_archive_plan;

/* engine NULL: "auto". level 0: the engine's usual one. threads 0: one for each core. PGO_E_INVALID
 * for what this build has not. */
int pgo_archive_plan_init(pgo_archive_plan *plan, const char *engine, int level, unsigned threads,
                          pgo_err *err) PGO_MUSTCHECK;

struct pgo_archive_counts {
    uint64_t bytes, raw, blocks;
    uint64_t pieces[PGO_DEFLATE_ENGINES];
};

struct pgo_archive_task;

typedef struct pgo_archive {
    pgo_op op;
    struct pgo_archive_counts counts;
    /* inside */
    pgo_archive_plan plan;
    pgo_crew *crew;
    pgo_stream *from, *to;
    pgo_archive_head *head;
    pgo_archive_blocks blocks;
    bool keep_end, failing;
    size_t head_sent;
    struct pgo_archive_task *tasks, *spare;          /* all, owned; those that are free */
    struct pgo_archive_task *first, *last, *filling; /* the line; the one that is filled */
    struct pgo_archive_task *unpressed; /* in the line, the first that the crew has not had */
    pgo_archive_pace pace;
    unsigned pressing, finished; /* on the crew; done, and in the line */
    size_t piece_sent;           /* of the first one */
    uint32_t run;                /* checksum of the run that goes on from one piece to the next */
    uv_mutex_t mutex;            /* guards `engines` */
    pgo_deflate **engines;       /* those not in use now */
    unsigned idle;
} pgo_archive;

/* Op: reads `from` to its end and ends `to`, well (unless keep_end) or with the error. `head` is an
 * empty one of the caller's that outlives the op: complete, and as the output has it, before the
 * first byte is written to `to`; with the places of the data in it afterwards. */
int pgo_archive_init(pgo_archive *archive, pgo_loop *loop, pgo_crew *crew,
                     const pgo_archive_plan *plan, pgo_archive_head *head, pgo_stream *from,
                     pgo_stream *to, bool keep_end, pgo_err *err) PGO_MUSTCHECK;

#endif
