/* Saving the crew's idle time, and spending it on smaller pieces. */
#include "io/archive_pace.h"

enum { SMOOTH = 8 };

/* Before one has been pressed: libdeflate's 512 KiB on a slow machine. */
static const int64_t GUESS = INT64_C(30000000);

void pgo_archive_pace_look(pgo_archive_pace *pace, bool stands, unsigned threads, uint64_t now) {
    if (pace->stands) {
        pace->saved += (int64_t)((now - pace->since) * threads);
        pace->saved = pace->saved < PGO_ARCHIVE_SAVED_MOST ? pace->saved : PGO_ARCHIVE_SAVED_MOST;
    }
    pace->stands = stands;
    pace->since = now;
}

static int64_t extra(const pgo_archive_pace *pace, int choice) {
    int64_t cost = pace->cost[choice] > 0 ? pace->cost[choice] : GUESS;
    int64_t more = cost - pace->cost[PGO_ARCHIVE_QUICK];
    return more > 0 ? more : 0;
}

int pgo_archive_pace_choose(pgo_archive_pace *pace, bool waits) {
    int choice = pace->saved > PGO_ARCHIVE_SAVED_MOST / 2 ? PGO_ARCHIVE_SMALLER : PGO_ARCHIVE_SMALL;
    int64_t price = extra(pace, choice);
    if (pace->saved > price) {
        pace->saved -= price;
        return choice;
    }
    return waits ? PGO_ARCHIVE_SMALL : PGO_ARCHIVE_QUICK;
}

void pgo_archive_pace_learn(pgo_archive_pace *pace, int choice, uint64_t took) {
    int64_t *cost = &pace->cost[choice];
    *cost = *cost > 0 ? *cost + ((int64_t)took - *cost) / SMOOTH : (int64_t)took;
}
