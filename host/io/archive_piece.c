/* Makes the new archive's bytes out of a piece's steps. */
#include "io/archive_piece.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { ADLER = 4 };

int pgo_archive_piece_init(pgo_archive_piece *piece, pgo_err *err) {
    *piece = (pgo_archive_piece){.raw = malloc(PGO_ARCHIVE_PIECE)};
    piece->steps = malloc(PGO_ARCHIVE_STEPS * sizeof *piece->steps);
    if (piece->raw == NULL || piece->steps == NULL) {
        pgo_archive_piece_free(piece);
        return pgo_fail(err, PGO_E_NOMEM, "a piece of an archive");
    }
    return 0;
}

void pgo_archive_piece_clear(pgo_archive_piece *piece) {
    piece->length = piece->count = 0;
    piece->goes_on = piece->closes = piece->opens = false;
    pgo_buffer_clear(&piece->out);
    pgo_err_clear(&piece->err);
}

void pgo_archive_piece_free(pgo_archive_piece *piece) {
    free(piece->raw);
    free(piece->steps);
    pgo_buffer_free(&piece->out);
    pgo_err_clear(&piece->err);
    *piece = (pgo_archive_piece){0};
}

static int put(pgo_archive_piece *piece, const void *bytes, size_t length) {
    return pgo_buffer_append(&piece->out, bytes, length) < 0
               ? pgo_fail(&piece->err, PGO_E_NOMEM, "a piece of an archive")
               : 0;
}

static int put_zero(pgo_archive_piece *piece) {
    static const char zero[PGO_ARCHIVE_INT] = {0};
    return put(piece, zero, sizeof zero);
}

static void write_int(char *at, size_t value) {
    at[0] = 0;
    for (int i = 1; i < PGO_ARCHIVE_INT; i++, value >>= 8) {
        at[i] = (char)(value & 0xff);
    }
}

static void write_adler(char *at, uint32_t adler) {
    for (int i = 0; i < ADLER; i++) {
        at[i] = (char)(adler >> (24 - 8 * i) & 0xff);
    }
}

/* The checksum stands at the end of a run. Where the run came in from before, it is written when
 * what came before is known. */
static int put_adler(pgo_archive_piece *piece, const struct pgo_archive_step *step,
                     uint32_t adler) {
    char bytes[ADLER];
    write_adler(bytes, adler);
    piece->closes = piece->closes || !step->first;
    if (!step->first) {
        piece->adler_at = piece->out.length;
    }
    return put(piece, bytes, sizeof bytes);
}

static void note_sum(pgo_archive_piece *piece, const struct pgo_archive_step *step,
                     uint32_t adler) {
    if (!step->first) {
        piece->goes_on = true;
        piece->before = adler;
        piece->length_before = step->length;
    } else if (!step->last) {
        piece->opens = true;
        piece->open = adler;
    }
}

/* One chunk, of a zlib stream's beginning, middle or end, or of all of it. */
static int press_run(pgo_archive_piece *piece, const struct pgo_archive_step *step,
                     const char *data, pgo_deflate *deflate, enum pgo_deflate_engine engine,
                     int level) {
    static const char zlib_header[] = {0x78, (char)0x9c};
    uint32_t adler = pgo_deflate_adler(data, step->length);
    size_t began = piece->out.length;
    note_sum(piece, step, adler);
    int status = put_zero(piece); /* the chunk's length, once it is known */
    if (status == 0 && step->first) {
        status = put(piece, zlib_header, sizeof zlib_header);
    }
    if (status == 0) {
        status = pgo_deflate_piece(deflate, engine, level, data, step->length, step->last,
                                   &piece->out, &piece->err);
    }
    if (status == 0 && step->last) {
        status = put_adler(piece, step, adler);
    }
    if (status == 0) {
        write_int(piece->out.data + began, piece->out.length - began - PGO_ARCHIVE_INT);
    }
    return status == 0 && step->last ? put_zero(piece) : status;
}

static int press_step(pgo_archive_piece *piece, struct pgo_archive_step *step, const char *data,
                      pgo_deflate *deflate, enum pgo_deflate_engine engine, int level) {
    int status;
    switch (step->kind) {
    case PGO_ARCHIVE_BLOCK:
        step->at = piece->out.length;
        status = put(piece, &step->type, 1);
        return status < 0 ? status : put(piece, step->number, sizeof step->number);
    case PGO_ARCHIVE_OBJECT:
        return put(piece, step->number, sizeof step->number);
    case PGO_ARCHIVE_END:
        return put_zero(piece);
    default:
        return press_run(piece, step, data, deflate, engine, level);
    }
}

int pgo_archive_piece_press(pgo_archive_piece *piece, pgo_deflate *deflate,
                            enum pgo_deflate_engine engine, int level) {
    int status = 0;
    size_t at = 0;
    for (size_t i = 0; status == 0 && i < piece->count; i++) {
        struct pgo_archive_step *step = &piece->steps[i];
        status = press_step(piece, step, piece->raw + at, deflate, engine, level);
        at += step->kind == PGO_ARCHIVE_RUN ? step->length : 0;
    }
    return status;
}

void pgo_archive_piece_join(pgo_archive_piece *piece, uint32_t *run) {
    if (piece->goes_on) {
        *run = (uint32_t)adler32_combine(*run, piece->before, (z_off_t)piece->length_before);
    }
    if (piece->closes) {
        write_adler(piece->out.data + piece->adler_at, *run);
    }
    if (piece->opens) {
        *run = piece->open;
    }
}
