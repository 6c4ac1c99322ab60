/* Reads header and table of contents. Incremental by trying again: what is not there in full yet is
 * read from its beginning when more has come, and as texts are skipped by their length, that is a
 * handful of steps for each entry. */
#include "io/archive_head.h"

#include <stdlib.h>
#include <string.h>

enum { OLDEST = 14, NEWEST = 16, COMPRESSION_AT = 11, OFFSET_SIZE = 8, NEEDS_MORE = 1 };

/* Reading stops at the first trouble: status is then NEEDS_MORE or an error's code, and stays. */
typedef struct {
    const pgo_buffer *raw;
    size_t at;
    int status;
    pgo_err *err;
} cursor;

#define REFUSE(c, ...)                                                                             \
    do {                                                                                           \
        if ((c)->status == 0)                                                                      \
            (c)->status = pgo_fail((c)->err, PGO_E_ARCHIVE, __VA_ARGS__);                          \
    } while (0)

static const unsigned char *take(cursor *c, size_t length) {
    if (c->status == 0 && length > c->raw->length - c->at) {
        c->status = NEEDS_MORE;
    }
    if (c->status != 0) {
        return NULL;
    }
    const unsigned char *bytes = (const unsigned char *)c->raw->data + c->at;
    c->at += length;
    return bytes;
}

static unsigned read_byte(cursor *c) {
    const unsigned char *byte = take(c, 1);
    return byte != NULL ? *byte : 0;
}

/* A sign byte and four bytes, the least significant first. */
static int read_int(cursor *c) {
    size_t began = c->at;
    const unsigned char *b = take(c, 5);
    if (b == NULL) {
        return 0;
    }
    uint32_t value =
        (uint32_t)b[1] | (uint32_t)b[2] << 8 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 24;
    if (b[0] > 1 || value > INT32_MAX) {
        REFUSE(c, "at byte %zu: there should be a number", began);
        return 0;
    }
    return b[0] == 1 ? -(int)value : (int)value;
}

static pgo_archive_text read_text(cursor *c) {
    size_t began = c->at;
    int length = read_int(c);
    if (c->status != 0 || length == -1) {
        return (pgo_archive_text){0};
    }
    if (length < 0 || (size_t)length > PGO_ARCHIVE_HEAD_MOST - c->at) {
        REFUSE(c, "at byte %zu: a text of %d bytes", began, length);
        return (pgo_archive_text){0};
    }
    const unsigned char *bytes = take(c, (size_t)length);
    return (pgo_archive_text){(const char *)bytes, bytes != NULL ? (size_t)length : 0};
}

/* --- the header --- */

static void read_magic(cursor *c) {
    static const char magic[] = "PGDMP";
    for (size_t i = 0; i < sizeof magic - 1; i++) {
        if (read_byte(c) != (unsigned char)magic[i]) {
            REFUSE(c, "at byte %zu: this is no archive of pg_dump's", i);
        }
    }
}

static int read_version(cursor *c) {
    unsigned major = read_byte(c), minor = read_byte(c);
    read_byte(c); /* the revision: 0 in all that there are */
    if (c->status == 0 && (major != 1 || minor < OLDEST || minor > NEWEST)) {
        REFUSE(c, "at byte 5: version %u.%u of the archive format is not known (1.%d to 1.%d are)",
               major, minor, OLDEST, NEWEST);
    }
    return (int)minor;
}

static void read_sizes(cursor *c) {
    unsigned integer = read_byte(c), offset = read_byte(c), format = read_byte(c);
    if (c->status == 0 && (integer != 4 || offset != OFFSET_SIZE)) {
        REFUSE(c, "at byte 8: numbers of %u and offsets of %u bytes are not read", integer, offset);
    }
    if (c->status == 0 && format != 1) {
        REFUSE(c, "at byte 10: the archive is not in the custom format, but in format %u", format);
    }
}

/* Until 1.14 a level: 0 none, -1 zlib's own. Since then which algorithm. */
static enum pgo_archive_compression read_compression(cursor *c, int minor) {
    if (minor < 15) {
        return read_int(c) == 0 ? PGO_ARCHIVE_PLAIN : PGO_ARCHIVE_GZIP;
    }
    unsigned algorithm = read_byte(c);
    if (algorithm > PGO_ARCHIVE_ZSTD) {
        REFUSE(c, "at byte %d: compression %u is not known", COMPRESSION_AT, algorithm);
    }
    return (enum pgo_archive_compression)algorithm;
}

static int read_header(pgo_archive_head *head, cursor *c) {
    read_magic(c);
    head->minor = read_version(c);
    read_sizes(c);
    head->compression = read_compression(c, head->minor);
    for (int i = 0; i < 7; i++) { /* when: second to year, daylight saving */
        read_int(c);
    }
    head->dbname = read_text(c);
    head->server_version = read_text(c);
    head->dump_version = read_text(c);
    size_t began = c->at;
    int count = read_int(c);
    if (count < 0) {
        REFUSE(c, "at byte %zu: %d entries", began, count);
    }
    head->expected = (size_t)count;
    return c->status;
}

/* --- entries --- */

static bool parse_id(const pgo_archive_text *text, int *id) {
    int value = 0;
    for (size_t i = 0; i < text->length; i++) {
        int digit = text->text[i] - '0';
        if (digit < 0 || digit > 9 || value > (INT32_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *id = value;
    return text->length > 0;
}

static bool read_dependency(cursor *c, int *id) {
    size_t began = c->at;
    pgo_archive_text text = read_text(c);
    if (c->status != 0 || text.text == NULL) {
        return false;
    }
    if (!parse_id(&text, id)) {
        REFUSE(c, "at byte %zu: a dependency that is no number", began);
    }
    return c->status == 0;
}

static void read_offset(cursor *c, pgo_archive_entry *entry) {
    entry->flag_at = c->at;
    unsigned flag = read_byte(c);
    const unsigned char *bytes = take(c, OFFSET_SIZE);
    if (bytes == NULL) {
        return;
    }
    if (flag < PGO_ARCHIVE_DATA_UNSET || flag > PGO_ARCHIVE_DATA_NONE) {
        REFUSE(c, "at byte %zu: a flag of %u", entry->flag_at, flag);
    }
    entry->flag = (enum pgo_archive_data)flag;
    entry->offset = 0;
    for (int i = OFFSET_SIZE - 1; i >= 0; i--) {
        entry->offset = entry->offset << 8 | bytes[i];
    }
}

static int read_entry(cursor *c, int minor, pgo_archive_entry *entry) {
    size_t began = c->at;
    entry->id = read_int(c);
    entry->had_data = read_int(c) != 0;
    entry->tableoid = read_text(c);
    entry->oid = read_text(c);
    entry->tag = read_text(c);
    entry->desc = read_text(c);
    entry->section = read_int(c);
    entry->defn = read_text(c);
    entry->drop = read_text(c);
    entry->copy = read_text(c);
    entry->nsp = read_text(c);
    entry->tablespace = read_text(c);
    entry->tableam = read_text(c);
    entry->relkind = minor >= 16 ? read_int(c) : 0;
    entry->owner = read_text(c);
    read_text(c); /* "false": it once said whether rows have oids */
    entry->dependencies = c->at;
    for (int id; read_dependency(c, &id);) {
    }
    read_offset(c, entry);
    if (c->status == 0 && (entry->id <= 0 || entry->desc.text == NULL)) {
        REFUSE(c, "at byte %zu: an entry with id %d%s", began, entry->id,
               entry->desc.text == NULL ? " and of no kind" : "");
    }
    return c->status;
}

static int keep_mark(pgo_archive_head *head, const pgo_archive_entry *entry, pgo_err *err) {
    if (head->count == head->room) {
        size_t room = head->room > 0 ? 2 * head->room : 64;
        struct pgo_archive_mark *marks = realloc(head->marks, room * sizeof *marks);
        if (marks == NULL) {
            return pgo_fail(err, PGO_E_NOMEM, "an archive's table of contents");
        }
        head->marks = marks;
        head->room = room;
    }
    head->marks[head->count++] =
        (struct pgo_archive_mark){head->at, entry->flag_at, entry->id, entry->flag, false};
    return 0;
}

static int read_on(pgo_archive_head *head, pgo_err *err) {
    cursor c = {.raw = &head->raw, .at = head->at, .err = err};
    if (!head->header_read) {
        if (read_header(head, &c) != 0) {
            return c.status;
        }
        head->header_read = true;
        head->at = c.at;
    }
    while (head->count < head->expected) {
        pgo_archive_entry entry;
        if (read_entry(&c, head->minor, &entry) != 0) {
            return c.status;
        }
        int failed = keep_mark(head, &entry, err);
        if (failed < 0) {
            return failed;
        }
        head->at = c.at;
    }
    return 0;
}

/* The buffer has moved while it grew: the header's texts are read once more. */
static void finish(pgo_archive_head *head) {
    cursor c = {.raw = &head->raw};
    head->raw.length = head->at;
    read_header(head, &c);
    head->complete = true;
}

int pgo_archive_head_feed(pgo_archive_head *head, const char *data, size_t length, size_t *taken,
                          pgo_err *err) {
    size_t had = head->raw.length;
    *taken = 0;
    if (pgo_buffer_append(&head->raw, data, length) < 0) {
        return pgo_fail(err, PGO_E_NOMEM, "an archive's table of contents");
    }
    int status = read_on(head, err);
    if (status < 0) {
        return status;
    }
    if (status == 0) {
        finish(head);
    } else if (head->raw.length > PGO_ARCHIVE_HEAD_MOST) {
        return pgo_fail(err, PGO_E_ARCHIVE,
                        "at byte %zu: the table of contents goes on beyond 1 GiB",
                        head->raw.length);
    }
    *taken = head->raw.length - had;
    return 0;
}

int pgo_archive_head_cut_short(const pgo_archive_head *head, pgo_err *err) {
    return pgo_fail(err, PGO_E_ARCHIVE, "at byte %zu: the archive ends in its %s", head->raw.length,
                    head->header_read ? "table of contents" : "header");
}

void pgo_archive_head_entry(const pgo_archive_head *head, size_t index, pgo_archive_entry *entry) {
    cursor c = {.raw = &head->raw, .at = head->marks[index].at};
    read_entry(&c, head->minor, entry); /* it was read before */
}

bool pgo_archive_head_dependency(const pgo_archive_head *head, size_t *at, int *id) {
    cursor c = {.raw = &head->raw, .at = *at};
    bool found = read_dependency(&c, id);
    *at = c.at;
    return found;
}

static void write_offset(pgo_archive_head *head, size_t index, enum pgo_archive_data flag,
                         uint64_t offset) {
    struct pgo_archive_mark *mark = &head->marks[index];
    char *bytes = head->raw.data + mark->flag_at;
    mark->flag = flag;
    bytes[0] = (char)flag;
    for (int i = 1; i <= OFFSET_SIZE; i++, offset >>= 8) {
        bytes[i] = (char)(offset & 0xff);
    }
}

void pgo_archive_head_set_gzip(pgo_archive_head *head) {
    static const char level[] = {1, 1, 0, 0, 0}; /* -1 */
    if (head->minor < 15) {
        memcpy(head->raw.data + COMPRESSION_AT, level, sizeof level);
    } else {
        head->raw.data[COMPRESSION_AT] = PGO_ARCHIVE_GZIP;
    }
    head->compression = PGO_ARCHIVE_GZIP;
    for (size_t i = 0; i < head->count; i++) {
        if (head->marks[i].flag == PGO_ARCHIVE_DATA_SET) {
            write_offset(head, i, PGO_ARCHIVE_DATA_UNSET, 0);
        }
    }
}

void pgo_archive_head_set_offset(pgo_archive_head *head, size_t index, uint64_t offset) {
    write_offset(head, index, PGO_ARCHIVE_DATA_SET, offset);
}

void pgo_archive_head_free(pgo_archive_head *head) {
    pgo_buffer_free(&head->raw);
    free(head->marks);
    *head = (pgo_archive_head){0};
}
