/* Inside host/io/archive*.c only: the line of pieces between input and output. */
#ifndef PGO_IO_ARCHIVE_LINE_H
#define PGO_IO_ARCHIVE_LINE_H

#include "io/archive.h"

struct pgo_archive_task {
    pgo_work work;
    pgo_archive *archive;
    struct pgo_archive_task *next; /* of the spare ones, or in the line */
    pgo_archive_piece piece;
    int choice;    /* of the plan's */
    uint64_t took; /* of the thread's time */
    int status;
    bool finished, joined;
};

int pgo_archive_line_open(pgo_archive *archive, pgo_err *err) PGO_MUSTCHECK;
void pgo_archive_line_close(pgo_archive *archive); /* nothing is being pressed */

/* Whether there is a piece to fill: archive->filling. */
bool pgo_archive_line_fill(pgo_archive *archive);
/* The filled one goes to the end of the line, and to the crew in its turn. */
void pgo_archive_line_submit(pgo_archive *archive);
/* The first one, which has gone out, becomes spare. */
void pgo_archive_line_recycle(pgo_archive *archive);

/* Whether everything is pressed and waits for the output to take it: for the pace. */
void pgo_archive_line_look(pgo_archive *archive);

/* archive.c's: a piece is pressed, or could not be (archive->op.err is then filled). */
void pgo_archive_turn(pgo_archive *archive);
void pgo_archive_fail(pgo_archive *archive);

#endif
