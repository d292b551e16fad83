/* seal_key_rig.h - what the tests of seal_key share: keys of each type, calls that must succeed or fail. */
#ifndef RF_TEST_SEAL_KEY_RIG_H
#define RF_TEST_SEAL_KEY_RIG_H

#include <criterion/criterion.h>

#include "base/encode.h"
#include "crypt/seal_key.h"
#include "test/seal_key_vectors.h"

struct rig {
    struct rf_arena arena;
    struct rf_err err;
};

static inline void rig_init(struct rig *rig)
{
    *rig = (struct rig){0};
    rf_arena_init(&rig->arena, 64 << 20);
}

static inline void rig_done(struct rig *rig) { rf_arena_done(&rig->arena); }

static inline rf_str rig_hex(struct rig *rig, const char *hex)
{
    rf_str out;
    cr_assert(hex_decode(&rig->arena, rf_str_of(hex), &out, &rig->err) == RF_OK, "%s", hex);
    return out;
}

/* A copy that may be spoilt. */
static inline uint8_t *rig_copy(struct rig *rig, rf_str bytes)
{
    uint8_t *copy = rf_arena_alloc(&rig->arena, bytes.len);
    cr_assert(copy != NULL);
    if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

static inline struct seal_head rig_head(enum seal_material material, uint32_t bits)
{
    return (struct seal_head){.material = material,
                              .enabled = true,
                              .ops = 63,
                              .bits = bits,
                              .generation = 1,
                              .not_before = SEAL_NO_TIME,
                              .expires = SEAL_NO_TIME};
}

static inline struct seal_key *rig_load(struct rig *rig, enum seal_material material, uint32_t bits,
                                        rf_str bytes)
{
    struct seal_head head = rig_head(material, bits);
    struct seal_key *key = NULL;
    cr_assert(seal_key_load(&head, bytes, &key, &rig->err) == RF_OK, "%s: %s", rig->err.code,
              rig->err.text);
    return key;
}

static inline struct seal_key *rig_known(struct rig *rig, enum seal_material material,
                                         uint32_t bits, const char *hex)
{
    return rig_load(rig, material, bits, rig_hex(rig, hex));
}

static inline struct seal_key *rig_new(struct rig *rig, enum seal_material material, uint32_t bits)
{
    struct seal_head head = rig_head(material, bits);
    rf_str bytes;
    cr_assert(seal_key_make(&head, &rig->arena, &bytes, &rig->err) == RF_OK, "%s", rig->err.text);
    return rig_load(rig, material, bits, bytes);
}

static inline struct seal_use rig_use(const char *algorithm, enum seal_op op, rf_str value)
{
    return (struct seal_use){.op = op, .algorithm = rf_str_of(algorithm), .value = value};
}

static inline struct seal_used rig_apply(struct rig *rig, struct seal_key *key,
                                         const struct seal_use *use)
{
    struct seal_used used = {0};
    cr_assert(seal_key_apply(key, use, &rig->arena, &used, &rig->err) == RF_OK, "%.*s %d: %s: %s",
              RF_FMT(use->algorithm), (int)use->op, rig->err.code, rig->err.text);
    return used;
}

/* The text of a refusal with `code`. */
static inline rf_str rig_refused(struct rig *rig, struct seal_key *key, const struct seal_use *use,
                                 const char *code)
{
    struct seal_used used = {.value = RF_S("untouched")};
    rf_str text;
    cr_assert(seal_key_apply(key, use, &rig->arena, &used, &rig->err) == RF_INVALID,
              "%.*s %d was not refused", RF_FMT(use->algorithm), (int)use->op);
    cr_assert(strcmp(rig->err.code, code) == 0, "%s: %s", rig->err.code, rig->err.text);
    cr_assert(rf_str_is(used.value, "untouched"));
    cr_assert(rf_arena_str(&rig->arena, rf_str_of(rig->err.text), &text));
    return text;
}

static inline bool rig_verifies(struct rig *rig, struct seal_key *key, const char *algorithm,
                                rf_str value, rf_str signature)
{
    struct seal_use use = rig_use(algorithm, SEAL_OP_VERIFY, value);
    use.signature = signature;
    struct seal_used used = rig_apply(rig, key, &use);
    cr_assert(used.value.len == 0);
    return used.verified;
}

#endif
