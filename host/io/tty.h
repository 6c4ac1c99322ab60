/* A line typed by a person on standard input, without blocking the loop. */
#ifndef PGO_IO_TTY_H
#define PGO_IO_TTY_H

#include "core/buffer.h"
#include "core/op.h"
#include "io/editor.h"

typedef struct pgo_tty_line {
    pgo_op op;
    pgo_buffer text; /* the result, without the newline */
    bool at_end;
    pgo_editor *editor; /* NULL: the terminal's own editing, without a prompt */
    const char *prompt;
    uv_poll_t *poll; /* a terminal, a pipe */
    int flags;       /* of the descriptor before; negative: not known */
} pgo_tty_line;

/* Reads up to the next newline. A regular file as standard input is read at once. An editor and its
 * prompt have to be there until the line is. */
void pgo_tty_line_init(pgo_tty_line *line, pgo_loop *loop, pgo_editor *editor, const char *prompt);

#endif
