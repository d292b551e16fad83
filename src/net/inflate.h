/* inflate.h - undoes the content coding of a body that is wholly there (RFC 9110 section 8.4.1). Pure; any thread. */
#ifndef RF_NET_INFLATE_H
#define RF_NET_INFLATE_H

#include "net/http_parse.h"

/* Decodes gzip, deflate or zstd (RFC 8878; windows of at most 8 MiB, as RFC 9659 has it) into malloc'ed memory of at most `max` bytes, which grows as text comes out: a bomb costs no more
 * than the limit. False with 413 when it would be more, 400 when it is malformed or goes on behind its end, 503 when memory is used
 * up. *out may be NULL when *out_bytes is 0. */
bool http_inflate(rf_str in, enum http_coding coding, size_t max, uint8_t **out, size_t *out_bytes,
                  struct http_refusal *why);

#endif
