/* checksum.h - the 128-bit XXH3 of many bytes, with the widest registers that pay. */
#ifndef RF_CHECKSUM_H
#define RF_CHECKSUM_H

#include "base/rf.h"

/* Writes the low half, then the high half, each little endian. About 25 GB/s from the cache. */
void rf_checksum(const void *bytes, size_t len, uint8_t out[16]);

#endif
