/* PostgreSQL's texts outside a connection: URIs, literals, environment names, a CA as a file.
 * Never shows any part of a URI: a password with an unescaped character can end up in any of them.
 */
#include "io/file.h"
#include "io/pg_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_uri(const char *text) {
    return strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0;
}

/* libpq names the place of an error by quoting the URI. Said here without it. */
static const char *reason(const char *libpq) {
    if (!libpq) {
        return "out of memory";
    }
    if (strstr(libpq, "percent") || strstr(libpq, "%00")) {
        return "a '%' in it is not followed by two hexadecimal digits; percent-encode the password";
    }
    if (strstr(libpq, "IPv6")) {
        return "its IPv6 address is not in the form [::1]";
    }
    if (strstr(libpq, "URI query parameter") || strstr(libpq, "key/value separator")) {
        return "what follows the '?' has a setting that libpq does not know; percent-encode a '?' "
               "in the password";
    }
    if (strstr(libpq, "missing \"=\"")) {
        return "it is neither postgres://user:password@host:port/dbname nor a list of name=value";
    }
    return "libpq does not understand it";
}

/* An '@' left over after the parts were cut: some character before it should have been encoded. */
static bool misplaced_at(const PQconninfoOption *list) {
    for (const PQconninfoOption *one = list; one->keyword; one++) {
        bool place = strcmp(one->keyword, "host") == 0 || strcmp(one->keyword, "port") == 0;
        if (place && one->val && one->val[0] != '@' && strchr(one->val, '@')) {
            return true;
        }
    }
    return false;
}

/* "u:12/34@host" reads as host u, port 12, dbname 34@host. */
static bool at_in_path(const char *uri) {
    const char *authority = strstr(uri, "://") + 3;
    const char *path = authority + strcspn(authority, "/?");
    bool user_given = memchr(authority, '@', (size_t)(path - authority)) != NULL;
    return !user_given && memchr(path, '@', strcspn(path, "?")) != NULL;
}

int pgo_pg_uri_parse(const char *uri,
                     void (*visit)(void *arg, const char *keyword, const char *value), void *arg,
                     pgo_err *err) {
    char *message = NULL;
    int status = 0;
    PQconninfoOption *list = PQconninfoParse(uri, &message);
    if (!list) {
        status =
            pgo_fail(err, PGO_E_INVALID, "the database URI cannot be used: %s", reason(message));
        goto out;
    }
    if (is_uri(uri) && (misplaced_at(list) || at_in_path(uri))) {
        status = pgo_fail(err, PGO_E_INVALID,
                          "the database URI cannot be used: percent-encode the "
                          "characters @ : / ? # %% in its password");
        goto out;
    }
    for (PQconninfoOption *one = list; one->keyword; one++) {
        if (one->val && *one->val) {
            visit(arg, one->keyword, one->val);
        }
    }
out:
    PQconninfoFree(list);
    PQfreemem(message);
    return status;
}

const char *pgo_pg_env_name(const char *keyword) {
    static const struct {
        const char *keyword, *env;
    } names[] = {
        {"host", "PGHOST"},
        {"hostaddr", "PGHOSTADDR"},
        {"port", "PGPORT"},
        {"user", "PGUSER"},
        {"password", "PGPASSWORD"},
        {"dbname", "PGDATABASE"},
        {"passfile", "PGPASSFILE"},
        {"service", "PGSERVICE"},
        {"options", "PGOPTIONS"},
        {"application_name", "PGAPPNAME"},
        {"connect_timeout", "PGCONNECT_TIMEOUT"},
        {"client_encoding", "PGCLIENTENCODING"},
        {"channel_binding", "PGCHANNELBINDING"},
        {"sslmode", "PGSSLMODE"},
        {"sslcert", "PGSSLCERT"},
        {"sslkey", "PGSSLKEY"},
        {"sslrootcert", "PGSSLROOTCERT"},
        {"sslcrl", "PGSSLCRL"},
        {"sslcrldir", "PGSSLCRLDIR"},
        {"sslsni", "PGSSLSNI"},
        {"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"},
        {"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"},
        {"gssencmode", "PGGSSENCMODE"},
        {"krbsrvname", "PGKRBSRVNAME"},
        {"requirepeer", "PGREQUIREPEER"},
        {"target_session_attrs", "PGTARGETSESSIONATTRS"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].keyword, keyword) == 0) {
            return names[i].env;
        }
    }
    return NULL;
}

/* With a backslash in it the E'' form: right whatever standard_conforming_strings says. */
int pgo_pg_literal(pgo_buffer *out, const char *text, size_t length) {
    bool escape = memchr(text, '\\', length) != NULL;
    if (pgo_buffer_reserve(out, 2 * length + 4)) {
        return PGO_E_NOMEM;
    }
    int status = pgo_buffer_puts(out, escape ? " E'" : "'");
    for (size_t i = 0; i < length && status == 0; i++) {
        if (text[i] == '\'' || text[i] == '\\') {
            status = pgo_buffer_append(out, &text[i], 1);
        }
        if (status == 0) {
            status = pgo_buffer_append(out, &text[i], 1);
        }
    }
    return status ? status : pgo_buffer_puts(out, "'");
}

static int write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written <= 0) {
            return -1;
        }
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

static int check_pem(const char *pem, pgo_err *err) {
    if (strstr(pem, "-----BEGIN CERTIFICATE-----")) {
        return 0;
    }
    return pgo_fail(err, PGO_E_INVALID, "ca_pem holds no certificate in PEM form");
}

static int write_pem(int fd, const char *pem) {
    return write_all(fd, pem, strlen(pem)) ? -1 : write_all(fd, "\n", 1);
}

/* A file would stay behind when the process is killed while it connects. */
int pgo_pg_ca_open(const char *pem, int *fd, char *path, size_t size, pgo_err *err) {
    int status = check_pem(pem, err);
    if (status) {
        return status;
    }
    int memory = memfd_create("pgorch-ca", MFD_CLOEXEC);
    if (memory < 0 || write_pem(memory, pem)) {
        status = pgo_fail(err, PGO_E_IO, "cannot keep the CA in memory: %s", strerror(errno));
        if (memory >= 0) {
            close(memory);
        }
        return status;
    }
    *fd = memory;
    snprintf(path, size, "/proc/self/fd/%d", memory);
    return 0;
}

int pgo_pg_ca_write(const char *dir, const char *pem, char **path, pgo_err *err) {
    pgo_buffer name = {0};
    int fd = -1, status = check_pem(pem, err);
    if (status) {
        return status;
    }
    if (pgo_buffer_printf(&name, "%s/pgorch-ca-XXXXXX", dir)) {
        return pgo_fail(err, PGO_E_NOMEM, "out of memory");
    }
    fd = mkostemp(name.data, O_CLOEXEC); /* 0600 */
    if (fd < 0) {
        status = pgo_fail_errno(err, "write the CA file", name.data, errno);
        goto out;
    }
    if (write_pem(fd, pem)) {
        status = pgo_fail_errno(err, "write the CA file", name.data, errno);
        unlink(name.data);
    }
    close(fd);
out:
    if (status) {
        pgo_buffer_free(&name);
    } else {
        *path = name.data;
    }
    return status;
}
