/* codec_int.h - what the codecs share: where bytes come out. */
#ifndef RF_HUB_CODEC_INT_H
#define RF_HUB_CODEC_INT_H

#include "hub/codec.h"

enum codec_end { CODEC_GOOD, CODEC_BAD, CODEC_TOO_LONG, CODEC_NO_MEMORY };

/* Grows in an arena up to bytes_max. */
struct codec_sink {
    struct rf_arena *arena;
    uint8_t *ptr;
    size_t len, cap, bytes_max;
};
/* Makes room for at least `more` bytes behind len. */
enum codec_end codec_room(struct codec_sink *sink, size_t more);

/* A bare block, or a xerial stream of blocks. */
enum codec_end snappy_inflate(rf_str packed, struct codec_sink *sink);
/* Writes a xerial stream to `out` of snappy_room(len) bytes; returns its length. */
size_t snappy_room(size_t len);
size_t snappy_deflate(rf_str plain, uint8_t *out);

#endif
