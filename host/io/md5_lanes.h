/* MD5 of several messages of one length at once, a lane of a vector each. One MD5 is a chain of
 * dependent steps that leaves most of a core idle; eight chains side by side take hardly longer
 * than one. Parts of an upload are such messages. Runs on any thread; allocates nothing. */
#ifndef PGO_IO_MD5_LANES_H
#define PGO_IO_MD5_LANES_H

#include <stddef.h>

enum { PGO_MD5_LANES = 8, PGO_MD5_SIZE = 16 };

/* Of `count` (1 to PGO_MD5_LANES) messages of `length` bytes each. */
void pgo_md5_lanes(const void *const *messages, size_t count, size_t length,
                   unsigned char (*digests)[PGO_MD5_SIZE]);

#endif
