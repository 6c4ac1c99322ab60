/* What engine "auto" goes by. A piece is pressed small when half of the line waits, finished,
 * before a full output, or when the reader says that it has enough for a while: more speed would be
 * of no use. A reader that takes a lot now and then (a
 * part of an upload) empties the line in between, so time is saved up as well: while the output is
 * full, the line full and every piece pressed, the crew stands still, and that pays, up to 3 s of
 * crew time, for what small pieces take beyond quick ones; while much is saved they are made
 * smaller still. A quick way out so gets quick pieces, a slow one small ones, and one in between a
 * mixture. Times are nanoseconds. */
#ifndef PGO_IO_ARCHIVE_PACE_H
#define PGO_IO_ARCHIVE_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PGO_ARCHIVE_QUICK, PGO_ARCHIVE_SMALL, PGO_ARCHIVE_SMALLER, PGO_ARCHIVE_CHOICES };

#define PGO_ARCHIVE_SAVED_MOST INT64_C(3000000000)

typedef struct pgo_archive_pace {
    bool stands;
    uint64_t since; /* when it came to stand */
    int64_t saved;
    int64_t cost[PGO_ARCHIVE_CHOICES]; /* of a piece, smoothed; 0: not known yet */
} pgo_archive_pace;

/* At each look: whether the crew's `threads` stand still because of the output. */
void pgo_archive_pace_look(pgo_archive_pace *pace, bool stands, unsigned threads, uint64_t now);
/* How to press the next piece; `waits`: more speed is of no use. Spends what that costs. */
int pgo_archive_pace_choose(pgo_archive_pace *pace, bool waits);
/* What a piece has taken of a thread's time. */
void pgo_archive_pace_learn(pgo_archive_pace *pace, int choice, uint64_t took);

#endif
