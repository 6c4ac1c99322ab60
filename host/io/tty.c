/* Standard input, byte by byte up to a newline: nothing that comes after the line is taken, so the
 * next reader, or a child, finds it. */
#include "io/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void end_editing(pgo_tty_line *line) {
    if (line->editor != NULL) {
        pgo_editor_end(line->editor);
    }
}

static void closed(uv_handle_t *handle) {
    pgo_tty_line *line = handle->data;
    free(handle);
    line->poll = NULL;
    end_editing(line);
    if (line->flags >= 0) { /* a terminal's output shares them, and the shell gets them back */
        (void)fcntl(STDIN_FILENO, F_SETFL, line->flags);
    }
    pgo_op_complete(&line->op, line->op.err.code);
}

static void finish(pgo_tty_line *line) {
    if (line->poll == NULL) {
        pgo_op_complete(&line->op, line->op.err.code);
    } else if (!uv_is_closing((uv_handle_t *)line->poll)) {
        uv_close((uv_handle_t *)line->poll, closed);
    }
}

/* One byte. True when the line is complete, or there will be no more. */
static bool take(pgo_tty_line *line) {
    char byte;
    ssize_t count = read(STDIN_FILENO, &byte, 1);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return false;
    }
    if (count <= 0) {
        line->at_end = true;
        return true;
    }
    if (byte == '\n') {
        return true;
    }
    if (pgo_buffer_append(&line->text, &byte, 1) < 0) {
        pgo_fail(&line->op.err, PGO_E_NOMEM, "reading a line");
        return true;
    }
    return false;
}

static void readable(uv_poll_t *poll, int status, int events) {
    pgo_tty_line *line = poll->data;
    bool complete;
    if (line->editor == NULL) {
        complete = take(line);
    } else if (status < 0 || (events & UV_DISCONNECT) != 0) {
        complete = line->at_end = true;
    } else {
        complete = pgo_editor_take(line->editor, &line->text, &line->at_end, &line->op.err);
    }
    if (complete) {
        finish(line);
    }
}

static void start(pgo_op *op) {
    pgo_tty_line *line = (pgo_tty_line *)op;
    if (line->editor != NULL) {
        pgo_editor_begin(line->editor, line->prompt);
    }
    line->poll = malloc(sizeof *line->poll);
    if (line->poll == NULL) {
        end_editing(line);
        pgo_op_fail(op, PGO_E_NOMEM, "reading a line");
        return;
    }
    line->flags = fcntl(STDIN_FILENO, F_GETFL); /* uv_poll_init makes it non-blocking */
    if (uv_poll_init(&op->loop->uv, line->poll, STDIN_FILENO) < 0) {
        free(line->poll); /* a regular file, or /dev/null: it never blocks */
        line->poll = NULL;
        while (!take(line)) {
        }
        finish(line);
        return;
    }
    line->poll->data = line;
    uv_poll_start(line->poll, UV_READABLE | UV_DISCONNECT, readable);
}

static void cancel(pgo_op *op) {
    pgo_fail(&op->err, PGO_E_CANCELED, "cancelled");
    finish((pgo_tty_line *)op);
}

static void release(pgo_op *op) {
    pgo_buffer_free(&((pgo_tty_line *)op)->text);
}

static const pgo_op_type type = {"term.line", start, cancel, release};

void pgo_tty_line_init(pgo_tty_line *line, pgo_loop *loop, pgo_editor *editor, const char *prompt) {
    pgo_op_init(&line->op, &type, loop);
    line->text = (pgo_buffer){0};
    line->at_end = false;
    line->editor = editor;
    line->prompt = prompt;
    line->poll = NULL;
}
