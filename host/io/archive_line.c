/* The line: pieces that are filled, pressed on the crew, and go out in the order in which they
 * came. */
#include "io/archive_line.h"

#include <stdlib.h>
#include <time.h>

/* More would need much memory on many cores, for a speed that no pg_dump has. */
enum { MOST_PIECES = 40 };

static unsigned task_count(const pgo_archive *archive) {
    unsigned wanted = 2 * archive->plan.threads + 4;
    return wanted < MOST_PIECES ? wanted : MOST_PIECES;
}

/* --- on a thread of the crew --- */

static pgo_deflate *borrow_engine(pgo_archive *archive) {
    uv_mutex_lock(&archive->mutex);
    pgo_deflate *engine = archive->idle > 0 ? archive->engines[--archive->idle] : NULL;
    uv_mutex_unlock(&archive->mutex);
    return engine != NULL ? engine : pgo_deflate_new();
}

static void give_engine_back(pgo_archive *archive, pgo_deflate *engine) {
    uv_mutex_lock(&archive->mutex);
    archive->engines[archive->idle++] = engine;
    uv_mutex_unlock(&archive->mutex);
}

/* Its own time: others on the machine do not make a piece dearer. */
static uint64_t thread_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void press(pgo_work *work) {
    struct pgo_archive_task *task = work->arg;
    const struct pgo_archive_choice *choice = &task->archive->plan.choices[task->choice];
    uint64_t began = thread_time();
    pgo_deflate *engine = borrow_engine(task->archive);
    if (engine == NULL) {
        task->status = pgo_fail(&task->piece.err, PGO_E_NOMEM, "a compressor");
        return;
    }
    task->status = pgo_archive_piece_press(&task->piece, engine, choice->engine, choice->level);
    give_engine_back(task->archive, engine);
    task->took = thread_time() - began;
}

/* --- on the loop --- */

void pgo_archive_line_look(pgo_archive *archive) {
    bool full = archive->spare == NULL && archive->filling == NULL && archive->pressing == 0;
    pgo_archive_pace_look(&archive->pace, full && pgo_stream_room(archive->to) == 0,
                          archive->plan.threads, uv_hrtime());
}

/* More speed would be of no use: whoever carries the archive away says so, or half of the line
 * waits for room. */
static bool is_ahead(const pgo_archive *archive) {
    if (archive->plan.ahead != NULL && *archive->plan.ahead) {
        return true;
    }
    return archive->finished >= task_count(archive) / 2 && pgo_stream_room(archive->to) == 0;
}

static void pressed(pgo_work *work);

static void employ_crew(pgo_archive *archive) {
    struct pgo_archive_task *task;
    while ((task = archive->unpressed) != NULL && archive->pressing < archive->plan.at_once) {
        archive->unpressed = task->next;
        archive->pressing++;
        task->choice = pgo_archive_pace_choose(&archive->pace, is_ahead(archive));
        archive->counts.pieces[archive->plan.choices[task->choice].engine]++;
        task->work = (pgo_work){.work = press, .done = pressed, .arg = task};
        pgo_crew_submit(archive->crew, &task->work);
    }
}

static void pressed(pgo_work *work) {
    struct pgo_archive_task *task = work->arg;
    pgo_archive *archive = task->archive;
    archive->pressing--;
    archive->finished++;
    task->finished = true;
    if (task->status < 0 && !archive->failing) {
        pgo_err_move(&archive->op.err, &task->piece.err);
        archive->op.err.code = task->status;
    }
    if (task->status < 0 || archive->failing) {
        pgo_archive_fail(archive);
        return;
    }
    pgo_archive_pace_learn(&archive->pace, task->choice, task->took);
    employ_crew(archive);
    pgo_archive_turn(archive);
}

bool pgo_archive_line_fill(pgo_archive *archive) {
    if (archive->filling == NULL && archive->spare != NULL) {
        archive->filling = archive->spare;
        archive->spare = archive->spare->next;
        archive->blocks.piece = &archive->filling->piece;
    }
    return archive->filling != NULL;
}

void pgo_archive_line_submit(pgo_archive *archive) {
    struct pgo_archive_task *task = archive->filling;
    archive->filling = NULL;
    archive->blocks.piece = NULL;
    archive->blocks.full = false;
    task->next = NULL;
    task->finished = task->joined = false;
    *(archive->first != NULL ? &archive->last->next : &archive->first) = task;
    archive->last = task;
    if (archive->unpressed == NULL) {
        archive->unpressed = task;
    }
    employ_crew(archive);
}

void pgo_archive_line_recycle(pgo_archive *archive) {
    struct pgo_archive_task *task = archive->first;
    archive->first = task->next;
    archive->finished--;
    archive->piece_sent = 0;
    pgo_archive_piece_clear(&task->piece);
    task->next = archive->spare;
    archive->spare = task;
}

static int add_task(pgo_archive *archive, struct pgo_archive_task *task, pgo_err *err) {
    *task = (struct pgo_archive_task){.archive = archive, .next = archive->spare};
    archive->spare = task;
    return pgo_archive_piece_init(&task->piece, err);
}

int pgo_archive_line_open(pgo_archive *archive, pgo_err *err) {
    unsigned count = task_count(archive);
    archive->tasks = calloc(count, sizeof *archive->tasks);
    archive->engines = calloc(count, sizeof(pgo_deflate *));
    if (archive->tasks == NULL || archive->engines == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "the pieces of an archive");
    }
    int status = 0;
    for (unsigned i = 0; status == 0 && i < count; i++) {
        status = add_task(archive, &archive->tasks[i], err);
    }
    return status;
}

void pgo_archive_line_close(pgo_archive *archive) {
    for (unsigned i = 0; archive->tasks != NULL && i < task_count(archive); i++) {
        pgo_archive_piece_free(&archive->tasks[i].piece);
    }
    while (archive->idle > 0) {
        pgo_deflate_free(archive->engines[--archive->idle]);
    }
    free(archive->engines);
    free(archive->tasks);
    archive->engines = NULL;
    archive->tasks = NULL;
}
