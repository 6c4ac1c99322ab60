/* A second reader of custom archives, for the tests alone: it shares nothing with host/io/archive*,
 * so that neither can hide the other's mistake. It trusts nothing either: false means that the
 * bytes are no archive. Runs are the contents of tables and of large objects, inflated where they
 * are gzip. */
#ifndef PGO_TESTS_ARCHIVE_READER_H
#define PGO_TESTS_ARCHIVE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct reader {
    const unsigned char *data;
    size_t length, at;
};

struct run {
    long long id, oid; /* oid 0: a table's */
    unsigned char *bytes;
    size_t length;
};

struct toc_entry {
    long long id;
    size_t flag_at;
    size_t block_at; /* 0: none has come */
};

struct archive {
    int minor;
    bool gzip;
    size_t head; /* its size */
    struct toc_entry *entries;
    size_t entry_count;
    struct run *runs;
    size_t run_count;
};

static inline bool get_byte(struct reader *r, unsigned *byte) {
    if (r->at >= r->length) {
        return false;
    }
    *byte = r->data[r->at++];
    return true;
}

static inline bool get_int(struct reader *r, long long *value) {
    unsigned sign, byte;
    if (!get_byte(r, &sign)) {
        return false;
    }
    *value = 0;
    for (int i = 0; i < 4; i++) {
        if (!get_byte(r, &byte)) {
            return false;
        }
        *value |= (long long)byte << (8 * i);
    }
    *value = sign != 0 ? -*value : *value;
    return true;
}

static inline bool skip_bytes(struct reader *r, size_t count) {
    if (count > r->length - r->at) {
        return false;
    }
    r->at += count;
    return true;
}

static inline bool skip_text(struct reader *r, bool *null) {
    long long length;
    if (!get_int(r, &length)) {
        return false;
    }
    *null = length < 0;
    return *null || skip_bytes(r, (size_t)length);
}

static inline bool get_entry(struct reader *r, int minor, struct toc_entry *entry) {
    long long number;
    bool null;
    bool good = get_int(r, &entry->id) && get_int(r, &number);
    for (int i = 0; good && i < 11; i++) { /* tableoid, oid, tag, desc, section, defn ... tableam */
        good = i == 4 ? get_int(r, &number) : skip_text(r, &null);
    }
    if (good && minor >= 16) {
        good = get_int(r, &number);
    }
    good = good && skip_text(r, &null) && skip_text(r, &null); /* owner, "false" */
    for (null = false; good && !null;) {
        good = skip_text(r, &null);
    }
    entry->flag_at = r->at;
    entry->block_at = 0;
    return good && skip_bytes(r, 9);
}

static inline bool get_head(struct reader *r, struct archive *a) {
    long long number, count;
    bool null, good = r->length > 16 && memcmp(r->data, "PGDMP\1", 6) == 0;
    a->minor = good ? r->data[6] : 0;
    a->gzip = good && r->data[11] == 1;
    r->at = a->minor < 15 ? 16 : 12;
    for (int i = 0; good && i < 10; i++) {
        good = i < 7 ? get_int(r, &number) : skip_text(r, &null);
    }
    good = good && get_int(r, &count) && count >= 0 && (size_t)count < r->length;
    if (!good) {
        return false;
    }
    a->entries = calloc((size_t)count + 1, sizeof *a->entries);
    for (; good && a->entry_count < (size_t)count; a->entry_count += good) {
        good = get_entry(r, a->minor, &a->entries[a->entry_count]);
    }
    a->head = r->at;
    return good;
}

/* One whole zlib stream, to its last byte; replaces the run's bytes. */
static inline bool inflate_run(struct run *run) {
    z_stream z = {.next_in = run->bytes, .avail_in = (uInt)run->length};
    size_t room = 1 << 16;
    unsigned char *text = malloc(room);
    int status = inflateInit(&z);
    while (status == Z_OK) {
        if (z.total_out == room) {
            text = realloc(text, room *= 2);
        }
        z.next_out = text + z.total_out;
        z.avail_out = (uInt)(room - z.total_out);
        status = inflate(&z, Z_NO_FLUSH);
    }
    bool whole = status == Z_STREAM_END && z.avail_in == 0;
    free(run->bytes);
    run->bytes = text;
    run->length = z.total_out;
    inflateEnd(&z);
    return whole;
}

/* The bytes of a chunk run, without their framing, into `to` unless that is NULL. */
static inline bool get_chunks(struct reader *r, unsigned char *to, size_t *total) {
    long long length;
    for (*total = 0; get_int(r, &length) && length >= 0; *total += (size_t)length) {
        if (length == 0) {
            return true;
        }
        if (!skip_bytes(r, (size_t)length)) {
            return false;
        }
        if (to != NULL) {
            memcpy(to + *total, r->data + r->at - length, (size_t)length);
        }
    }
    return false;
}

static inline bool get_run(struct reader *r, struct archive *a, long long id, long long oid) {
    struct reader ahead = *r;
    size_t total;
    if (!get_chunks(&ahead, NULL, &total)) {
        return false;
    }
    if ((a->run_count & (a->run_count + 1)) == 0) { /* grows at 0, 1, 3, 7, ... */
        a->runs = realloc(a->runs, (2 * a->run_count + 2) * sizeof *a->runs);
    }
    struct run *run = &a->runs[a->run_count++];
    *run = (struct run){.id = id, .oid = oid, .bytes = malloc(total + 1)};
    return get_chunks(r, run->bytes, &run->length) && (!a->gzip || inflate_run(run));
}

static inline bool get_block(struct reader *r, struct archive *a) {
    size_t began = r->at;
    unsigned type;
    long long id, oid;
    if (!get_byte(r, &type) || !get_int(r, &id)) {
        return false;
    }
    for (size_t i = 0; i < a->entry_count; i++) {
        if (a->entries[i].id == id) {
            a->entries[i].block_at = began;
        }
    }
    if (type == 1) {
        return get_run(r, a, id, 0);
    }
    for (;;) {
        if (type != 3 || !get_int(r, &oid)) {
            return false;
        }
        if (oid == 0) {
            return true;
        }
        if (!get_run(r, a, id, oid)) {
            return false;
        }
    }
}

static inline bool read_archive(const void *data, size_t length, struct archive *a) {
    struct reader r = {data, length, 0};
    *a = (struct archive){0};
    bool good = get_head(&r, a);
    while (good && r.at < r.length) {
        good = get_block(&r, a);
    }
    return good;
}

static inline void free_archive(struct archive *a) {
    for (size_t i = 0; i < a->run_count; i++) {
        free(a->runs[i].bytes);
    }
    free(a->runs);
    free(a->entries);
}

/* The same runs in the same order. */
static inline bool same_runs(const struct archive *a, const struct archive *b) {
    bool same = a->run_count == b->run_count;
    for (size_t i = 0; same && i < a->run_count; i++) {
        const struct run *x = &a->runs[i], *y = &b->runs[i];
        same = x->id == y->id && x->oid == y->oid && x->length == y->length &&
               memcmp(x->bytes, y->bytes, x->length) == 0;
    }
    return same;
}

#endif
