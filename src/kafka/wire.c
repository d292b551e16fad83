#include "kafka/wire.h"

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static uint64_t big_endian(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | p[i];
    return value;
}

static bool take(struct kafka_reader *in, size_t bytes, rf_str *out)
{
    if (in->bad || bytes > in->rest.len) {
        in->bad = true;
        *out = (rf_str){NULL, 0};
        return false;
    }
    *out = rf_slice(in->rest, 0, bytes);
    in->rest = rf_slice(in->rest, bytes, in->rest.len);
    return true;
}

static uint64_t get(struct kafka_reader *in, size_t bytes)
{
    rf_str text;
    return take(in, bytes, &text) ? big_endian(text.ptr, bytes) : 0;
}

int8_t kafka_get_i8(struct kafka_reader *in) { return (int8_t)get(in, 1); }
bool kafka_get_bool(struct kafka_reader *in) { return get(in, 1) != 0; }
int16_t kafka_get_i16(struct kafka_reader *in) { return (int16_t)get(in, 2); }
int32_t kafka_get_i32(struct kafka_reader *in) { return (int32_t)get(in, 4); }
int64_t kafka_get_i64(struct kafka_reader *in) { return (int64_t)get(in, 8); }

/* A null text is told from an empty one by its pointer, also when the reader stands at NULL. */
static rf_str get_text(struct kafka_reader *in, int64_t len)
{
    rf_str text = {NULL, 0};
    if (len < -1) in->bad = true;
    if (len < 0 || !take(in, (size_t)len, &text)) return (rf_str){NULL, 0};
    return text.ptr == NULL ? RF_S("") : text;
}

rf_str kafka_get_nullable(struct kafka_reader *in) { return get_text(in, kafka_get_i16(in)); }
rf_str kafka_get_bytes(struct kafka_reader *in) { return get_text(in, kafka_get_i32(in)); }

rf_str kafka_get_string(struct kafka_reader *in)
{
    rf_str text = kafka_get_nullable(in);
    if (text.ptr == NULL) in->bad = true;
    return text;
}

uint32_t kafka_get_count(struct kafka_reader *in, size_t each_bytes_min, bool *is_null)
{
    int32_t count = kafka_get_i32(in);
    if (is_null != NULL) *is_null = count == -1;
    if (count == -1 && is_null != NULL) return 0;
    if (count < 0 || (uint32_t)count > in->rest.len / each_bytes_min) {
        in->bad = true;
        return 0;
    }
    return (uint32_t)count;
}

/* At most five bytes; what passes 32 bits is bad. */
static uint32_t get_uvarint(struct kafka_reader *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint64_t byte = get(in, 1);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (value > UINT32_MAX) break;
            return (uint32_t)value;
        }
    }
    in->bad = true;
    return 0;
}

rf_str kafka_get_compact(struct kafka_reader *in)
{
    return get_text(in, (int64_t)get_uvarint(in) - 1);
}

void kafka_skip_tags(struct kafka_reader *in)
{
    rf_str ignored;
    uint32_t count = get_uvarint(in);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        (void)get_uvarint(in);
        (void)take(in, get_uvarint(in), &ignored);
    }
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

static void put(struct rf_buf *out, uint64_t value, size_t bytes)
{
    uint8_t text[8];
    for (size_t i = 0; i < bytes; i++) text[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    rf_buf_put(out, text, bytes);
}

void kafka_put_i8(struct rf_buf *out, int8_t value) { put(out, (uint64_t)value, 1); }
void kafka_put_bool(struct rf_buf *out, bool value) { put(out, value, 1); }
void kafka_put_i16(struct rf_buf *out, int16_t value) { put(out, (uint64_t)value, 2); }
void kafka_put_i32(struct rf_buf *out, int32_t value) { put(out, (uint64_t)value, 4); }
void kafka_put_i64(struct rf_buf *out, int64_t value) { put(out, (uint64_t)value, 8); }

void kafka_put_string(struct rf_buf *out, rf_str value)
{
    size_t len = RF_MIN(value.len, (size_t)INT16_MAX);
    kafka_put_i16(out, (int16_t)len);
    rf_buf_put(out, value.ptr, len);
}

void kafka_put_nullable(struct rf_buf *out, rf_str value)
{
    if (value.ptr == NULL)
        kafka_put_i16(out, -1);
    else
        kafka_put_string(out, value);
}

void kafka_put_bytes(struct rf_buf *out, rf_str value)
{
    RF_ASSERT(value.len <= INT32_MAX);
    kafka_put_i32(out, value.ptr == NULL ? -1 : (int32_t)value.len);
    rf_buf_str(out, value);
}

void kafka_put_count(struct rf_buf *out, size_t count)
{
    RF_ASSERT(count <= INT32_MAX);
    kafka_put_i32(out, (int32_t)count);
}

void kafka_put_uvarint(struct rf_buf *out, uint32_t value)
{
    for (; value >= 0x80; value >>= 7) rf_buf_byte(out, (uint8_t)(value | 0x80));
    rf_buf_byte(out, (uint8_t)value);
}

void kafka_set_i32(struct rf_buf *out, size_t at, int32_t value)
{
    if (out->failed) return;
    RF_ASSERT(at + 4 <= out->len);
    for (size_t i = 0; i < 4; i++) out->ptr[at + i] = (uint8_t)((uint32_t)value >> (24 - 8 * i));
}
