/* libcurl's multi handle on the loop: its sockets are polls, its timeout is a timer. A second timer
 * looks for requests that have stalled, because libcurl counts an upload that waits for its source
 * as stalled, too. Owns the connections; knows nothing of what a request carries. */
#include "io/http_inner.h"

#include <stdlib.h>

enum { TICK_MS = 500 };

typedef struct watched {
    uv_poll_t poll;
    pgo_http_multi *multi;
    curl_socket_t fd;
} watched;

/* Requests that have ended are finished only here, outside of all libcurl callbacks. */
static void collect(pgo_http_multi *multi) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left))) {
        pgo_http *http = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &http);
        pgo_http_finish(http, code); /* invalidates the message */
    }
}

static void on_timer(uv_timer_t *timer) {
    pgo_http_multi *multi = timer->data;
    int running;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(multi);
}

static int set_timer(CURLM *curl, long ms, void *arg) {
    pgo_http_multi *multi = arg;
    (void)curl;
    if (ms < 0)
        uv_timer_stop(&multi->timer);
    else /* never 0: libuv would call it again in the same pass, and never look at a socket */
        uv_timer_start(&multi->timer, on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    watched *socket = poll->data;
    pgo_http_multi *multi = socket->multi;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(multi->curl, socket->fd, flags, &running);
    collect(multi);
}

static void free_watched(uv_handle_t *handle) {
    free(handle->data);
}

static watched *watch(pgo_http_multi *multi, curl_socket_t fd) {
    watched *socket = calloc(1, sizeof *socket);
    if (!socket)
        return NULL;
    if (uv_poll_init_socket(&multi->loop->uv, &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }
    socket->poll.data = socket;
    socket->multi = multi;
    socket->fd = fd;
    curl_multi_assign(multi->curl, fd, socket);
    return socket;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *slot) {
    pgo_http_multi *multi = arg;
    watched *socket = slot;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket) {
            uv_close((uv_handle_t *)&socket->poll, free_watched);
            curl_multi_assign(multi->curl, fd, NULL);
        }
        return 0;
    }
    if (!socket)
        socket = watch(multi, fd);
    if (!socket)
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&socket->poll, events, on_poll) == 0 ? 0 : -1;
}

/* Waiting for our own side (a paused body) is no stall. */
static bool is_stalled(pgo_http *http, uint64_t now) {
    uint64_t moved = http->sent + http->received + http->headers.length;
    if (moved != http->moved || http->send_paused || http->receive_paused) {
        http->moved = moved;
        http->moved_at = now;
    }
    return http->stall_timeout > 0 && (double)(now - http->moved_at) / 1000 > http->stall_timeout;
}

static void on_tick(uv_timer_t *timer) {
    pgo_http_multi *multi = timer->data;
    uint64_t now = uv_now(&multi->loop->uv);
    for (pgo_http *http = multi->running, *next; http; http = next) {
        next = http->next;
        if (!is_stalled(http, now))
            continue;
        pgo_fail(&http->op.err, PGO_E_TIMEOUT, "%s: nothing moved for %g s", http->origin.text,
                 http->stall_timeout);
        http->op.err.retryable = true;
        pgo_http_abort(http);
    }
}

CURLMcode pgo_http_multi_add(pgo_http_multi *multi, pgo_http *http) {
    CURLMcode code = curl_multi_add_handle(multi->curl, http->easy);
    if (code != CURLM_OK)
        return code;
    http->moved_at = uv_now(&multi->loop->uv);
    http->next = multi->running;
    if (http->next)
        http->next->previous = http;
    else
        uv_timer_start(&multi->tick, on_tick, TICK_MS, TICK_MS);
    multi->running = http;
    return CURLM_OK;
}

void pgo_http_multi_remove(pgo_http_multi *multi, pgo_http *http) {
    curl_multi_remove_handle(multi->curl, http->easy);
    if (http->previous)
        http->previous->next = http->next;
    else
        multi->running = http->next;
    if (http->next)
        http->next->previous = http->previous;
    http->next = http->previous = NULL;
    if (!multi->running)
        uv_timer_stop(&multi->tick);
}

int pgo_http_multi_new(pgo_http_multi **out, pgo_loop *loop, pgo_err *err) {
    pgo_http_multi *multi = calloc(1, sizeof *multi);
    if (!multi)
        return pgo_fail(err, PGO_E_NOMEM, "the HTTP client");
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi->curl = code == CURLE_OK ? curl_multi_init() : NULL;
    if (!multi->curl) {
        free(multi);
        return pgo_fail(err, PGO_E_NOMEM, "the HTTP client");
    }
    multi->loop = loop;
    uv_timer_init(&loop->uv, &multi->timer);
    uv_timer_init(&loop->uv, &multi->tick);
    multi->timer.data = multi->tick.data = multi;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    *out = multi;
    return 0;
}

static void on_closed(uv_handle_t *handle) {
    pgo_http_multi *multi = handle->data;
    if (--multi->closing == 0)
        free(multi);
}

void pgo_http_multi_free(pgo_http_multi *multi) {
    if (!multi)
        return;
    curl_multi_cleanup(multi->curl); /* gives its sockets back through set_socket */
    multi->closing = 2;
    uv_close((uv_handle_t *)&multi->timer, on_closed);
    uv_close((uv_handle_t *)&multi->tick, on_closed);
    curl_global_cleanup();
}
