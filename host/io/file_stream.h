/* Files and streams: a file read into a stream, a stream written to a file. The disk work runs on
 * the uv pool, a chunk at a time, so memory stays bounded and the loop never waits. */
#ifndef PGO_IO_FILE_STREAM_H
#define PGO_IO_FILE_STREAM_H

#include "core/op.h"
#include "core/stream.h"
#include "io/digest.h"

#include <stdint.h>
#include <sys/types.h>

/* --- file -> stream --- */

/* The sources of one owner that have not ended. One whose stream nobody reads any more keeps memory
 * and a descriptor until the set is ended. */
typedef struct pgo_source pgo_source;
typedef struct pgo_sources {
    pgo_source *first;
} pgo_sources;

/* Starts to read `fd` (taken over, also on failure) from `offset`: `length` bytes, or to the end
 * when negative. `path` names it in errors. *stream is the consumer's reference. A file that ends
 * before `length` bytes ends the stream with PGO_E_IO. Closing the stream ends the source. */
int pgo_source_start(pgo_sources *set, pgo_loop *loop, int fd, const char *path, uint64_t offset,
                     int64_t length, pgo_stream **stream, pgo_err *err) PGO_MUSTCHECK;
/* Closes what is left; those that are reading end on a later turn of the loop. */
void pgo_sources_end(pgo_sources *set);

/* --- stream -> file --- */

typedef struct pgo_sink_options {
    uint64_t offset;  /* where the first byte goes */
    bool create;      /* make the file if it is missing */
    bool truncate;    /* drop what it held before */
    bool sync;        /* on the disk before the op is done */
    mode_t mode;      /* of a file that is made */
    bool md5, sha256; /* digests wanted of what is written */
} pgo_sink_options;

typedef struct pgo_sink {
    pgo_op op;
    uint64_t bytes;                                   /* result: how many were written */
    char md5[PGO_DIGEST_HEX], sha256[PGO_DIGEST_HEX]; /* results: hex; "" unless wanted */

    pgo_stream *stream; /* a reference of its own */
    char *path;         /* owned */
    pgo_sink_options options;
    pgo_digest *digests[2]; /* md5, sha256; NULL unless wanted */
    uv_work_t work;
    bool working;
    int (*step)(struct pgo_sink *sink); /* on a pool thread */
    int failed;                         /* the step's code; op.err is filled */
    int fd;
    size_t length;
    char *chunk; /* owned; `length` bytes are in it */
} pgo_sink;

/* Sets up a zeroed op that writes all of `stream` (a reference is taken) to the file. Ends with the
 * stream's own error if that failed, or with PGO_E_IO naming path and bytes; then the stream is
 * closed. A cancelled sink leaves the bytes written so far. */
void pgo_sink_init(pgo_sink *sink, pgo_loop *loop, pgo_stream *stream, const char *path,
                   const pgo_sink_options *options);

#endif
