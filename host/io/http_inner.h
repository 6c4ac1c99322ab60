/* What the files of the HTTP client share. */
#ifndef PGO_IO_HTTP_INNER_H
#define PGO_IO_HTTP_INNER_H

#include "io/http.h"

#include <curl/curl.h>

struct pgo_http_multi {
    pgo_loop *loop;
    CURLM *curl;
    uv_timer_t timer; /* libcurl's own */
    uv_timer_t tick;  /* looks for stalled requests */
    pgo_http *running;
    int closing; /* handles whose close callback is still to come */
};

/* Adds a prepared request; its end comes through pgo_http_finish. */
CURLMcode pgo_http_multi_add(pgo_http_multi *multi, pgo_http *http);
void pgo_http_multi_remove(pgo_http_multi *multi, pgo_http *http);

/* The transfer is over. Never from inside a libcurl callback. */
void pgo_http_finish(pgo_http *http, CURLcode code);
/* Ends it with an error that is in op.err already. */
void pgo_http_abort(pgo_http *http);

/* libcurl's callbacks, in http_body.c. */
size_t pgo_http_on_read(char *into, size_t size, size_t count, void *http);
int pgo_http_on_seek(void *http, curl_off_t offset, int origin);
size_t pgo_http_on_write(char *data, size_t size, size_t count, void *http);
size_t pgo_http_on_header(char *data, size_t size, size_t count, void *http);
/* The stream's callbacks. */
void pgo_http_on_data(pgo_stream *stream, void *http);
void pgo_http_on_room(pgo_stream *stream, void *http);
/* Moves what was held into the stream; true once nothing is held. */
bool pgo_http_flush(pgo_http *http);

/* Fills *err from libcurl's code. */
void pgo_http_describe(const pgo_http *http, CURLcode code, long os_error, pgo_err *err);

#endif
