/* keeper_seal_age.c - the end of generations: the oldest are retired (they open nothing, but are there), and then dropped. */
#include <openssl/crypto.h>

#include "crypt/digest.h"
#include "crypt/keeper.h"
#include "crypt/keeper_seal.h"

enum { LABEL_BYTES_MAX = 64, MORE_BYTES_MAX = 64 };
#define USEC_PER_MINUTE (INT64_C(60) * RF_USEC_PER_SECOND)

void root_derive(const uint8_t root[ROOT_KEY_BYTES], const char *label, rf_str more,
                 uint8_t out[ROOT_KEY_BYTES])
{
    uint8_t text[LABEL_BYTES_MAX + MORE_BYTES_MAX];
    size_t len =
        strlen(label) + 1; /* its NUL ends it, so that no label and text read as another pair */
    RF_ASSERT(len <= LABEL_BYTES_MAX);
    RF_ASSERT(more.len <= MORE_BYTES_MAX);
    memcpy(text, label, len);
    if (more.len > 0) memcpy(text + len, more.ptr, more.len);
    digest_hmac_sha256(rf_str_make(root, ROOT_KEY_BYTES), rf_str_make(text, len + more.len), out);
}

void root_derive_bases(const uint8_t root[ROOT_KEY_BYTES],
                       uint8_t bases[ROOT_BASES][ROOT_KEY_BYTES])
{
    static const struct {
        const char *label, *more;
    } names[ROOT_BASES] = {
        [ROOT_BASE_KEYS] = {"ringfort keeper keys 1", ""},
        [ROOT_BASE_HEADS] = {"ringfort heads 1", ""},
        [ROOT_BASE_AUDIT] = {"ringfort audit 1", ""},
        [ROOT_BASE_FLOORS] = {"ringfort floors 1", ""},
        [ROOT_BASE_STORE] = {"ringfort store 1", ""},
        [ROOT_BASE_MAC_SECRET] = {"ringfort mac 1", KEEPER_MAC_SECRET},
        [ROOT_BASE_MAC_PASSWORD] = {"ringfort mac 1", KEEPER_MAC_PASSWORD},
    };
    for (unsigned i = 0; i < ROOT_BASES; i++)
        root_derive(root, names[i].label, rf_str_of(names[i].more), bases[i]);
}

/* ---- retired, and dropped ------------------------------------------------------------------------------------------------ */

static enum rf_kind none_retired(struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "NothingRetired", "no generation is retired");
}

/* What the disk says counts, also when the slot before could not be overwritten. */
static enum rf_kind change(struct root_seal *seal, struct root_slot *next, struct rf_err *err)
{
    const struct root_slot *slot = &seal->slot;
    uint32_t gone = slot->dropped + 1;
    enum rf_kind kind = root_seal_write(seal, next, seal->key, err);
    atomic_store(&seal->kept, slot->dropped + 1);
    atomic_store(&seal->first, slot->dropped + slot->retired + 1);
    for (; gone <= slot->dropped; gone++)
        OPENSSL_cleanse(seal->roots[(gone - 1) % ROOTS_MAX], ROOT_KEY_BYTES);
    return kind;
}

enum rf_kind root_seal_retire(struct root_seal *seal, uint32_t through, rf_usec erase_at,
                              struct rf_err *err)
{
    struct root_slot next = seal->slot;
    uint32_t newest = atomic_load(&seal->newest);
    RF_ASSERT(seal->open);
    if (through == newest)
        return RF_FAIL(err, RF_CONFLICT, "GenerationNewest",
                       "generation %u is the newest; rotate first", through);
    if (through > newest || through <= next.dropped)
        return RF_FAIL(err, RF_NOT_FOUND, "GenerationGone", "there is no generation %u", through);
    next.retired = RF_MAX(next.retired, through - next.dropped);
    next.erase_at = (uint32_t)(erase_at / USEC_PER_MINUTE);
    return change(seal, &next, err);
}

enum rf_kind root_seal_keep(struct root_seal *seal, struct rf_err *err)
{
    struct root_slot next = seal->slot;
    if (next.retired == 0) return none_retired(err);
    next.retired = next.erase_at = 0;
    return change(seal, &next, err);
}

enum rf_kind root_seal_drop(struct root_seal *seal, struct rf_err *err)
{
    struct root_slot next = seal->slot;
    if (next.retired == 0) return none_retired(err);
    next.dropped += next.retired;
    next.root_count -= next.retired;
    next.retired = next.erase_at = 0;
    return change(seal, &next, err);
}

void root_seal_retired(const struct root_seal *seal, uint32_t *through, rf_usec *erase_at)
{
    const struct root_slot *slot = &seal->slot;
    *through = slot->retired == 0 ? 0 : slot->dropped + slot->retired;
    *erase_at = (rf_usec)slot->erase_at * USEC_PER_MINUTE;
}
