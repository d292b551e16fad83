/* codec.h - the four ways in which the records of a batch are compressed. Pure; any thread. */
#ifndef RF_HUB_CODEC_H
#define RF_HUB_CODEC_H

#include "hub/record.h"

/* Undoes `codec` (not CODEC_NONE) into `arena`. Memory is taken as bytes come out, so that a short text that claims to be long costs no more
 * than what it is. RF_INVALID CorruptMessage; RF_LIMIT MessageTooLarge: more than `bytes_max`; MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind codec_inflate(enum batch_codec codec, rf_str packed, size_t bytes_max,
                                       struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* Compresses into `arena`: gzip of level 6, snappy as a xerial stream, lz4 of independent blocks, zstd of level 3. RF_LIMIT
 * MemoryBudgetExceeded, MessageTooLarge: above 1 GiB. */
RF_MUST_USE enum rf_kind codec_deflate(enum batch_codec codec, rf_str plain, struct rf_arena *arena,
                                       rf_str *out, struct rf_err *err);

#endif
