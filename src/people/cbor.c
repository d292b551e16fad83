#include "people/cbor.h"

/* The argument of a head, in the shortest form only. */
static bool argument(rf_str text, size_t *at, unsigned info, uint64_t *out)
{
    static const uint64_t least[] = {24, 1u << 8, 1u << 16, UINT64_C(1) << 32};
    if (info < 24) {
        *out = info;
        return true;
    }
    if (info > 27) return false;
    size_t bytes = (size_t)1 << (info - 24);
    if (text.len - *at < bytes) return false;
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) number = number << 8 | text.ptr[(*at)++];
    *out = number;
    return number >= least[info - 24];
}

bool cbor_next(rf_str text, size_t *at, struct cbor_item *out)
{
    uint64_t number;
    if (*at >= text.len) return false;
    uint8_t head = text.ptr[(*at)++];
    unsigned major = head >> 5, info = head & 31;
    *out = (struct cbor_item){.type = CBOR_NULL};
    if (major == 7) {
        if (info != 20 && info != 21 && info != 22) return false;
        if (info != 22) out->type = CBOR_BOOL;
        out->number = info == 21;
        return true;
    }
    if (!argument(text, at, info, &number) || number > INT64_MAX) return false;
    switch (major) {
    case 0:
    case 1:
        out->type = CBOR_INT;
        out->number = major == 0 ? (int64_t)number : -1 - (int64_t)number;
        return true;
    case 2:
    case 3:
        if (number > text.len - *at) return false;
        out->type = major == 2 ? CBOR_BYTES : CBOR_TEXT;
        out->bytes = rf_slice(text, *at, *at + (size_t)number);
        *at += (size_t)number;
        return major == 2 || rf_utf8_valid(out->bytes);
    case 4:
    case 5:
        /* Each item has a byte at least: a number that cannot be true is no memory and no time. */
        if (number > text.len - *at) return false;
        out->type = major == 4 ? CBOR_ARRAY : CBOR_MAP;
        out->number = (int64_t)number;
        return true;
    default:
        return false;
    }
}

/* What is open: an array or a map with so many items left, and the keys of a map that came. */
struct level {
    uint64_t left;
    bool is_map;
    uint32_t key_count;
    rf_str keys[CBOR_PAIRS_MAX];
};

/* As forms are the shortest, keys are the same when their bytes are. */
static bool take_key(struct level *level, rf_str key)
{
    for (uint32_t i = 0; i < level->key_count; i++)
        if (rf_str_eq(level->keys[i], key)) return false;
    level->keys[level->key_count++] = key;
    return true;
}

bool cbor_skip(rf_str text, size_t *at)
{
    struct level levels[CBOR_DEPTH_MAX + 1];
    unsigned depth = 0;
    levels[0].left = 1;
    levels[0].is_map = false;
    for (;;) {
        struct cbor_item item;
        while (levels[depth].left == 0) {
            if (depth == 0) return true;
            depth--;
        }
        struct level *level = &levels[depth];
        bool is_key = level->is_map && level->left % 2 == 0;
        size_t from = *at;
        level->left--;
        if (!cbor_next(text, at, &item)) return false;
        if (is_key && ((item.type != CBOR_INT && item.type != CBOR_TEXT) ||
                       !take_key(level, rf_slice(text, from, *at))))
            return false;
        if (item.type != CBOR_ARRAY && item.type != CBOR_MAP) continue;
        bool is_map = item.type == CBOR_MAP;
        if (depth == CBOR_DEPTH_MAX || (is_map && item.number > CBOR_PAIRS_MAX)) return false;
        level = &levels[++depth];
        level->left = (uint64_t)item.number * (is_map ? 2 : 1);
        level->is_map = is_map;
        level->key_count = 0;
    }
}

static bool find(rf_str text, size_t at, enum cbor_type type, rf_str name, int64_t number,
                 size_t *value)
{
    struct cbor_item map, key;
    size_t end = at;
    bool found = false;
    if (!cbor_skip(text, &end) || !cbor_next(text, &at, &map) || map.type != CBOR_MAP) return false;
    for (int64_t i = 0; i < map.number; i++) {
        if (!cbor_next(text, &at, &key)) return false;
        bool same = key.type == type &&
                    (type == CBOR_INT ? key.number == number : rf_str_eq(key.bytes, name));
        if (same) *value = at;
        found |= same;
        if (!cbor_skip(text, &at)) return false;
    }
    return found;
}

bool cbor_find_text(rf_str text, size_t at, const char *key, size_t *value)
{
    return find(text, at, CBOR_TEXT, rf_str_of(key), 0, value);
}

bool cbor_find_int(rf_str text, size_t at, int64_t key, size_t *value)
{
    return find(text, at, CBOR_INT, (rf_str){0}, key, value);
}
