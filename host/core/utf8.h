/* UTF-8, for what only takes text (JSON) or treats it in another way (passwords of SCRAM). */
#ifndef PGO_CORE_UTF8_H
#define PGO_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the sequence that begins at `text`, of which `left` bytes (at least one) are there; 0
 * if it is none (surrogates and overlong ones too). */
size_t pgo_utf8_length(const unsigned char *text, size_t left);

bool pgo_utf8_valid(const char *text, size_t length);

#endif
