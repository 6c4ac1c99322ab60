/* Editing of a line that is typed on a terminal, with a history, by libedit. Reads a key only when
 * there is one, so that the loop goes on; host/io/tty.h waits for keys. One per host and terminal,
 * on the loop's thread. */
#ifndef PGO_IO_EDITOR_H
#define PGO_IO_EDITOR_H

#include "core/buffer.h"
#include "core/error.h"

#include <stdbool.h>

typedef struct pgo_editor pgo_editor;

/* Edits on standard input and output. NULL with err filled when out of memory, or when this is no
 * terminal. */
pgo_editor *pgo_editor_new(pgo_err *err);
void pgo_editor_free(pgo_editor *editor); /* NULL: nothing; between begin and end: ends first */

/* Adds a line to what the arrow keys bring back. */
int pgo_editor_remember(pgo_editor *editor, const char *text, pgo_err *err) PGO_MUSTCHECK;

/* Shows the prompt, which has to be there until the end, and takes the terminal over: what is typed
 * is no longer shown by itself. */
void pgo_editor_begin(pgo_editor *editor, const char *prompt);

/* One key, which there must be. Returns true when the line is complete (it is in `text`, without
 * its newline) or there will be no more (at_end), or when err was filled. */
bool pgo_editor_take(pgo_editor *editor, pgo_buffer *text, bool *at_end, pgo_err *err);

/* Gives the terminal back as it was. Harmless when it was not taken. */
void pgo_editor_end(pgo_editor *editor);

#endif
