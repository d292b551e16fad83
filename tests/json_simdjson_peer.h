/* json_simdjson_peer.h - simdjson behind a C function, as a second opinion on JSON. */
#ifndef RF_TESTS_JSON_SIMDJSON_PEER_H
#define RF_TESTS_JSON_SIMDJSON_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_peer_verdict {
    JSON_PEER_REJECTS,
    JSON_PEER_ACCEPTS,
    JSON_PEER_BAD_NUMBER, /* malformed, or beyond int64, uint64 or double */
    JSON_PEER_BAD_STRING  /* malformed, or with an escaped lone surrogate */
};

/* Reads `text` and, when it is JSON, writes what it holds to `out`: { } [ ], k<bytes>:<key>,
 * s<bytes>:<text>, i<int64>; d<double as %a>; t f n. */
enum json_peer_verdict json_peer_read(const uint8_t *text, size_t len, uint8_t *out, size_t cap,
                                      size_t *out_len);

#ifdef __cplusplus
}
#endif

#endif
