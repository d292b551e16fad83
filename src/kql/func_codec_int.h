/* func_codec_int.h - what the files of the codec family share. */
#ifndef RF_FUNC_CODEC_INT_H
#define RF_FUNC_CODEC_INT_H

#include "kql/func_string_int.h"

/* Bytes of a guid as printed to its bytes in memory elsewhere (first three fields little endian), and
 * back. */
void codec_guid_swap(const uint8_t from[16], uint8_t to[16]);

func_kernel codec_hash_kernel;
func_kernel codec_hash_combine_kernel;
func_kernel codec_hash_many_kernel;
func_kernel codec_md5_kernel;
func_kernel codec_sha1_kernel;
func_kernel codec_sha256_kernel;

#endif
