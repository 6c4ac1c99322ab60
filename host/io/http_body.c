/* The bytes of a request and of its answer, and the pauses when a stream is empty or full. A paused
 * transfer goes on from the stream's callback, which comes from the ready queue: never from inside
 * a callback of libcurl. */
#include "io/http_inner.h"

#include <stdlib.h>
#include <string.h>

/* --- what we send --- */

/* Fails the transfer with the reason in op.err. */
static size_t refuse(pgo_http *http, int code, const char *what) {
    pgo_fail(&http->op.err, code, "%s: %s", http->origin.text, what);
    return CURL_READFUNC_ABORT;
}

static size_t at_end_of_stream(pgo_http *http, const pgo_err *failed) {
    if (failed) {
        pgo_err_copy(&http->op.err, failed);
        return CURL_READFUNC_ABORT;
    }
    if (http->from_length >= 0 && http->sent < (uint64_t)http->from_length)
        return refuse(http, PGO_E_INVALID, "the body ended before the length that was announced");
    return 0;
}

static size_t read_stream(pgo_http *http, char *into, size_t room) {
    const pgo_err *failed = NULL;
    size_t total = 0, length;
    const char *data;
    if (http->from_length >= 0 && room > (uint64_t)http->from_length - http->sent)
        room = (size_t)((uint64_t)http->from_length - http->sent);
    while (total < room && (data = pgo_stream_peek(http->from, &length)) != NULL) {
        length = length < room - total ? length : room - total;
        memcpy(into + total, data, length);
        pgo_stream_consume(http->from, length);
        total += length;
    }
    http->sent += total;
    if (total > 0 || room == 0)
        return total;
    if (pgo_stream_ended(http->from, &failed))
        return at_end_of_stream(http, failed);
    http->send_paused = true;
    return CURL_READFUNC_PAUSE;
}

size_t pgo_http_on_read(char *into, size_t size, size_t count, void *arg) {
    pgo_http *http = arg;
    size_t room = size * count;
    if (http->from)
        return read_stream(http, into, room);
    size_t length = http->length - http->at < room ? http->length - http->at : room;
    if (length > 0)
        memcpy(into, http->data + http->at, length);
    http->at += length;
    http->sent += length;
    return length;
}

/* libcurl rewinds to send a request again on a fresh connection when a kept one turns out dead. */
int pgo_http_on_seek(void *arg, curl_off_t offset, int origin) {
    pgo_http *http = arg;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    if (http->from)
        return (uint64_t)offset == http->sent ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
    if ((size_t)offset > http->length)
        return CURL_SEEKFUNC_FAIL;
    http->at = (size_t)offset;
    http->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* --- what we get --- */

bool pgo_http_flush(pgo_http *http) {
    size_t written = pgo_stream_write(http->into, http->held.data, http->held.length);
    memmove(http->held.data, http->held.data + written, http->held.length - written);
    http->held.length -= written;
    return http->held.length == 0;
}

/* Either all of a chunk is taken or it comes again; what the stream has no room for is held. */
static size_t write_stream(pgo_http *http, const char *data, size_t length) {
    if (pgo_stream_closed(http->into)) {
        refuse(http, PGO_E_CLOSED, "whoever reads the answer has closed it");
        return 0;
    }
    if (http->held.length > 0 && !pgo_http_flush(http)) {
        http->receive_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    size_t written = pgo_stream_write(http->into, data, length);
    if (pgo_buffer_append(&http->held, data + written, length - written))
        return 0;
    http->delivered = true;
    return length;
}

static size_t write_memory(pgo_http *http, const char *data, size_t length) {
    bool good = http->status >= 200 && http->status < 300;
    size_t limit = good ? http->limit : PGO_HTTP_ERROR_BODY;
    size_t room = limit > http->body.length ? limit - http->body.length : 0;
    if (good && length > room) {
        pgo_fail(&http->op.err, PGO_E_LIMIT, "%s: the answer has more than %zu bytes",
                 http->origin.text, limit);
        return 0;
    }
    size_t taken = length < room ? length : room;
    return pgo_buffer_append(&http->body, data, taken) ? 0 : length;
}

size_t pgo_http_on_write(char *data, size_t size, size_t count, void *arg) {
    pgo_http *http = arg;
    size_t length = size * count, taken;
    curl_easy_getinfo((CURL *)http->easy, CURLINFO_RESPONSE_CODE, &http->status);
    if (http->into && http->status >= 200 && http->status < 300)
        taken = write_stream(http, data, length);
    else
        taken = write_memory(http, data, length);
    if (taken == length)
        http->received += length;
    return taken;
}

/* --- headers --- */

static int keep_header(pgo_buffer *out, const char *line, const char *colon, const char *end) {
    const char *value = colon + 1;
    size_t at = out->length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    if (pgo_buffer_append(out, line, (size_t)(colon - line)) || pgo_buffer_append(out, "", 1))
        return -1;
    for (; at < out->length; at++) {
        if (out->data[at] >= 'A' && out->data[at] <= 'Z')
            out->data[at] = (char)(out->data[at] - 'A' + 'a');
    }
    return pgo_buffer_append(out, value, (size_t)(end - value)) || pgo_buffer_append(out, "", 1)
               ? -1
               : 0;
}

size_t pgo_http_on_header(char *data, size_t size, size_t count, void *arg) {
    pgo_http *http = arg;
    size_t length = size * count;
    const char *end = data + length;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        pgo_buffer_clear(&http->headers); /* what came before was a "100 Continue" */
        return length;
    }
    while (end > data && strchr("\r\n\t ", end[-1]))
        end--;
    const char *colon = memchr(data, ':', (size_t)(end - data));
    if (colon && !memchr(data, 0, length) && keep_header(&http->headers, data, colon, end))
        return 0;
    return length;
}

const char *pgo_http_next_header(const pgo_http *http, size_t *at, const char **value) {
    if (*at >= http->headers.length)
        return NULL;
    const char *name = http->headers.data + *at;
    *value = name + strlen(name) + 1;
    *at = (size_t)(*value + strlen(*value) + 1 - http->headers.data);
    return name;
}

/* --- going on --- */

static void go_on(pgo_http *http) {
    int still =
        (http->send_paused ? CURLPAUSE_SEND : 0) | (http->receive_paused ? CURLPAUSE_RECV : 0);
    CURLcode code = curl_easy_pause(http->easy, still);
    if (code != CURLE_OK)
        pgo_http_finish(http, code);
}

void pgo_http_on_data(pgo_stream *stream, void *arg) {
    pgo_http *http = arg;
    (void)stream;
    if (!http->easy || !http->send_paused)
        return;
    http->send_paused = false;
    go_on(http);
}

void pgo_http_on_room(pgo_stream *stream, void *arg) {
    pgo_http *http = arg;
    if (!http->easy) { /* all has come; only the rest is still to be handed on */
        if (pgo_stream_closed(stream) || pgo_http_flush(http))
            pgo_http_finish(http, CURLE_OK);
        return;
    }
    if (!http->receive_paused)
        return;
    if (pgo_stream_closed(stream)) {
        refuse(http, PGO_E_CLOSED, "whoever reads the answer has closed it");
        pgo_http_abort(http);
    } else if (pgo_http_flush(http)) {
        http->receive_paused = false;
        go_on(http);
    }
}
