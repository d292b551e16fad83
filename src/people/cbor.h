/* cbor.h - a strict, bounded reader of CBOR (RFC 8949) as CTAP2 writes it: definite lengths, shortest forms, no tags, no floats; keys of maps are
 * numbers or texts and come once. The order of keys is not looked at: authenticators that get it wrong are about. No allocation. */
#ifndef RF_CBOR_H
#define RF_CBOR_H

#include "base/rf.h"

enum { CBOR_DEPTH_MAX = 8, CBOR_PAIRS_MAX = 32 };
enum cbor_type { CBOR_INT, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_BOOL, CBOR_NULL };
struct cbor_item {
    enum cbor_type type;
    int64_t number; /* INT, BOOL: 0 or 1; ARRAY, MAP: how many items or pairs follow */
    rf_str bytes;   /* BYTES, TEXT: a view */
};
/* Reads the head of the item at *at, and its bytes when it has some; *at is behind it then. False: it is no such CBOR, or cut off. */
bool cbor_next(rf_str text, size_t *at, struct cbor_item *out);
/* Passes over a whole item, whatever is in it, down to a depth of CBOR_DEPTH_MAX, with CBOR_PAIRS_MAX pairs a map. */
bool cbor_skip(rf_str text, size_t *at);
/* The value of a key in the map that begins at `at`: *value is where it begins. False when there is none, a key comes twice, or the map is malformed. */
bool cbor_find_text(rf_str text, size_t at, const char *key, size_t *value);
bool cbor_find_int(rf_str text, size_t at, int64_t key, size_t *value);

#endif
