/* The data's grammar: blocks of a table or of large objects, runs of chunks in them. */
#include "io/archive_blocks.h"

#include <string.h>

enum { TABLE = 1, OBJECTS = 3 };

void pgo_archive_blocks_init(pgo_archive_blocks *blocks, pgo_archive_head *head) {
    *blocks = (pgo_archive_blocks){.head = head, .position = head->raw.length};
}

#define PLACE(blocks, back) ((unsigned long long)((blocks)->position - (back)))

static struct pgo_archive_step *add_step(pgo_archive_blocks *blocks,
                                         enum pgo_archive_step_kind kind) {
    struct pgo_archive_step *step = &blocks->piece->steps[blocks->piece->count++];
    *step = (struct pgo_archive_step){.kind = kind, .type = blocks->type};
    memcpy(step->number, blocks->number, sizeof step->number);
    return step;
}

/* --- runs --- */

static struct pgo_archive_step *open_run(pgo_archive_blocks *blocks) {
    if (blocks->run == NULL) {
        blocks->run = add_step(blocks, PGO_ARCHIVE_RUN);
        blocks->run->first = !blocks->in_run;
        blocks->in_run = true;
    }
    return blocks->run;
}

static void end_run(pgo_archive_blocks *blocks) {
    open_run(blocks)->last = true;
    blocks->run = NULL;
    blocks->in_run = false;
    blocks->state = blocks->objects ? PGO_AT_OID : PGO_AT_TYPE;
}

static size_t copy(pgo_archive_blocks *blocks, const char *data, size_t length) {
    pgo_archive_piece *piece = blocks->piece;
    size_t room = PGO_ARCHIVE_PIECE - piece->length;
    size_t some = length < room ? length : room;
    memcpy(piece->raw + piece->length, data, some);
    piece->length += some;
    open_run(blocks)->length += some;
    return some;
}

/* -1: not the length of a chunk. */
static int64_t chunk_length(const unsigned char *b) {
    uint32_t value =
        (uint32_t)b[1] | (uint32_t)b[2] << 8 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 24;
    return b[0] != 0 || value > PGO_ARCHIVE_CHUNK_MOST ? -1 : (int64_t)value;
}

/* The way of millions: whole chunks that fit into the piece. Returns the bytes that it took. */
static size_t take_chunks(pgo_archive_blocks *blocks, const char *data, size_t length) {
    pgo_archive_piece *piece = blocks->piece;
    struct pgo_archive_step *run = open_run(blocks);
    char *to = piece->raw + piece->length, *end = piece->raw + PGO_ARCHIVE_PIECE;
    const char *from = data, *stop = data + length;
    while (stop - from >= PGO_ARCHIVE_INT) {
        int64_t size = chunk_length((const unsigned char *)from);
        if (size <= 0 || size > stop - from - PGO_ARCHIVE_INT || size > end - to) {
            break; /* the end, trouble, or a chunk that is cut: the slow way knows */
        }
        memcpy(to, from + PGO_ARCHIVE_INT, (size_t)size);
        to += size;
        from += PGO_ARCHIVE_INT + size;
    }
    run->length += (size_t)(to - piece->raw) - piece->length;
    piece->length = (size_t)(to - piece->raw);
    return (size_t)(from - data);
}

/* --- numbers --- */

static int begin_chunk(pgo_archive_blocks *blocks, pgo_err *err) {
    int64_t length = chunk_length(blocks->number);
    if (length < 0) {
        return pgo_fail(err, PGO_E_ARCHIVE, "at byte %llu: there should be the length of a chunk",
                        PLACE(blocks, PGO_ARCHIVE_INT));
    }
    if (length == 0) {
        end_run(blocks);
    } else {
        blocks->left = (size_t)length;
        blocks->state = PGO_IN_CHUNK;
    }
    return 0;
}

/* Blocks come in the order of the table of contents, so the search is short. */
static struct pgo_archive_mark *find_entry(pgo_archive_blocks *blocks, int64_t id) {
    const pgo_archive_head *head = blocks->head;
    for (size_t i = 0; i < head->count; i++) {
        size_t index = (blocks->next + i) % head->count;
        if (head->marks[index].id == id) {
            blocks->next = index + 1;
            return &head->marks[index];
        }
    }
    return NULL;
}

static int begin_block(pgo_archive_blocks *blocks, pgo_err *err) {
    int64_t id = chunk_length(blocks->number);
    struct pgo_archive_mark *mark = find_entry(blocks, id);
    if (mark == NULL || mark->flag == PGO_ARCHIVE_DATA_NONE || mark->seen) {
        const char *why = mark == NULL ? "the table of contents has not"
                          : mark->seen ? "has come before"
                                       : "has no data";
        return pgo_fail(err, PGO_E_ARCHIVE, "at byte %llu: the data of an entry that %s",
                        PLACE(blocks, PGO_ARCHIVE_INT), why);
    }
    mark->seen = true;
    blocks->count++;
    add_step(blocks, PGO_ARCHIVE_BLOCK)->entry = (size_t)(mark - blocks->head->marks);
    blocks->objects = blocks->type == OBJECTS;
    blocks->state = blocks->objects ? PGO_AT_OID : PGO_AT_LENGTH;
    return 0;
}

/* An oid of 2^31 and more stands there as a negative number: it is passed on as it is. A negative
 * zero would be the end to a reader that counts, and is written by none. */
static int begin_object(pgo_archive_blocks *blocks, pgo_err *err) {
    static const unsigned char zero[PGO_ARCHIVE_INT] = {0};
    const unsigned char *number = blocks->number;
    bool is_zero = memcmp(number + 1, zero + 1, sizeof zero - 1) == 0;
    if (number[0] > 1 || (number[0] == 1 && is_zero)) {
        return pgo_fail(err, PGO_E_ARCHIVE, "at byte %llu: there should be a large object's oid",
                        PLACE(blocks, PGO_ARCHIVE_INT));
    }
    add_step(blocks, is_zero ? PGO_ARCHIVE_END : PGO_ARCHIVE_OBJECT);
    blocks->state = is_zero ? PGO_AT_TYPE : PGO_AT_LENGTH;
    return 0;
}

static int use_number(pgo_archive_blocks *blocks, pgo_err *err) {
    blocks->have = 0;
    switch (blocks->state) {
    case PGO_AT_ID:
        return begin_block(blocks, err);
    case PGO_AT_OID:
        return begin_object(blocks, err);
    default:
        return begin_chunk(blocks, err);
    }
}

/* --- feeding --- */

static int take_type(pgo_archive_blocks *blocks, char type, pgo_err *err) {
    if (type != TABLE && type != OBJECTS) {
        return pgo_fail(err, PGO_E_ARCHIVE,
                        "at byte %llu: there should be a block of data, but there is %d",
                        PLACE(blocks, 1), (unsigned char)type);
    }
    blocks->type = type;
    blocks->state = PGO_AT_ID;
    return 0;
}

static size_t take_number(pgo_archive_blocks *blocks, const char *data, size_t length) {
    size_t wanted = PGO_ARCHIVE_INT - blocks->have;
    size_t some = length < wanted ? length : wanted;
    memcpy(blocks->number + blocks->have, data, some);
    blocks->have += some;
    return some;
}

static size_t take_chunk(pgo_archive_blocks *blocks, const char *data, size_t length) {
    size_t some = copy(blocks, data, length < blocks->left ? length : blocks->left);
    blocks->left -= some;
    if (blocks->left == 0) {
        blocks->state = PGO_AT_LENGTH;
    }
    return some;
}

static int take_some(pgo_archive_blocks *blocks, const char *data, size_t length, size_t *some,
                     pgo_err *err) {
    *some = 0;
    if (blocks->state == PGO_AT_LENGTH && blocks->have == 0) {
        *some = take_chunks(blocks, data, length);
    }
    if (*some > 0) {
        blocks->position += *some;
        return 0;
    }
    *some = blocks->state == PGO_AT_TYPE    ? 1
            : blocks->state == PGO_IN_CHUNK ? take_chunk(blocks, data, length)
                                            : take_number(blocks, data, length);
    blocks->position += *some;
    if (blocks->state == PGO_AT_TYPE) {
        return take_type(blocks, *data, err);
    }
    return blocks->have == PGO_ARCHIVE_INT ? use_number(blocks, err) : 0;
}

/* A step more must always fit: three are what one number can add. */
static bool is_full(const pgo_archive_piece *piece) {
    return piece->length == PGO_ARCHIVE_PIECE || piece->count + 3 > PGO_ARCHIVE_STEPS;
}

int pgo_archive_blocks_feed(pgo_archive_blocks *blocks, const char *data, size_t length,
                            size_t *taken, pgo_err *err) {
    int status = 0;
    *taken = 0;
    while (status == 0 && *taken < length && !blocks->full) {
        size_t some;
        status = take_some(blocks, data + *taken, length - *taken, &some, err);
        *taken += some;
        if (is_full(blocks->piece)) {
            blocks->full = true;
            blocks->run = NULL; /* goes on in the next piece */
        }
    }
    return status;
}

static const struct pgo_archive_mark *find_missing(const pgo_archive_head *head) {
    for (size_t i = 0; i < head->count; i++) {
        if (head->marks[i].flag != PGO_ARCHIVE_DATA_NONE && !head->marks[i].seen) {
            return &head->marks[i];
        }
    }
    return NULL;
}

int pgo_archive_blocks_end(const pgo_archive_blocks *blocks, pgo_err *err) {
    if (blocks->state != PGO_AT_TYPE) {
        return pgo_fail(err, PGO_E_ARCHIVE,
                        "at byte %llu: the archive ends in the middle of its data",
                        PLACE(blocks, 0));
    }
    const struct pgo_archive_mark *missing = find_missing(blocks->head);
    if (missing != NULL) {
        return pgo_fail(err, PGO_E_ARCHIVE,
                        "at byte %llu: the archive ends without the data of entry %d",
                        PLACE(blocks, 0), missing->id);
    }
    return 0;
}
