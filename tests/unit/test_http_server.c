/* The HTTP server against a bare socket: what must hold when a client is slow, leaves, or is never
 * answered, and when the server closes over it. */
#include "support.h"

#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note_done(pgo_op *op, void *arg) {
    (void)op;
    *(bool *)arg = true;
}

static void finish(pgo_loop *loop, pgo_op *op) {
    bool done = false;
    pgo_op_start(op, note_done, &done);
    pgo_loop_run_until(loop, &done);
    assert_true(done);
}

static void turns(pgo_loop *loop, int count) {
    for (int i = 0; i < count; i++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        usleep(500);
    }
}

static pgo_http_server *open_server(pgo_loop *loop) {
    pgo_http_server *server = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_http_server_open(&server, loop, "127.0.0.1", 0, NULL, NULL, &err), 0);
    return server;
}

static void close_server(pgo_loop *loop, pgo_http_server *server) {
    pgo_http_close op = {0};
    pgo_http_close_init(&op, loop, server);
    finish(loop, &op.op);
    pgo_op_release(&op.op);
    assert_true(pgo_http_server_closed(server));
    pgo_http_server_free(server);
}

/* A connected client that has sent `text`. */
static int client(const pgo_http_server *server, const char *text) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(pgo_http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static pgo_exchange *accept_one(pgo_loop *loop, pgo_http_server *server) {
    pgo_http_accept op = {0};
    pgo_http_accept_init(&op, loop, server);
    finish(loop, &op.op);
    pgo_exchange *exchange = op.exchange;
    op.exchange = NULL;
    pgo_op_release(&op.op);
    assert_non_null(exchange);
    return exchange;
}

static void the_target_and_the_headers_come_as_they_were_sent(void **state) {
    pgo_loop *loop = *state;
    pgo_http_server *server = open_server(loop);
    int fd =
        client(server, "GET /a%20b%2Fc?q=%41+ HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one: 2\r\n\r\n");
    pgo_exchange *exchange = accept_one(loop, server);
    const char *value = NULL;
    assert_string_equal(pgo_exchange_method(exchange), "GET");
    assert_string_equal(pgo_exchange_target(exchange), "/a%20b%2Fc?q=%41+");
    assert_string_equal(pgo_exchange_header(exchange, 1, &value), "X-One");
    assert_string_equal(value, "1");
    assert_string_equal(pgo_exchange_header(exchange, 2, &value), "x-one");
    assert_null(pgo_exchange_header(exchange, 3, &value));
    pgo_exchange_unref(exchange);
    close(fd);
    close_server(loop, server);
}

static void closing_over_a_sleeping_connection_ends_it(void **state) {
    pgo_loop *loop = *state;
    pgo_http_server *server = open_server(loop);
    char text[64];
    int accepted = client(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    pgo_exchange *exchange = accept_one(loop, server);
    int waiting = client(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    turns(loop, 5);
    close_server(loop, server);
    assert_true(pgo_exchange_over(exchange));
    assert_int_equal(read(accepted, text, sizeof text), 0);
    assert_int_equal(read(waiting, text, sizeof text), 0);
    pgo_reply reply = {.status = 200, .data = "x", .size = 1, .length = -1, .cut_after = -1};
    pgo_respond late = {0};
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_respond_init(&late, loop, exchange, &reply, &err), 0);
    finish(loop, &late.op);
    assert_int_equal(late.op.status, 0);
    assert_false(late.sent);
    pgo_op_release(&late.op);
    pgo_exchange_unref(exchange);
    close(accepted);
    close(waiting);
}

static void an_exchange_that_is_let_go_is_cut(void **state) {
    pgo_loop *loop = *state;
    pgo_http_server *server = open_server(loop);
    char text[64];
    int fd = client(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    pgo_exchange_unref(accept_one(loop, server));
    turns(loop, 5);
    assert_int_equal(read(fd, text, sizeof text), 0);
    close(fd);
    close_server(loop, server);
}

static void
an_upload_that_nobody_reads_is_held_back_and_fails_when_the_client_leaves(void **state) {
    pgo_loop *loop = *state;
    pgo_http_server *server = open_server(loop);
    static char block[64 * 1024];
    size_t sent = 0, got = 0, length;
    int idle = 0,
        fd = client(server, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n");
    pgo_exchange *exchange = accept_one(loop, server);
    pgo_stream *body = pgo_exchange_body(exchange);
    while (idle < 20) {
        ssize_t n = write(fd, block, sizeof block);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turns(loop, 1);
    }
    assert_true(sent < 64u << 20); /* the sockets' own buffers, no more */
    assert_true(pgo_stream_total(body) <= PGO_STREAM_CAPACITY);
    close(fd);
    const pgo_err *err = NULL;
    for (int i = 0; i < 2000 && !pgo_stream_ended(body, &err); i++) {
        while (pgo_stream_peek(body, &length) != NULL) {
            pgo_stream_consume(body, length);
            got += length;
        }
        turns(loop, 1);
    }
    assert_true(got <= sent);
    assert_non_null(err);
    assert_int_equal(err->code, PGO_E_NET);
    assert_true(pgo_exchange_over(exchange));
    pgo_exchange_unref(exchange);
    close_server(loop, server);
}

static void only_loopback_is_listened_on(void **state) {
    pgo_loop *loop = *state;
    const char *refused[] = {"0.0.0.0", "10.1.2.3", "::", "example.org", ""};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        pgo_http_server *server = NULL;
        pgo_err err = PGO_ERR_INIT;
        assert_int_equal(pgo_http_server_open(&server, loop, refused[i], 0, NULL, NULL, &err),
                         PGO_E_INVALID);
        pgo_err_clear(&err);
    }
    pgo_http_server *first = open_server(loop), *second = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_http_server_open(&second, loop, "127.0.0.1", pgo_http_server_port(first),
                                          NULL, NULL, &err),
                     PGO_E_NET);
    pgo_err_clear(&err);
    close_server(loop, first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_target_and_the_headers_come_as_they_were_sent,
                                        setup_loop, teardown_loop),
        cmocka_unit_test_setup_teardown(closing_over_a_sleeping_connection_ends_it, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(an_exchange_that_is_let_go_is_cut, setup_loop,
                                        teardown_loop),
        cmocka_unit_test_setup_teardown(
            an_upload_that_nobody_reads_is_held_back_and_fails_when_the_client_leaves, setup_loop,
            teardown_loop),
        cmocka_unit_test_setup_teardown(only_loopback_is_listened_on, setup_loop, teardown_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
