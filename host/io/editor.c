/* libedit in its unbuffered mode: each call takes one key. Its own notion of the end of input
 * cannot be told from an empty line there, so Control-D is a function of ours. */
#include "io/editor.h"

#include <histedit.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HISTORY = 1000 };

struct pgo_editor {
    EditLine *line;
    History *history;
    locale_t locale; /* of the terminal's letters: the program itself runs in "C" */
    const char *prompt;
    bool taken, at_end;
};

static char *prompt(EditLine *line) {
    pgo_editor *editor;
    el_get(line, EL_CLIENTDATA, &editor);
    return (char *)(uintptr_t)editor->prompt;
}

/* Control-D: the end on an empty line, else the letter under the cursor goes. */
static unsigned char end_or_delete(EditLine *line, wint_t key) {
    (void)key;
    pgo_editor *editor;
    el_get(line, EL_CLIENTDATA, &editor);
    const LineInfo *info = el_line(line);
    if (info->lastchar == info->buffer) {
        editor->at_end = true;
        return CC_EOF;
    }
    if (info->cursor == info->lastchar) {
        return CC_ERROR;
    }
    el_cursor(line, 1);
    el_deletestr(line, 1);
    return CC_REFRESH;
}

static void bind_keys(EditLine *line) {
    el_set(line, EL_EDITOR, "emacs");
    /* Wide: el_set would make copies, which nobody frees. */
    el_wset(line, EL_ADDFN, L"end-or-delete", L"end the input, or delete a letter", end_or_delete);
    el_set(line, EL_BIND, "^D", "end-or-delete", NULL);
    el_set(line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(line, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(line, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    el_set(line, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
    el_set(line, EL_BIND, "\\e[H", "ed-move-to-beg", NULL);
    el_set(line, EL_BIND, "\\e[F", "ed-move-to-end", NULL);
}

static int open_line(pgo_editor *editor, pgo_err *err) {
    HistEvent event;
    editor->line = el_init("pgorch", stdin, stdout, stderr);
    editor->history = history_init();
    if (editor->line == NULL || editor->history == NULL) {
        return pgo_fail(err, PGO_E_NOMEM, "the editor of lines");
    }
    history(editor->history, &event, H_SETSIZE, HISTORY);
    el_set(editor->line, EL_CLIENTDATA, editor);
    el_set(editor->line, EL_PROMPT, prompt);
    el_set(editor->line, EL_SIGNAL, 0); /* the host has its own */
    el_set(editor->line, EL_HIST, history, editor->history);
    bind_keys(editor->line);
    return 0;
}

pgo_editor *pgo_editor_new(pgo_err *err) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        pgo_fail(err, PGO_E_INVALID, "lines are edited on a terminal");
        return NULL;
    }
    pgo_editor *editor = calloc(1, sizeof *editor);
    if (editor == NULL) {
        pgo_fail(err, PGO_E_NOMEM, "the editor of lines");
        return NULL;
    }
    editor->locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (editor->locale == (locale_t)0) {
        editor->locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    }
    locale_t before = uselocale(editor->locale);
    int rc = open_line(editor, err);
    uselocale(before);
    if (rc < 0) {
        pgo_editor_free(editor);
        return NULL;
    }
    return editor;
}

void pgo_editor_free(pgo_editor *editor) {
    if (editor == NULL) {
        return;
    }
    pgo_editor_end(editor);
    locale_t before = uselocale(editor->locale);
    if (editor->history != NULL) {
        history_end(editor->history);
    }
    if (editor->line != NULL) {
        el_end(editor->line);
    }
    uselocale(before);
    freelocale(editor->locale);
    free(editor);
}

int pgo_editor_remember(pgo_editor *editor, const char *text, pgo_err *err) {
    HistEvent event;
    locale_t before = uselocale(editor->locale);
    int rc = history(editor->history, &event, H_ENTER, text);
    uselocale(before);
    return rc < 0 ? pgo_fail(err, PGO_E_NOMEM, "the history of lines") : 0;
}

void pgo_editor_begin(pgo_editor *editor, const char *text) {
    editor->prompt = text;
    editor->at_end = false;
    editor->taken = true;
    locale_t before = uselocale(editor->locale);
    el_set(editor->line, EL_UNBUFFERED, 1);
    uselocale(before);
}

bool pgo_editor_take(pgo_editor *editor, pgo_buffer *text, bool *at_end, pgo_err *err) {
    int count = 0;
    locale_t before = uselocale(editor->locale);
    const char *line = el_gets(editor->line, &count);
    bool complete = line != NULL && count > 0 && line[count - 1] == '\n';
    int rc = complete ? pgo_buffer_append(text, line, (size_t)count - 1) : 0;
    uselocale(before);
    *at_end = editor->at_end;
    if (rc < 0) {
        pgo_fail(err, PGO_E_NOMEM, "reading a line");
    }
    return complete || editor->at_end;
}

void pgo_editor_end(pgo_editor *editor) {
    if (editor->taken) {
        locale_t before = uselocale(editor->locale);
        el_set(editor->line, EL_UNBUFFERED, 0);
        uselocale(before);
        editor->taken = false;
    }
}
