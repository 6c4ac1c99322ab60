/* The head of a custom-format archive: its header and table of contents, versions 1.14 (pg_dump 12
 * to 15), 1.15 (16) and 1.16 (17, 18). Fed with bytes as they come, it takes no byte beyond the
 * head. Keeps the bytes, and where each entry begins in them: an entry is read again whenever it is
 * asked for. Never trusts a length: what goes beyond PGO_ARCHIVE_HEAD_MOST, or makes no sense, is
 * PGO_E_ARCHIVE with the place in the file. */
#ifndef PGO_IO_ARCHIVE_HEAD_H
#define PGO_IO_ARCHIVE_HEAD_H

#include "core/buffer.h"

#include <stdint.h>

#define PGO_ARCHIVE_HEAD_MOST ((size_t)1 << 30)

enum pgo_archive_compression {
    PGO_ARCHIVE_PLAIN,
    PGO_ARCHIVE_GZIP,
    PGO_ARCHIVE_LZ4,
    PGO_ARCHIVE_ZSTD
};

enum pgo_archive_data { /* the flag before an offset, as the file has it */
                        PGO_ARCHIVE_DATA_UNSET = 1,
                        PGO_ARCHIVE_DATA_SET,
                        PGO_ARCHIVE_DATA_NONE
};

typedef struct pgo_archive_text {
    const char *text; /* not terminated; NULL for a NULL */
    size_t length;
} pgo_archive_text;

typedef struct pgo_archive_entry {
    int id, section, relkind; /* relkind 0 where the version has none */
    bool had_data;
    pgo_archive_text tableoid, oid, tag, desc, defn, drop, copy, nsp, tablespace, tableam, owner;
    size_t dependencies; /* where the first one stands, for pgo_archive_head_dependency */
    size_t flag_at;      /* where the flag stands, the 8 bytes of the offset behind it */
    enum pgo_archive_data flag;
    uint64_t offset;
} pgo_archive_entry;

/* What is kept of each entry. */
struct pgo_archive_mark {
    size_t at, flag_at;
    int id;
    enum pgo_archive_data flag;
    bool seen; /* for whoever reads the data: its block has come */
};

typedef struct pgo_archive_head {
    pgo_buffer raw; /* the head's bytes so far */
    bool complete;
    int minor; /* of the version: 14, 15, 16 */
    enum pgo_archive_compression compression;
    pgo_archive_text dbname, server_version, dump_version; /* once complete */
    size_t count;                                          /* entries that have been read */
    struct pgo_archive_mark *marks;                        /* owned, `count` of them */
    /* inside */
    size_t at, expected, room;
    bool header_read;
} pgo_archive_head;

/* A zeroed head is an empty one. */
void pgo_archive_head_free(pgo_archive_head *head);

/* Takes bytes until the head is complete; *taken says how many, which is all of them before that.
 */
int pgo_archive_head_feed(pgo_archive_head *head, const char *data, size_t length, size_t *taken,
                          pgo_err *err) PGO_MUSTCHECK;
/* The file ends before the head does: the error that says so. */
int pgo_archive_head_cut_short(const pgo_archive_head *head, pgo_err *err);

/* Entry `index` < count. Its texts point into the head and live as long as it is not fed or freed.
 */
void pgo_archive_head_entry(const pgo_archive_head *head, size_t index, pgo_archive_entry *entry);
/* The id at *at, which moves on; false behind the last. */
bool pgo_archive_head_dependency(const pgo_archive_head *head, size_t *at, int *id);

/* The changes that leave every other byte as it is. What becomes gzip has no known places yet. */
void pgo_archive_head_set_gzip(pgo_archive_head *head);
void pgo_archive_head_set_offset(pgo_archive_head *head, size_t index, uint64_t offset);

#endif
