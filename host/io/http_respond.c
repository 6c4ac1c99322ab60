/* The answer to a request: from a block or a stream, whole or cut. The op owns the daemon's
 * response and its stream; the exchange calls read_answer through the daemon while both live. */
#include "io/http_exchange.h"

#include <string.h>

/* The daemon copies a streamed answer through a buffer of this size. */
enum { BLOCK = 128 * 1024 };

static void on_data(pgo_stream *stream, void *arg) {
    pgo_exchange *exchange = arg;
    (void)stream;
    if (exchange->wait == PGO_WAITS_FOR_DATA) {
        pgo_exchange_wake(exchange);
    }
}

static ssize_t read_answer(void *cls, uint64_t at, char *into, size_t room) {
    pgo_exchange *exchange = cls;
    pgo_respond *respond = exchange->respond;
    const pgo_err *err = NULL;
    size_t length = 0;
    (void)at;
    if (exchange->cut || !respond || !respond->stream || respond->left == 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    const char *data = pgo_stream_peek(respond->stream, &length);
    if (data && length) {
        length = length < room ? length : room;
        if (respond->left > 0 && length > (uint64_t)respond->left) {
            length = (size_t)respond->left;
        }
        memcpy(into, data, length);
        pgo_stream_consume(respond->stream, length);
        respond->bytes += length;
        if (respond->left > 0) {
            respond->left -= (int64_t)length;
        }
        return (ssize_t)length;
    }
    if (pgo_stream_ended(respond->stream, &err)) {
        return err ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    }
    pgo_exchange_sleep(exchange, PGO_WAITS_FOR_DATA);
    return 0;
}

static void start_respond(pgo_op *op) {
    pgo_respond *respond = (pgo_respond *)op;
    pgo_exchange *exchange = respond->exchange;
    if (exchange->answered) {
        pgo_op_fail(op, PGO_E_INVALID, "%s %s was answered before", exchange->method,
                    exchange->target);
        return;
    }
    exchange->answered = true;
    if (!exchange->connection) {
        if (respond->stream) {
            pgo_stream_close(respond->stream);
        }
        pgo_op_complete(op, 0);
        return;
    }
    exchange->respond = respond;
    pgo_exchange_end_body(exchange, "the request was answered before its body was read");
    if (respond->stream) {
        pgo_stream_on_data(respond->stream, on_data, exchange);
    }
    if (respond->drop) {
        pgo_exchange_cut(exchange);
    } else if (exchange->wait != PGO_AWAKE) {
        pgo_exchange_wake(exchange);
    }
}

static void cancel_respond(pgo_op *op) {
    pgo_exchange_cut(((pgo_respond *)op)->exchange);
}

static void release_respond(pgo_op *op) {
    pgo_respond *respond = (pgo_respond *)op;
    if (respond->response) {
        MHD_destroy_response(respond->response);
    }
    pgo_stream_unref(respond->stream);
    pgo_exchange_unref(respond->exchange);
    respond->response = NULL;
    respond->stream = NULL;
    respond->exchange = NULL;
}

static const pgo_op_type respond_type = {"http.respond", start_respond, cancel_respond,
                                         release_respond};

/* A cut needs the reader, and the reader reads streams: the block becomes one. */
static pgo_stream *stream_of(pgo_loop *loop, const pgo_reply *reply) {
    pgo_stream *stream = pgo_stream_new(loop, reply->size + 1);
    if (stream && pgo_stream_write(stream, reply->data, reply->size) == reply->size) {
        pgo_stream_end(stream, NULL);
        return stream;
    }
    pgo_stream_unref(stream);
    return NULL;
}

static struct MHD_Response *response_of(pgo_respond *respond, const pgo_reply *reply) {
    void *data = (void *)(uintptr_t)(reply->data != NULL ? reply->data : "");
    uint64_t length = reply->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)reply->length;
    if (reply->data != NULL) {
        length = reply->size;
    }
    if (respond->stream == NULL && (reply->data != NULL || reply->length < 0)) {
        return MHD_create_response_from_buffer(reply->size, data, MHD_RESPMEM_MUST_COPY);
    }
    return MHD_create_response_from_callback(length, BLOCK, read_answer, respond->exchange, NULL);
}

static int refuse(const pgo_exchange *exchange, const pgo_reply *reply, pgo_err *err) {
    if (reply->status < 200 || reply->status > 599) {
        return pgo_fail(err, PGO_E_INVALID, "%u is not the status of an answer", reply->status);
    }
    if (reply->stream != NULL && reply->stream == exchange->body) {
        return pgo_fail(err, PGO_E_INVALID,
                        "a request's body cannot be its own answer: read it first");
    }
    if (reply->length >= 0 && reply->data == NULL && reply->stream == NULL &&
        strcmp(exchange->method, "HEAD") != 0) {
        return pgo_fail(err, PGO_E_INVALID, "a length without a body is an answer to HEAD only");
    }
    return 0;
}

int pgo_respond_init(pgo_respond *respond, pgo_loop *loop, pgo_exchange *exchange,
                     const pgo_reply *reply, pgo_err *err) {
    pgo_op_init(&respond->op, &respond_type, loop);
    respond->exchange = exchange;
    exchange->refs++;
    respond->status = reply->status;
    respond->drop = reply->drop;
    respond->left = reply->cut_after;
    if (refuse(exchange, reply, err) < 0) {
        return PGO_E_INVALID;
    }
    if (reply->stream) {
        respond->stream = pgo_stream_ref(reply->stream);
    } else if (reply->data && reply->cut_after >= 0) {
        respond->stream = stream_of(loop, reply);
    }
    respond->response = response_of(respond, reply);
    if (!respond->response || (reply->data && reply->cut_after >= 0 && !respond->stream)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    return 0;
}

int pgo_respond_header(pgo_respond *respond, const char *name, const char *value, pgo_err *err) {
    if (MHD_add_response_header(respond->response, name, value) == MHD_YES) {
        return 0;
    }
    return pgo_fail(err, PGO_E_INVALID, "the header %s cannot be sent", name);
}
