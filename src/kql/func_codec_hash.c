/* func_codec_hash.c - hash functions whose results are seen: they are the same on every machine and in
 * every version. */
#include "kql/func_codec_int.h"

#include <openssl/evp.h>
#include <xxhash.h>

/* xxHash64 with seed 0 of the value's bytes: UTF-8 of texts (a dynamic as it prints), 8 bytes little
 * endian of numbers and ticks, one byte of a bool, 16 of a guid. */
static bool hash_value(const struct vec *v, uint32_t row, struct rf_buf *text, uint64_t *hash)
{
    uint8_t bytes[16];
    switch ((enum type)v->type) {
    case TYPE_STRING: {
        rf_str s = ARG_STR(v, row);
        *hash = XXH64(s.ptr, s.len, 0);
        return true;
    }
    case TYPE_DYNAMIC:
        text->len = 0;
        dyn_put_text(ARG_STR(v, row), text);
        *hash = XXH64(text->ptr, text->len, 0);
        return !text->failed;
    case TYPE_BOOL:
        bytes[0] = ARG_BOOL(v, row);
        *hash = XXH64(bytes, 1, 0);
        return true;
    case TYPE_GUID: {
        struct guid guid = ARG_GUID(v, row);
        codec_guid_swap(guid.bytes, bytes);
        *hash = XXH64(bytes, sizeof bytes, 0);
        return true;
    }
    case TYPE_DECIMAL: { /* by its text: equal numbers have one */
        struct value value = vec_value(v, row);
        text->len = 0;
        text_put_value(text, &value);
        *hash = XXH64(text->ptr, text->len, 0);
        return !text->failed;
    }
    default: /* the cell is 8 bytes, and little endian */
        *hash = XXH64((const uint8_t *)v->data + (ARG_STRIDE(v) ? (size_t)row * 8 : 0), 8, 0);
        return true;
    }
}

FUNC_KERNEL_SHARED(codec_hash_kernel)
{
    struct rf_buf text = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash;
        if (OUT_NULL(out)[i]) continue;
        if (!hash_value(&args[0], i, &text, &hash)) return rf_fail_memory(err, call->arena);
        int64_t result = (int64_t)hash;
        if (call->arg_count > 1) {
            int64_t modulus = ARG_I64(&args[1], i);
            if (modulus <= 0) {
                OUT_NULL(out)[i] = 1;
                continue;
            }
            result %= modulus;
            if (result < 0) result += modulus;
        }
        OUT_I64(out)[i] = result;
    }
    return RF_OK;
}

/* Order counts: combine(a, b) is not combine(b, a). */
static uint64_t combine(uint64_t first, uint64_t second)
{
    uint8_t bytes[16];
    rf_put_u64le(bytes, first);
    rf_put_u64le(bytes + 8, second);
    return XXH64(bytes, sizeof bytes, 0);
}

FUNC_KERNEL_SHARED(codec_hash_combine_kernel)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        uint64_t hash = (uint64_t)ARG_I64(&args[0], i);
        for (uint32_t a = 1; a < call->arg_count; a++)
            hash = combine(hash, (uint64_t)ARG_I64(&args[a], i));
        OUT_I64(out)[i] = (int64_t)hash;
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(codec_hash_many_kernel)
{
    struct rf_buf text = rf_buf_in(call->arena);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = 0, next;
        if (OUT_NULL(out)[i]) continue;
        for (uint32_t a = 0; a < call->arg_count; a++) {
            if (!hash_value(&args[a], i, &text, &next)) return rf_fail_memory(err, call->arena);
            hash = a == 0 ? next : combine(hash, next);
        }
        OUT_I64(out)[i] = (int64_t)hash;
    }
    return RF_OK;
}

/* ---- digests --------------------------------------------------------------------------------------- */

static enum rf_kind digest_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                struct vec *out, const EVP_MD *method, struct rf_err *err)
{
    static const char hex[] = "0123456789abcdef";
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned int len = 0;
        rf_str text;
        if (OUT_NULL(out)[i]) continue;
        if (!string_arg(&args[0], i, call->arena, &text)) return rf_fail_memory(err, call->arena);
        if (method == NULL || EVP_Digest(text.ptr, text.len, digest, &len, method, NULL) != 1)
            return RF_FAIL(err, RF_IO, "DigestFailed", "libcrypto refuses the digest of %s",
                           call->func->name);
        for (unsigned int b = 0; b < len; b++) {
            rf_buf_byte(&rows.buf, (uint8_t)hex[digest[b] >> 4]);
            rf_buf_byte(&rows.buf, (uint8_t)hex[digest[b] & 15]);
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL_SHARED(codec_md5_kernel) { return digest_rows(call, args, count, out, EVP_md5(), err); }
FUNC_KERNEL_SHARED(codec_sha1_kernel)
{
    return digest_rows(call, args, count, out, EVP_sha1(), err);
}
FUNC_KERNEL_SHARED(codec_sha256_kernel)
{
    return digest_rows(call, args, count, out, EVP_sha256(), err);
}
