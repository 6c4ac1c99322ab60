/* A request from its preparation to its end. Owns the easy handle only while it runs, and a
 * reference to each stream. Never sends credentials over http to another machine. */
#include "io/http_inner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BIG_BODY = 1 << 20, BIG_BUFFER = 256 * 1024 };

/* --- the end --- */

static void let_go_of_streams(pgo_http *http) {
    if (http->from) {
        pgo_stream_on_data(http->from, NULL, NULL);
        if (!pgo_stream_ended(http->from, NULL))
            pgo_stream_close(http->from);
    }
    if (http->into)
        pgo_stream_on_room(http->into, NULL, NULL);
}

static void drop_easy(pgo_http *http) {
    double seconds = 0;
    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &http->status);
    curl_easy_getinfo(http->easy, CURLINFO_TOTAL_TIME, &seconds);
    http->seconds = seconds;
    pgo_http_multi_remove(http->multi, http);
    curl_easy_cleanup(http->easy);
    http->easy = NULL;
}

void pgo_http_abort(pgo_http *http) {
    if (http->easy)
        drop_easy(http);
    let_go_of_streams(http);
    pgo_op_complete(&http->op, http->op.err.code);
}

void pgo_http_finish(pgo_http *http, CURLcode code) {
    long os_error = 0;
    bool good = false;
    if (http->easy) {
        curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &os_error);
        drop_easy(http);
    }
    if (code != CURLE_OK || http->op.err.code) {
        if (!http->op.err.code)
            pgo_http_describe(http, code, os_error, &http->op.err);
        pgo_http_abort(http);
        return;
    }
    good = http->status >= 200 && http->status < 300;
    if (good && http->into && !pgo_stream_closed(http->into) && http->held.length > 0 &&
        !pgo_http_flush(http))
        return; /* pgo_http_on_room comes back here */
    let_go_of_streams(http);
    if (good && http->into)
        pgo_stream_end(http->into, NULL);
    pgo_op_complete(&http->op, 0);
}

/* --- the op --- */

static void start(pgo_op *op) {
    pgo_http *http = (pgo_http *)op;
    if (http->from)
        pgo_stream_on_data(http->from, pgo_http_on_data, http);
    if (http->into)
        pgo_stream_on_room(http->into, pgo_http_on_room, http);
    if (pgo_http_multi_add(http->multi, http) == CURLM_OK)
        return;
    curl_easy_cleanup(http->easy);
    http->easy = NULL;
    let_go_of_streams(http);
    pgo_op_fail(op, PGO_E_NOMEM, "%s: no memory for a request", http->origin.text);
}

static void cancel(pgo_op *op) {
    pgo_http *http = (pgo_http *)op;
    pgo_fail(&op->err, PGO_E_CANCELED, "the request to %s was cancelled", http->origin.text);
    pgo_http_abort(http);
}

static void wipe_lines(struct curl_slist *lines) {
    for (struct curl_slist *line = lines; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(lines);
}

static void release(pgo_op *op) {
    pgo_http *http = (pgo_http *)op;
    if (http->easy)
        curl_easy_cleanup(http->easy);
    http->easy = NULL;
    wipe_lines(http->lines);
    http->lines = NULL;
    pgo_stream_unref(http->from);
    pgo_stream_unref(http->into);
    http->from = http->into = NULL;
    pgo_buffer_wipe(&http->body);
    pgo_buffer_wipe(&http->headers);
    pgo_buffer_wipe(&http->held);
}

const pgo_op_type pgo_http_type = {"http.request", start, cancel, release};

void pgo_http_init(pgo_http *http, pgo_http_multi *multi) {
    memset(http, 0, sizeof *http);
    pgo_op_init(&http->op, &pgo_http_type, multi->loop);
    http->multi = multi;
}

/* --- preparation --- */

static bool is_token(const char *name) {
    for (const char *c = name; *c; c++) {
        if (*c <= ' ' || *c >= 127 || strchr("()<>@,;:\\\"/[]?={}", *c))
            return false;
    }
    return *name != 0;
}

static bool add_line(pgo_http *http, const char *line) {
    struct curl_slist *lines = curl_slist_append(http->lines, line);
    if (lines)
        http->lines = lines;
    return lines != NULL;
}

int pgo_http_add_header(pgo_http *http, const char *name, const char *value, size_t length,
                        bool credential, pgo_err *err) {
    if (!is_token(name))
        return pgo_fail(err, PGO_E_INVALID, "a header's name holds what cannot be in one");
    if (memchr(value, '\n', length) || memchr(value, '\r', length) || memchr(value, 0, length))
        return pgo_fail(err, PGO_E_INVALID, "the header %s holds a line break or a zero byte",
                        name);
    if (credential || strcasecmp(name, "authorization") == 0 || strcasecmp(name, "cookie") == 0)
        http->has_credentials = true;
    pgo_buffer line = {0};
    int failed = pgo_buffer_puts(&line, name);
    if (!failed) /* "Name;" is how libcurl sends an empty one: "Name:" would leave it out */
        failed = pgo_buffer_puts(&line, length > 0 ? ": " : ";");
    if (!failed)
        failed = pgo_buffer_append(&line, value, length);
    if (!failed && !add_line(http, line.data))
        failed = PGO_E_NOMEM;
    pgo_buffer_wipe(&line);
    return failed ? pgo_fail(err, failed, "no memory for a header") : 0;
}

static void set_method(pgo_http *http, const pgo_http_request *request) {
    CURL *easy = http->easy;
    const char *method = request->method;
    bool not_twice = strcmp(method, "POST") == 0 || strcmp(method, "PATCH") == 0;
    bool wants_body = not_twice || strcmp(method, "PUT") == 0;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    /* When a connection that was used before closes without an answer, libcurl (7.88) by itself
     * sends the request again, of any method; on a new connection it never does. The server may
     * have done the work: a database would be made twice. */
    if (not_twice)
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (!request->body && !request->length && !wants_body)
        return;
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)(request->body ? request->body_length : (int64_t)request->length));
    if (request->body || request->length > BIG_BODY)
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BIG_BUFFER);
}

static void set_callbacks(pgo_http *http) {
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, http);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, pgo_http_on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, http);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, pgo_http_on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, http);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pgo_http_on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, pgo_http_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, http);
}

static void set_limits(pgo_http *http, const pgo_http_request *request) {
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it, leaving during a DNS query waits for the resolver: 9.7 s when tried. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* an S3 key may hold "..", and is signed so */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(request->timeout * 1000));
    if (request->connect_timeout > 0)
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(request->connect_timeout * 1000));
    if (request->into)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BIG_BUFFER);
    if (request->http1)
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (request->compressed)
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    if (http->origin.loopback)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static void set_tls(pgo_http *http, const pgo_http_request *request) {
    CURL *easy = http->easy;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!request->ca_pem)
        return;
    struct curl_blob blob = {(void *)(uintptr_t)request->ca_pem, request->ca_pem_length,
                             CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static int check_credentials(const pgo_http *http, pgo_err *err) {
    bool any = http->has_credentials || http->origin.credentials;
    if (!any || http->origin.tls || http->origin.loopback)
        return 0;
    return pgo_fail(err, PGO_E_INVALID,
                    "credentials are not sent to %s: http would show them to "
                    "everyone on the way; use https",
                    http->origin.text);
}

int pgo_http_prepare(pgo_http *http, const pgo_http_request *request, pgo_err *err) {
    int failed = pgo_http_parse_origin(request->url, &http->origin, err);
    http->has_credentials = http->has_credentials || request->confidential;
    if (!failed)
        failed = check_credentials(http, err);
    if (failed)
        return failed;
    http->easy = curl_easy_init();
    if (!http->easy || !add_line(http, "Expect:")) /* or a server that ignores it costs a second */
        return pgo_fail(err, PGO_E_NOMEM, "no memory for a request");
    http->data = request->data;
    http->length = request->length;
    http->limit = request->limit;
    http->stall_timeout = request->stall_timeout;
    http->from_length = request->body_length;
    http->from = request->body ? pgo_stream_ref(request->body) : NULL;
    http->into = request->into ? pgo_stream_ref(request->into) : NULL;
    curl_easy_setopt(http->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(http->easy, CURLOPT_USERAGENT, "pgorch/" PGORCH_VERSION);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->lines);
    set_callbacks(http);
    set_method(http, request);
    set_limits(http, request);
    set_tls(http, request);
    return 0;
}
