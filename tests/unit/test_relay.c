/* The relay between bare sockets: who is let in, what a firewall's drop looks like, back-pressure,
 * and every kind of trouble that can be asked for. */
#include "support.h"

#include "io/network.h"
#include "io/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct place {
    pgo_loop *loop;
    pgo_relay *relay;
    int listener; /* of the server behind */
} place;

static pgo_relay *still_open; /* a case that failed has not closed its relay: the teardown does */

static void turns(pgo_loop *loop, int count) {
    for (int i = 0; i < count; i++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        usleep(300);
    }
}

static int bound(uint16_t *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void allow(place *it, const char *network, double after) {
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_relay_allow(it->relay, &network, network ? 1 : 0, after, &err), 0);
}

static place open_place(void **state, const char *network) {
    place it = {.loop = *state};
    pgo_err err = PGO_ERR_INIT;
    uint16_t port = 0;
    it.listener = bound(&port);
    assert_int_equal(pgo_relay_open(&it.relay, it.loop, "127.0.0.1", port, &err), 0);
    still_open = it.relay;
    allow(&it, network, 0);
    return it;
}

static void close_place(place *it) {
    still_open = NULL;
    pgo_relay_close(it->relay);
    close(it->listener);
}

static int client(place *it) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(pgo_relay_port(it->relay)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    turns(it->loop, 10);
    return fd;
}

/* The server's end of the newest connection, or -1: nobody came. */
static int server_end(place *it) {
    turns(it->loop, 10);
    return accept4(it->listener, NULL, NULL, SOCK_NONBLOCK);
}

/* The same of a connection that comes for sure, however long it takes. */
static int next_server_end(place *it) {
    int fd = server_end(it);
    for (int i = 0; fd < 0 && i < 10000; i++)
        fd = server_end(it);
    assert_true(fd >= 0);
    return fd;
}

static void send_text(place *it, int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    turns(it->loop, 20);
}

static void expect_text(int fd, const char *text) {
    char got[64] = "";
    ssize_t length = read(fd, got, sizeof got - 1);
    assert_int_equal(length, strlen(text));
    assert_string_equal(got, text);
}

static void expect_nothing(int fd) {
    char got[8];
    assert_int_equal(read(fd, got, sizeof got), -1);
    assert_int_equal(errno, EAGAIN);
}

static void expect_reset(place *it, int fd) {
    char got[8];
    turns(it->loop, 10);
    assert_int_equal(read(fd, got, sizeof got), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* --- the tests --- */

static void bytes_and_ends_go_both_ways(void **state) {
    place it = open_place(state, "127.0.0.0/8");
    int near = client(&it), far = server_end(&it);
    assert_true(far >= 0);
    send_text(&it, near, "question");
    expect_text(far, "question");
    shutdown(near, SHUT_WR);
    turns(it.loop, 10);
    expect_text(far, "");
    send_text(&it, far, "the answer"); /* the other way is still open */
    close(far);
    turns(it.loop, 20);
    expect_text(near, "the answer");
    expect_text(near, "");
    pgo_relay_counts counts = pgo_relay_count(it.relay);
    assert_int_equal(counts.up, 8);
    assert_int_equal(counts.down, 10);
    assert_int_equal(counts.let_in, 1);
    assert_int_equal(counts.open, 0);
    close(near);
    close_place(&it);
}

static void who_is_not_listed_gets_no_answer_and_reaches_nothing(void **state) {
    place it = open_place(state, "198.51.100.7");
    int near = client(&it);
    send_text(&it, near, "hello?");
    assert_int_equal(server_end(&it), -1);
    expect_nothing(near);
    assert_int_equal(pgo_relay_count(it.relay).dropped, 1);
    assert_int_equal(pgo_relay_count(it.relay).let_in, 0);
    close(near); /* seen, so that nothing is kept of who has given up */
    turns(it.loop, 10);
    assert_int_equal(pgo_relay_count(it.relay).dropped, 0);
    close_place(&it);
}

static void who_is_listed_later_comes_in_with_what_it_said(void **state) {
    place it = open_place(state, NULL);
    int near = client(&it);
    send_text(&it, near, "patient");
    allow(&it, "127.0.0.1/32", 3600);
    assert_int_equal(server_end(&it), -1);
    allow(&it, "127.0.0.1/32", 0.001);
    int far = next_server_end(&it);
    turns(it.loop, 10);
    expect_text(far, "patient");
    close(near);
    close(far);
    close_place(&it);
}

static void a_connection_outlives_its_place_on_the_list_until_it_is_cut(void **state) {
    place it = open_place(state, "127.0.0.1/32");
    int near = client(&it), far = server_end(&it);
    allow(&it, "2001:db8::/32", 0);
    send_text(&it, near, "still here");
    expect_text(far, "still here");
    pgo_relay_cut_unlisted(it.relay);
    expect_reset(&it, near);
    expect_reset(&it, far);
    close(near);
    close(far);
    close_place(&it);
}

static void nothing_moves_while_it_is_frozen(void **state) {
    place it = open_place(state, "127.0.0.1");
    int near = client(&it), far = server_end(&it);
    pgo_relay_freeze(it.relay, true);
    send_text(&it, near, "later");
    expect_nothing(far);
    int second = client(&it);
    assert_int_equal(server_end(&it), -1);
    pgo_relay_freeze(it.relay, false);
    turns(it.loop, 20);
    expect_text(far, "later");
    int other = server_end(&it);
    assert_true(other >= 0);
    close(second);
    close(other);
    close(near);
    close(far);
    close_place(&it);
}

static void a_cut_after_so_many_bytes_lets_no_more_through(void **state) {
    place it = open_place(state, "127.0.0.1");
    int near = client(&it), far = server_end(&it);
    pgo_relay_cut_after(it.relay, 10);
    send_text(&it, near, "1234");
    expect_text(far, "1234");
    send_text(&it, far, "56789012345");
    assert_int_equal(pgo_relay_count(it.relay).up + pgo_relay_count(it.relay).down, 10);
    assert_int_equal(pgo_relay_count(it.relay).open, 0);
    expect_reset(&it, far);
    int again = client(&it), behind = server_end(&it); /* once: the next ones are free */
    send_text(&it, again, "1234567890123");
    expect_text(behind, "1234567890123");
    close(again);
    close(behind);
    close(near);
    close(far);
    close_place(&it);
}

static void a_reader_that_does_not_read_holds_the_writer_back(void **state) {
    static char block[64 * 1024];
    place it = open_place(state, "127.0.0.1");
    int near = client(&it), far = server_end(&it), idle = 0;
    size_t sent = 0, got = 0;
    while (idle < 20) {
        ssize_t n = write(near, block, sizeof block);
        sent += n > 0 ? (size_t)n : 0;
        idle = n > 0 ? 0 : idle + 1;
        turns(it.loop, 2);
    }
    assert_true(sent < 64u << 20); /* the sockets' own buffers and one block, no more */
    for (int i = 0; i < 20000 && got < sent; i++) {
        ssize_t n = read(far, block, sizeof block);
        got += n > 0 ? (size_t)n : 0;
        uv_run(&it.loop->uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(got, sent);
    close(near);
    close(far);
    close_place(&it);
}

static void a_server_that_is_not_there_ends_the_client(void **state) {
    place it = open_place(state, "127.0.0.1");
    close(it.listener);
    int near = client(&it);
    expect_reset(&it, near);
    it.listener = dup(near);
    close(near);
    close_place(&it);
}

static void closing_resets_whoever_is_there(void **state) {
    place it = open_place(state, "127.0.0.1");
    int inside = client(&it), far = server_end(&it);
    allow(&it, NULL, 0);
    int outside = client(&it);
    allow(&it, "127.0.0.1", 3600); /* a change that never comes holds nothing up */
    close_place(&it);
    turns(it.loop, 5);
    char got[8];
    assert_int_equal(read(inside, got, sizeof got), -1);
    assert_int_equal(read(outside, got, sizeof got), -1);
    assert_int_equal(errno, ECONNRESET);
    close(inside);
    close(outside);
    close(far);
}

static bool covers(const char *text, const char *address) {
    pgo_network network;
    pgo_err err = PGO_ERR_INIT;
    struct sockaddr_storage at = {0};
    bool six = strchr(address, ':') != NULL;
    at.ss_family = six ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(at.ss_family, address,
                               six ? (void *)&((struct sockaddr_in6 *)&at)->sin6_addr
                                   : (void *)&((struct sockaddr_in *)&at)->sin_addr),
                     1);
    assert_int_equal(pgo_network_parse(&network, text, &err), 0);
    return pgo_network_covers(&network, &at);
}

static void networks_cover_what_their_prefix_says(void **state) {
    (void)state;
    assert_true(covers("127.0.0.1", "127.0.0.1"));
    assert_false(covers("127.0.0.1", "127.0.0.2"));
    assert_true(covers("10.1.0.0/15", "10.0.255.1"));
    assert_false(covers("10.1.0.0/16", "10.2.0.1"));
    assert_true(covers("203.0.113.128/25", "203.0.113.200"));
    assert_false(covers("203.0.113.128/25", "203.0.113.100"));
    assert_true(covers("0.0.0.0/0", "192.0.2.9"));
    assert_false(covers("0.0.0.0/0", "::1"));
    assert_true(covers("::/0", "::1"));
    assert_true(covers("2001:db8:8000::/33", "2001:db8:ffff::9"));
    assert_false(covers("2001:db8:8000::/33", "2001:db8:7fff::9"));
}

static void what_is_no_network_changes_nothing(void **state) {
    place it = open_place(state, "127.0.0.1");
    const char *bad[] = {
        "",           "nonsense",     "127.0.0.1/33",
        "127.0.0.1/", "127.0.0.1/-1", "1.2.3",
        "::1/129",    "127.0.0.1/8x", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pgo_err err = PGO_ERR_INIT;
        const char *list[] = {"198.51.100.7", bad[i]};
        assert_int_equal(pgo_relay_allow(it.relay, list, 2, 0, &err), PGO_E_INVALID);
        pgo_err_clear(&err);
    }
    int near = client(&it), far = server_end(&it);
    assert_true(far >= 0);
    close(near);
    close(far);
    pgo_relay *none = NULL;
    pgo_err err = PGO_ERR_INIT;
    assert_int_equal(pgo_relay_open(&none, it.loop, "192.0.2.1", 5432, &err), PGO_E_INVALID);
    pgo_err_clear(&err);
    close_place(&it);
}

static int teardown(void **state) {
    pgo_relay_close(still_open);
    still_open = NULL;
    return teardown_loop(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_loop, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bytes_and_ends_go_both_ways),
        TEST(who_is_not_listed_gets_no_answer_and_reaches_nothing),
        TEST(who_is_listed_later_comes_in_with_what_it_said),
        TEST(a_connection_outlives_its_place_on_the_list_until_it_is_cut),
        TEST(nothing_moves_while_it_is_frozen),
        TEST(a_cut_after_so_many_bytes_lets_no_more_through),
        TEST(a_reader_that_does_not_read_holds_the_writer_back),
        TEST(a_server_that_is_not_there_ends_the_client),
        TEST(closing_resets_whoever_is_there),
        cmocka_unit_test(networks_cover_what_their_prefix_says),
        TEST(what_is_no_network_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
