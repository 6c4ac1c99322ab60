/* Fuzzed: an archive's head, its data, and what is made of both. Whatever comes in is refused or
 * pressed, and what is pressed holds the same, as the tests' own reader sees it. The first byte
 * chooses the engine and how the input is cut. Built for libFuzzer by tests/fuzz/run, for a replay
 * by CMake, with pieces so small that a short input goes across many. */
#include "../support/archive_reader.h"
#include "../support/archive_writer.h"
#include "io/archive_blocks.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    enum pgo_deflate_engine engine;
    int level;
} engines[] = {{PGO_DEFLATE_ZLIB, 1},       {PGO_DEFLATE_ISAL, 1},       {PGO_DEFLATE_ISAL, 3},
               {PGO_DEFLATE_LIBDEFLATE, 1}, {PGO_DEFLATE_LIBDEFLATE, 6}, {PGO_DEFLATE_ZLIB, 6}};

struct input {
    const char *data;
    size_t length, at, cut;
    unsigned engine;
};

static size_t next_length(const struct input *in) {
    size_t left = in->length - in->at;
    return left < in->cut ? left : in->cut;
}

static bool read_head(struct input *in, pgo_archive_head *head) {
    pgo_err err = PGO_ERR_INIT;
    size_t taken;
    int status = 0;
    while (status == 0 && !head->complete && in->at < in->length) {
        status = pgo_archive_head_feed(head, in->data + in->at, next_length(in), &taken, &err);
        in->at += taken;
    }
    pgo_err_clear(&err);
    return head->complete;
}

/* Everything that Lua would ask of it. */
static void look_at(const pgo_archive_head *head) {
    for (size_t i = 0; i < head->count; i++) {
        pgo_archive_entry entry;
        pgo_archive_head_entry(head, i, &entry);
        size_t at = entry.dependencies;
        int id;
        while (pgo_archive_head_dependency(head, &at, &id)) {
        }
    }
}

static bool press(pgo_archive_piece *piece, pgo_deflate *deflate, unsigned engine, uint32_t *run,
                  pgo_buffer *out) {
    int lowest, highest;
    bool there = pgo_deflate_has(engines[engine].engine, &lowest, &highest);
    if (pgo_archive_piece_press(piece, deflate, there ? engines[engine].engine : PGO_DEFLATE_ZLIB,
                                there ? engines[engine].level : 1) < 0) {
        abort(); /* pressing never fails, whatever the data */
    }
    pgo_archive_piece_join(piece, run);
    put_bytes(out, piece->out.data, piece->out.length);
    pgo_archive_piece_clear(piece);
    return true;
}

/* The data, pressed piece by piece, behind the head; false: refused. */
static bool press_data(struct input *in, pgo_archive_head *head, pgo_deflate *deflate,
                       pgo_archive_piece *piece, pgo_buffer *out) {
    pgo_err err = PGO_ERR_INIT;
    uint32_t run = 0;
    pgo_archive_blocks blocks;
    size_t taken;
    int status = 0;
    pgo_archive_blocks_init(&blocks, head);
    blocks.piece = piece;
    while (status == 0 && in->at < in->length) {
        status = pgo_archive_blocks_feed(&blocks, in->data + in->at, next_length(in), &taken, &err);
        in->at += taken;
        if (status == 0 && blocks.full) {
            press(piece, deflate, in->engine++ % 6, &run, out);
            blocks.full = false;
        }
    }
    status = status == 0 ? pgo_archive_blocks_end(&blocks, &err) : status;
    pgo_err_clear(&err);
    return status == 0 && press(piece, deflate, in->engine % 6, &run, out);
}

static void check_same(const struct input *in, const pgo_buffer *out) {
    struct archive given, made;
    bool good = read_archive(in->data, in->length, &given);
    if (!good || !read_archive(out->data, out->length, &made) || !same_runs(&given, &made)) {
        abort();
    }
    free_archive(&given);
    free_archive(&made);
}

static void press_whole(struct input *in, pgo_archive_head *head) {
    pgo_err err = PGO_ERR_INIT;
    pgo_buffer out = {0};
    pgo_archive_piece piece;
    pgo_deflate *deflate = pgo_deflate_new();
    if (deflate == NULL || pgo_archive_piece_init(&piece, &err) < 0) {
        abort();
    }
    pgo_archive_head_set_gzip(head);
    put_bytes(&out, head->raw.data, head->raw.length);
    if (press_data(in, head, deflate, &piece, &out)) {
        check_same(in, &out);
    }
    pgo_archive_piece_free(&piece);
    pgo_deflate_free(deflate);
    pgo_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    struct input in = {.data = (const char *)data + 1, .length = size - 1, .engine = data[0] & 7};
    in.cut = data[0] >> 3 == 0 ? SIZE_MAX : (size_t)(data[0] >> 3) * (data[0] >> 3);
    pgo_archive_head head = {0};
    if (read_head(&in, &head)) {
        look_at(&head);
        if (head.compression == PGO_ARCHIVE_PLAIN) {
            press_whole(&in, &head);
        }
    }
    pgo_archive_head_free(&head);
    return 0;
}
