/* The crew: N threads for work that would hold the loop (hashing, compression). The uv pool is kept
 * for DNS and files, so that neither waits for the other. */
#ifndef PGO_CORE_CREW_H
#define PGO_CORE_CREW_H

#include "core/loop.h"

typedef struct pgo_crew pgo_crew;
typedef struct pgo_work pgo_work;

struct pgo_work {
    pgo_work *next;
    void (*work)(pgo_work *work); /* on a crew thread; touches nothing but what the work owns */
    void (*done)(pgo_work *work); /* on the loop's thread */
    void *arg;
};

/* threads 0: as many as the machine has cores. */
int pgo_crew_new(pgo_crew **crew, pgo_loop *loop, unsigned threads, pgo_err *err) PGO_MUSTCHECK;
/* Queues it; `work` stays valid until done. Work cannot be cancelled: keep each piece short. */
void pgo_crew_submit(pgo_crew *crew, pgo_work *work);
/* Nothing may be queued or running. Joins the threads and closes its handle (needs one more run of
 * the loop). */
void pgo_crew_free(pgo_crew *crew);

#endif
