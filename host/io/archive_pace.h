/* What engine "auto" goes by. While the output is full, the line of pieces full and every piece
 * pressed, the crew stands still: that time is saved, as crew time, up to 3 s. A piece is pressed
 * small when what was saved pays for what that takes beyond the quick way, and smaller when much
 * was saved. So a quick way out gets quick pieces, a slow one all the smallness that fits into its
 * waiting, and one in between a mixture; whether the reader takes little by little or now and then
 * a lot makes no difference. Times are nanoseconds. */
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
/* How to press the next piece. Spends what that costs. */
int pgo_archive_pace_choose(pgo_archive_pace *pace);
/* What a piece has taken of a thread's time. */
void pgo_archive_pace_learn(pgo_archive_pace *pace, int choice, uint64_t took);

#endif
