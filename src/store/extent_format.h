/* extent_format.h - the bytes of an extent file, version 1. Little endian; docs/formats.md says the same at length.
 *
 *   header, 64 bytes                       trailer, the last 96 bytes of the file
 *    0   8  magic "RFEXT\0\0\1"             0   8  magic "RFEXTEND"
 *    8   4  version                         8   4  version
 *   12   4  flags: 1 encrypted             12   4  flags
 *   16  16  id: random when encrypted      16  16  id
 *   32   8  check of the key               32   8  check of the key
 *   40   8  zero                           40  28  footer: region
 *   48  16  xxh3-128 of the above          68  12  zero
 *                                          80  16  xxh3-128 of the above
 *
 *   region: bytes that are read and checked as one     0   8  offset in the file, 64-byte aligned
 *   (block, chunk of texts, dictionary, filter,        8   4  bytes, with the tag when encrypted
 *   footer). What points to it holds its checksum,    12  16  xxh3-128 of the bytes as stored
 *   so that a misdirected write shows.
 *
 *   Encrypted: AES-256-GCM; key HMAC-SHA256(given key, "ringfort extent" id), nonce the region's offset (8 bytes)
 *   and four zero bytes, additional data the id; 16 bytes of tag follow the bytes. A file is written once, so that
 *   no nonce comes twice under one key. Check of the key: 8 bytes of HMAC-SHA256(given key, "ringfort check" id).
 *
 *   footer   0   4  columns                     per block of a column
 *            4   4  column of time, or 2^32-1    0  28  block: region
 *            8   8  rows                        28   4  nulls
 *           16   8  earliest time               32   1  flags: 1 min and max are there, 2 max goes on
 *           24   8  latest time                 33  16  min: number in the first 8, or the first 16 of a text
 *           32      per column                  49  16  max
 *     0  2  bytes of the name; the name
 *        1  type
 *        1  storage: 0 cells, 1 dictionary, 2 texts, 3 shapes
 *       32  dictionary: u32 entries, list: region; shapes: u32 shapes and 1, set of shapes: region
 *           shapes only: u16 columns within, the first for rows without a shape, then the set's leaves:
 *        1  type
 *        1  storage: 0, 1 or 2
 *       32  dictionary only: as above
 *           blocks, each with the rows that it holds in front: 4
 *        1  terms: 1 there is an index; then 28 index: region
 *           blocks of 65,536 rows
 *
 *   block   0  4  bytes of the null map (0: no nulls)        list   0  4  items a chunk
 *           4     null map: ints, 1 is null                         4  4  chunks
 *                 cells: ints, or reals                             8     chunks: regions of texts
 *                 dictionary, shapes: ints, the codes; of shapes 0 is none
 *                 texts: list
 *
 *   index of terms   0  4  granules (of 512 rows)
 *                    4  4  rows of the filter
 *                    8  4  rows a region
 *                   12     a byte per granule: 1 it holds guids whose later parts were left out
 *                          regions: row 0 of every granule (64 bytes each), row 1 ... */
#ifndef RF_EXTENT_FORMAT_H
#define RF_EXTENT_FORMAT_H

#include <stdint.h>

enum {
    EXTENT_VERSION = 1,
    EXTENT_HEADER_BYTES = 64,
    EXTENT_TRAILER_BYTES = 96,
    EXTENT_ALIGN = 64,
    EXTENT_FLAG_ENCRYPTED = 1,
    EXTENT_REGION_BYTES = 28,
    EXTENT_BLOCK_ENTRY_BYTES = 65,
    EXTENT_TAG_BYTES = 16,
    EXTENT_ID_BYTES = 16,
    EXTENT_KEY_CHECK_BYTES = 8,
    EXTENT_FOOTER_HEAD_BYTES = 32,
    EXTENT_REGION_BYTES_MAX = 1 << 30
};
static const uint8_t extent_magic[8] = {'R', 'F', 'E', 'X', 'T', 0, 0, 1};
static const uint8_t extent_trailer_magic[8] = {'R', 'F', 'E', 'X', 'T', 'E', 'N', 'D'};

enum extent_storage { EXTENT_CELLS, EXTENT_DICT, EXTENT_TEXTS, EXTENT_SHAPES, EXTENT_STORAGES };
enum { EXTENT_BLOCK_HAS_RANGE = 1, EXTENT_BLOCK_MAX_CUT = 2 };

#endif
