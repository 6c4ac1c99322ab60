/* Inside the file ops only: what runs on a pool thread and lives in a file of its own. */
#ifndef PGO_IO_FILE_RUN_H
#define PGO_IO_FILE_RUN_H

#include "io/file.h"

int pgo_file_fail(pgo_file *file, const char *verb); /* op.err from errno; returns its code */

int pgo_file_run_write(pgo_file *file);
int pgo_file_run_append(pgo_file *file);
int pgo_file_run_mkdir(pgo_file *file);
int pgo_file_run_mkdtemp(pgo_file *file);
int pgo_file_run_list(pgo_file *file);
int pgo_file_run_remove_tree(pgo_file *file);
int pgo_file_run_lock(pgo_file *file);
int pgo_file_run_is_locked(pgo_file *file);

#endif
