/* The store on a server that answers as a test wants it: a connection that ends in the middle of a
 * batch, a COMMIT without an answer, a server that may not be used. What must hold: a batch that
 * may be there is never done again, one that surely is not is, and no message has the password. */
#include "io/store.h"

#include "support.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the server does at the n-th COMMIT, and at the n-th statement of a batch. */
typedef enum act { ANSWER, HANG_UP, REFUSE } act;

typedef struct server {
    int listener;
    pthread_t thread;
    act at_commit[4], at_statement[4];
    const char *fate; /* of a transaction that is asked for; NULL: NULL */
    const char *encoding, *version, *standby;
    atomic_int commits, statements, asked;
} server;

typedef struct fixture {
    pgo_loop loop;
    pgo_store *store;
    server server;
    char url[160];
} fixture;

/* --- the protocol --- */

static bool read_all(int fd, void *data, size_t length) {
    char *at = data;
    while (length > 0) {
        ssize_t got = recv(fd, at, length, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        length -= (size_t)got;
    }
    return true;
}

static void put(int fd, char type, const void *body, size_t length) {
    unsigned char head[5] = {(unsigned char)type};
    uint32_t size = htonl((uint32_t)length + 4);
    memcpy(head + 1, &size, 4);
    if (send(fd, head, 5, MSG_NOSIGNAL) == 5) {
        (void)!send(fd, body, length, MSG_NOSIGNAL);
    }
}

static void parameter(int fd, const char *name, const char *value) {
    char body[128];
    size_t first = strlen(name) + 1, second = strlen(value) + 1;
    memcpy(body, name, first);
    memcpy(body + first, value, second);
    put(fd, 'S', body, first + second);
}

static void complete(int fd, const char *tag) {
    put(fd, 'C', tag, strlen(tag) + 1);
}

static void ready(int fd) {
    put(fd, 'Z', "T", 1);
}

/* One row with one text column. */
static void row(int fd, const char *value) {
    static const char description[] = "\0\1v\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0";
    put(fd, 'T', description, sizeof description);
    char body[64] = {0, 1};
    uint32_t length = htonl(value ? (uint32_t)strlen(value) : UINT32_MAX);
    memcpy(body + 2, &length, 4);
    memcpy(body + 6, value ? value : "", value ? strlen(value) : 0);
    put(fd, 'D', body, 6 + (value ? strlen(value) : 0));
    complete(fd, "SELECT 1");
}

static void refuse(int fd) {
    static const char body[] = "SERROR\0VERROR\0C40001\0Mtwo at once\0";
    put(fd, 'E', body, sizeof body);
}

/* False: the connection ends here. */
static bool act_as(int fd, act what, const char *tag) {
    if (what == HANG_UP) {
        return false;
    }
    if (what == REFUSE) {
        refuse(fd);
    } else {
        complete(fd, tag);
    }
    ready(fd);
    return true;
}

static bool answer(server *it, int fd, char type, const char *text) {
    if (type == 'S') { /* the end of a statement with parameters */
        int n = atomic_fetch_add(&it->statements, 1);
        put(fd, '1', "", 0);
        put(fd, '2', "", 0);
        put(fd, 'n', "", 0);
        return act_as(fd, n < 4 ? it->at_statement[n] : ANSWER, "INSERT 0 1");
    }
    if (type != 'Q') {
        return true;
    }
    if (strcmp(text, "commit") == 0) {
        int n = atomic_fetch_add(&it->commits, 1);
        return act_as(fd, n < 4 ? it->at_commit[n] : ANSWER, "COMMIT");
    }
    if (strstr(text, "pg_xact_status")) {
        atomic_fetch_add(&it->asked, 1);
        row(fd, it->fate);
    } else if (strstr(text, "pg_current_xact_id")) {
        row(fd, "7");
    } else {
        complete(fd, "SET");
    }
    ready(fd);
    return true;
}

static bool greet(server *it, int fd) {
    char body[1024];
    uint32_t length;
    if (!read_all(fd, &length, 4) || ntohl(length) > sizeof body ||
        !read_all(fd, body, ntohl(length) - 4)) {
        return false;
    }
    put(fd, 'R', "\0\0\0", 4);
    parameter(fd, "server_encoding", it->encoding);
    parameter(fd, "server_version", it->version);
    parameter(fd, "in_hot_standby", it->standby);
    ready(fd);
    return true;
}

static void talk(server *it, int fd) {
    char body[4096], type;
    uint32_t length;
    bool open = greet(it, fd);
    while (open && read_all(fd, &type, 1) && read_all(fd, &length, 4)) {
        size_t size = ntohl(length) - 4;
        if (size >= sizeof body || !read_all(fd, body, size)) {
            return;
        }
        body[size] = '\0';
        open = answer(it, fd, type, body);
    }
}

static void *serve(void *arg) {
    server *it = arg;
    for (int fd = accept(it->listener, NULL, NULL); fd >= 0;
         fd = accept(it->listener, NULL, NULL)) {
        talk(it, fd);
        close(fd);
    }
    return NULL;
}

/* --- the cases' surroundings --- */

static int set_up(void **state) {
    fixture *it = calloc(1, sizeof *it);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    it->server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(it->server.listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(it->server.listener, 8), 0);
    assert_int_equal(getsockname(it->server.listener, (struct sockaddr *)&at, &length), 0);
    it->server.encoding = "UTF8";
    it->server.version = "15.1";
    it->server.standby = "off";
    snprintf(it->url, sizeof it->url,
             "postgres://u:hunter2hunter2@127.0.0.1:%d/d%%20b?sslmode=disable", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&it->server.thread, NULL, serve, &it->server), 0);
    assert_int_equal(pgo_loop_init(&it->loop, NULL), 0);
    assert_int_equal(pgo_store_new(&it->store, &it->loop, NULL), 0);
    *state = it;
    return 0;
}

static int tear_down(void **state) {
    fixture *it = *state;
    pgo_store_unref(it->store);
    pgo_loop_run(&it->loop);
    assert_int_equal(pgo_loop_close(&it->loop, stderr), 0);
    shutdown(it->server.listener, SHUT_RDWR);
    pthread_join(it->server.thread, NULL);
    close(it->server.listener);
    free(it);
    return 0;
}

static void on_done(pgo_op *op, void *arg) {
    (void)op;
    *(bool *)arg = true;
}

static int finish(fixture *it, pgo_store_op *op, char *message, size_t size) {
    bool done = false;
    pgo_op_start(&op->op, on_done, &done);
    pgo_loop_run_until(&it->loop, &done);
    int status = op->op.status;
    snprintf(message, size, "%s", op->op.err.message ? op->op.err.message : "");
    assert_null(strstr(message, "hunter2"));
    pgo_op_release(&op->op);
    return status;
}

static int open_url(fixture *it, const char *url, char *message, size_t size) {
    pgo_store_op op = {0};
    assert_int_equal(pgo_store_open(&op, it->store, url), 0);
    return finish(it, &op, message, size);
}

/* One insert with a parameter. */
static int write_once(fixture *it, char *message, size_t size) {
    assert_int_equal(open_url(it, it->url, message, size), 0);
    pgo_store_op op = {0};
    pgo_store_begin(&op, it->store, PGO_STORE_BATCH);
    assert_int_equal(pgo_store_add(&op, "insert into t values ($1)"), 0);
    assert_int_equal(pgo_store_bind_integer(&op, 1), 0);
    return finish(it, &op, message, size);
}

static void expect_counts(fixture *it, int statements, int commits, int asked) {
    assert_int_equal(atomic_load(&it->server.statements), statements);
    assert_int_equal(atomic_load(&it->server.commits), commits);
    assert_int_equal(atomic_load(&it->server.asked), asked);
}

/* --- the cases --- */

static void a_batch_is_done_once(void **state) {
    fixture *it = *state;
    char message[512];
    assert_int_equal(write_once(it, message, sizeof message), 0);
    expect_counts(it, 1, 1, 0);
}

static void a_commit_that_was_done_is_not_repeated(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.at_commit[0] = HANG_UP;
    it->server.fate = "committed";
    assert_int_equal(write_once(it, message, sizeof message), 0);
    expect_counts(it, 1, 1, 1);
}

static void a_commit_that_was_not_done_is_repeated(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.at_commit[0] = HANG_UP;
    it->server.fate = "aborted";
    assert_int_equal(write_once(it, message, sizeof message), 0);
    expect_counts(it, 2, 2, 1);
}

static void a_commit_whose_fate_is_not_known_is_told(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.at_commit[0] = HANG_UP;
    assert_int_equal(write_once(it, message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "not known whether the last write arrived"));
    assert_non_null(strstr(message, "/d b as u"));
    expect_counts(it, 1, 1, 1);
}

static void what_was_cut_off_before_its_commit_is_repeated(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.at_statement[0] = HANG_UP;
    it->server.at_statement[1] = HANG_UP;
    assert_int_equal(write_once(it, message, sizeof message), 0);
    expect_counts(it, 3, 1, 0);
}

static void what_was_rolled_back_for_another_is_repeated(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.at_statement[0] = REFUSE;
    it->server.at_commit[0] = REFUSE;
    assert_int_equal(write_once(it, message, sizeof message), 0);
    expect_counts(it, 3, 2, 0);
}

static void a_server_that_cannot_keep_a_record_is_refused(void **state) {
    fixture *it = *state;
    char message[512];
    it->server.encoding = "LATIN1";
    assert_int_equal(open_url(it, it->url, message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "encoding is not UTF8"));
    it->server.encoding = "UTF8";
    it->server.version = "12.9";
    assert_int_equal(open_url(it, it->url, message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "older than PostgreSQL 13"));
    it->server.version = "15.1";
    it->server.standby = "on";
    assert_int_equal(open_url(it, it->url, message, sizeof message), PGO_E_STORE);
    assert_non_null(strstr(message, "read-only"));
    it->server.standby = "off";
    assert_int_equal(open_url(it, it->url, message, sizeof message), 0);
}

static void a_place_that_is_wrong_is_refused_without_its_password(void **state) {
    fixture *it = *state;
    char message[512];
    assert_int_equal(open_url(it, "postgres://u:hunter2/hunter2@h/d", message, sizeof message),
                     PGO_E_INVALID);
    assert_int_equal(
        open_url(it, "postgres://u:hunter2hunter2@127.0.0.1:1/d", message, sizeof message),
        PGO_E_STORE);
    assert_non_null(strstr(message, "127.0.0.1:1/d as u: Connection refused"));
    assert_int_equal(
        open_url(it, "postgresql://u:hunter2hunter2@127.0.0.1/d?nosuch=1", message, sizeof message),
        PGO_E_INVALID);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_batch_is_done_once),
        CASE(a_commit_that_was_done_is_not_repeated),
        CASE(a_commit_that_was_not_done_is_repeated),
        CASE(a_commit_whose_fate_is_not_known_is_told),
        CASE(what_was_cut_off_before_its_commit_is_repeated),
        CASE(what_was_rolled_back_for_another_is_repeated),
        CASE(a_server_that_cannot_keep_a_record_is_refused),
        CASE(a_place_that_is_wrong_is_refused_without_its_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
