/* A queue of work, N threads that take from it, and an async handle that brings results back. */
#include "core/crew.h"

#include <stdlib.h>

struct queue {
    pgo_work *head, *tail;
};

struct pgo_crew {
    pgo_loop *loop;
    uv_async_t wake; /* referenced by the loop only while work is out */
    uv_mutex_t mutex;
    uv_cond_t ready;
    struct queue todo, finished;
    bool stopping;
    unsigned out; /* submitted and not yet handed back; loop's thread only */
    unsigned count;
    uv_thread_t *threads;
};

static void put(struct queue *queue, pgo_work *work) {
    work->next = NULL;
    if (queue->tail != NULL) {
        queue->tail->next = work;
    } else {
        queue->head = work;
    }
    queue->tail = work;
}

static pgo_work *take(struct queue *queue) {
    pgo_work *work = queue->head;
    if (work != NULL) {
        queue->head = work->next;
        if (queue->head == NULL) {
            queue->tail = NULL;
        }
    }
    return work;
}

static void crew_thread(void *arg) {
    pgo_crew *crew = arg;
    uv_mutex_lock(&crew->mutex);
    for (;;) {
        pgo_work *work = take(&crew->todo);
        if (work != NULL) {
            uv_mutex_unlock(&crew->mutex);
            work->work(work);
            uv_mutex_lock(&crew->mutex);
            put(&crew->finished, work);
            uv_async_send(&crew->wake);
        } else if (crew->stopping) {
            break;
        } else {
            uv_cond_wait(&crew->ready, &crew->mutex);
        }
    }
    uv_mutex_unlock(&crew->mutex);
}

static void hand_back(uv_async_t *wake) {
    pgo_crew *crew = wake->data;
    for (;;) {
        uv_mutex_lock(&crew->mutex);
        pgo_work *work = take(&crew->finished);
        uv_mutex_unlock(&crew->mutex);
        if (work == NULL) {
            return;
        }
        if (--crew->out == 0) {
            uv_unref((uv_handle_t *)&crew->wake);
        }
        work->done(work);
    }
}

static void closed(uv_handle_t *handle) {
    pgo_crew *crew = handle->data;
    uv_cond_destroy(&crew->ready);
    uv_mutex_destroy(&crew->mutex);
    free(crew->threads);
    free(crew);
}

int pgo_crew_new(pgo_crew **out, pgo_loop *loop, unsigned threads, pgo_err *err) {
    unsigned wanted = threads > 0 ? threads : uv_available_parallelism();
    pgo_crew *crew = calloc(1, sizeof *crew);
    uv_thread_t *ids = calloc(wanted, sizeof *ids);
    if (crew == NULL || ids == NULL) {
        free(crew);
        free(ids);
        return pgo_fail(err, PGO_E_NOMEM, "worker threads");
    }
    crew->loop = loop;
    crew->threads = ids;
    uv_mutex_init(&crew->mutex);
    uv_cond_init(&crew->ready);
    uv_async_init(&loop->uv, &crew->wake, hand_back);
    crew->wake.data = crew;
    uv_unref((uv_handle_t *)&crew->wake);
    for (; crew->count < wanted; crew->count++) {
        int rc = uv_thread_create(&crew->threads[crew->count], crew_thread, crew);
        if (rc < 0) {
            pgo_crew_free(crew);
            return pgo_fail_uv(err, PGO_E_NOMEM, rc, "a worker thread");
        }
    }
    *out = crew;
    return 0;
}

void pgo_crew_submit(pgo_crew *crew, pgo_work *work) {
    if (crew->out++ == 0) {
        uv_ref((uv_handle_t *)&crew->wake);
    }
    uv_mutex_lock(&crew->mutex);
    put(&crew->todo, work);
    uv_cond_signal(&crew->ready);
    uv_mutex_unlock(&crew->mutex);
}

void pgo_crew_free(pgo_crew *crew) {
    if (crew == NULL) {
        return;
    }
    uv_mutex_lock(&crew->mutex);
    crew->stopping = true;
    uv_cond_broadcast(&crew->ready);
    uv_mutex_unlock(&crew->mutex);
    for (unsigned i = 0; i < crew->count; i++) {
        uv_thread_join(&crew->threads[i]);
    }
    uv_close((uv_handle_t *)&crew->wake, closed);
}
