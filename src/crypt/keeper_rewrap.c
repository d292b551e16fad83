/* keeper_rewrap.c - keys that hang on older roots come under the newest one: the server brings each, and gets it back wrapped anew, never in clear. What may be
 * dropped is told by three: the server's own count, the keeper's books (of each key that it ever wrapped, in its file vault), and people.
 *
 * A turn leaves two lines, when something was rewrapped in it: rewrap.begun, rewrap.ended with the counts. */
#include <stdio.h>

#include <openssl/crypto.h>

#include "crypt/keeper_vault.h"

enum { DETAIL_BYTES = 160, CLEAN_TURNS = 2 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the %s does not fit", what);
}

enum rf_kind keeper_rewrap_note(struct keeper_vault *vault, const char *label,
                                const uint8_t id[SEAL_ID_BYTES], uint32_t generation,
                                struct rf_err *err)
{
    uint8_t floor[32];
    keeper_floor_id(label, id, NULL, floor);
    return keeper_floor_raise(&vault->floors, floor, FLOOR_WRAPPED | generation, err);
}

enum rf_kind keeper_rewrap_refuse(struct keeper_vault *vault, uint32_t generation, const char *text,
                                  struct rf_err *err)
{
    const struct root_seal *seal = &vault->keys->seal;
    uint32_t newest = atomic_load(&seal->newest);
    if (generation > newest)
        return RF_FAIL(
            err, RF_DENIED, "SealBroken",
            "%s: it names root generation %u, and the newest here is %u (an older backup "
            "of the folder keeper/?)",
            text, generation, newest);
    if (generation == 0 || generation >= atomic_load(&seal->first))
        return RF_FAIL(err, RF_DENIED, "SealBroken", "%s", text);
    if (generation < atomic_load(&seal->kept))
        return RF_FAIL(err, RF_DENIED, "SealGeneration",
                       "it is wrapped under root generation %u, which was dropped: only the folder "
                       "keeper/ of a backup from before that opens it",
                       generation);
    atomic_fetch_add(&vault->rewrap.wanted, 1);
    return RF_FAIL(err, RF_DENIED, "SealGeneration",
                   "it is wrapped under root generation %u, which is retired: 'ringfort vault "
                   "keep-generations' takes that back",
                   generation);
}

/* ---- one key ------------------------------------------------------------------------------------------------------------ */

/* The line that a turn has begun, once there is something to tell. */
static enum rf_kind count_moved(struct keeper_vault *vault, uint32_t generation, uint64_t *line,
                                struct rf_err *err)
{
    struct keeper_rewrap *rewrap = &vault->rewrap;
    char detail[DETAIL_BYTES];
    enum rf_kind kind = RF_OK;
    (void)snprintf(detail, sizeof detail, "generation %u", generation);
    pthread_mutex_lock(&rewrap->lock);
    if (!rewrap->told)
        kind = keeper_audit_append(&vault->keys->audit, "rewrap.begun", detail, line, NULL, err);
    rewrap->told = rewrap->told || kind == RF_OK;
    if (kind == RF_OK) rewrap->moved++;
    pthread_mutex_unlock(&rewrap->lock);
    return kind;
}

/* A wrapped key of the request: where the 68 bytes begin, and what they are bound to. */
struct bound {
    enum seal_step step;
    const char *label;
    const uint8_t *id;
    rf_str inner;
};

static enum rf_kind read_bound(const struct keeper_request *request, struct bound *out,
                               struct rf_err *err)
{
    rf_str vault_id = request->fields[0], wrapped = request->fields[1];
    if (vault_id.len != 0 && vault_id.len != SEAL_ID_BYTES) return bad("id of a vault", err);
    bool data = vault_id.len == 0;
    if (wrapped.len != (data ? (size_t)KEEPER_DATA_KEY_BYTES : (size_t)WRAPPED_KEY_BYTES))
        return bad("wrapped key", err);
    *out = (struct bound){.step = data ? SEAL_STEP_DATA : SEAL_STEP_VAULT,
                          .label = data ? "data" : "vault",
                          .id = data ? wrapped.ptr : vault_id.ptr,
                          .inner = data ? rf_slice(wrapped, SEAL_ID_BYTES, wrapped.len) : wrapped};
    return RF_OK;
}

static enum rf_kind open_bound(struct keeper_vault *vault, const struct bound *b, rf_str wrapped,
                               uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t floor[32];
    if (b->step == SEAL_STEP_DATA) return keeper_data_unwrap(vault, wrapped, key, err);
    keeper_floor_id(b->label, b->id, NULL, floor);
    if (keeper_floor_of(&vault->floors, floor) == FLOOR_GONE)
        return RF_FAIL(err, RF_DENIED, "SealDestroyed", "the key was destroyed");
    return keeper_vault_unwrap(vault, b->id, wrapped, key, err);
}

static bool wrap_again(struct keeper_vault *vault, const struct bound *b, uint32_t generation,
                       const uint8_t key[SEAL_KEY_BYTES], uint8_t out[WRAPPED_KEY_BYTES])
{
    uint8_t root[SEAL_KEY_BYTES];
    struct seal_wrap wrap = {.step = b->step,
                             .generation = generation,
                             .key = root,
                             .about = rf_str_make(b->id, SEAL_ID_BYTES)};
    bool good =
        keeper_root_wrap(vault, b->step, generation, root) && seal_wrap_key(&wrap, key, out);
    OPENSSL_cleanse(root, sizeof root);
    return good;
}

/* The key that is destroyed meanwhile stays so: whoever opens it looks there first. */
static enum rf_kind rewrap(struct keeper_vault *vault, const struct keeper_request *request,
                           struct rf_arena *arena, struct keeper_answer *answer, uint64_t *line,
                           struct rf_err *err)
{
    struct bound b;
    uint8_t key[SEAL_KEY_BYTES];
    rf_str wrapped = request->fields[1];
    RF_TRY(read_bound(request, &b, err));
    uint8_t *out = rf_arena_alloc(arena, wrapped.len);
    if (out == NULL) return rf_fail_memory(err, arena);
    uint32_t newest = keeper_root_generation(vault->keys),
             before = seal_wrapped_generation(b.inner, b.step);
    memcpy(out, wrapped.ptr, wrapped.len);
    /* Also when it need not change: the books are to say what is true. */
    RF_TRY(open_bound(vault, &b, wrapped, key, err));
    size_t at = wrapped.len - WRAPPED_KEY_BYTES;
    bool good = before == newest || wrap_again(vault, &b, newest, key, out + at);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return RF_FAIL(err, RF_IO, "CryptoFailed", "the cipher does not work");
    RF_TRY(keeper_rewrap_note(vault, b.label, b.id, newest, err));
    if (before != newest) RF_TRY(count_moved(vault, newest, line, err));
    answer->fields[0] = rf_str_make(out, wrapped.len);
    return RF_OK;
}

/* ---- turns -------------------------------------------------------------------------------------------------------------- */

static uint64_t left_of(const struct keeper_found *found)
{
    uint64_t left = found->unread;
    for (unsigned i = 1; i < KEEPER_GENERATIONS_MAX; i++) left += found->under[i];
    return left;
}

static uint64_t total_of(const struct keeper_found *found)
{
    return left_of(found) + found->under[0];
}

static void read_found(rf_str bytes, struct keeper_found *out)
{
    *out = (struct keeper_found){.newest = rf_get_u32le(bytes.ptr),
                                 .unread = rf_get_u64le(bytes.ptr + 8)};
    for (unsigned i = 0; i < KEEPER_GENERATIONS_MAX; i++)
        out->under[i] = rf_get_u64le(bytes.ptr + 16 + 8 * (size_t)i);
}

static enum rf_kind tell_end(struct keeper_vault *vault, uint64_t moved, uint64_t *line,
                             struct rf_err *err)
{
    char detail[DETAIL_BYTES];
    const struct keeper_found *found = &vault->rewrap.found;
    (void)snprintf(detail, sizeof detail,
                   "generation %u, %llu keys rewrapped, %llu of %llu left under older ones",
                   found->newest, (unsigned long long)moved, (unsigned long long)left_of(found),
                   (unsigned long long)total_of(found));
    return keeper_audit_append(&vault->keys->audit, "rewrap.ended", detail, line, NULL, err);
}

/* The lock is held. A turn during which a root was made proves nothing. */
static enum rf_kind end_turn(struct keeper_vault *vault, uint32_t newest, uint64_t *line,
                             struct rf_err *err)
{
    struct keeper_rewrap *rewrap = &vault->rewrap;
    bool whole = rewrap->newest == newest && rewrap->found.newest == newest;
    bool clean = whole && left_of(&rewrap->found) == 0;
    if (!whole || rewrap->clean_newest != newest) rewrap->clean = 0;
    rewrap->clean_newest = newest;
    rewrap->clean = clean ? RF_MIN(rewrap->clean + 1, UINT32_MAX - 1) : 0;
    rewrap->newest = 0;
    uint64_t moved = rewrap->moved;
    bool told = rewrap->told;
    rewrap->moved = 0;
    rewrap->told = false;
    return told ? tell_end(vault, moved, line, err) : RF_OK;
}

static enum rf_kind turn(struct keeper_vault *vault, const struct keeper_request *request,
                         struct rf_arena *arena, struct keeper_answer *answer, uint64_t *line,
                         struct rf_err *err)
{
    struct keeper_rewrap *rewrap = &vault->rewrap;
    const struct root_seal *seal = &vault->keys->seal;
    rf_str what = request->fields[0], found = request->fields[1];
    uint8_t *state = rf_arena_alloc(arena, 8 * KEEPER_GENERATIONS_NUMBERS);
    if (state == NULL) return rf_fail_memory(err, arena);
    bool tells =
        what.len == 1 && (what.ptr[0] == KEEPER_TURN_TELL || what.ptr[0] == KEEPER_TURN_END);
    if (what.len != 1 || what.ptr[0] > KEEPER_TURN_END ||
        found.len != (tells ? 8 * KEEPER_FOUND_NUMBERS : 0))
        return bad("turn", err);
    uint32_t newest = keeper_root_generation(vault->keys);
    enum rf_kind kind = RF_OK;
    if (what.ptr[0] == KEEPER_TURN_END) RF_TRY(keeper_floors_sync(&vault->floors, err));
    pthread_mutex_lock(&rewrap->lock);
    if (tells) read_found(found, &rewrap->found);
    if (what.ptr[0] == KEEPER_TURN_BEGIN) rewrap->newest = newest;
    if (what.ptr[0] == KEEPER_TURN_END) kind = end_turn(vault, newest, line, err);
    uint32_t clean = rewrap->clean_newest == newest ? rewrap->clean : 0;
    pthread_mutex_unlock(&rewrap->lock);
    rf_put_u64le(state, newest);
    rf_put_u64le(state + 8, RF_MAX(atomic_load(&seal->first), 1U));
    rf_put_u64le(state + 16, RF_MAX(atomic_load(&seal->kept), 1U));
    rf_put_u64le(state + 24, clean);
    answer->fields[0] = rf_str_make(state, 8 * KEEPER_GENERATIONS_NUMBERS);
    return kind;
}

enum rf_kind keeper_rewrap_handle(struct keeper_vault *vault, const struct keeper_request *request,
                                  struct rf_arena *arena, struct keeper_answer *answer,
                                  uint64_t *line, struct rf_err *err)
{
    *line = 0;
    if (request->verb == KEEPER_REWRAP) return rewrap(vault, request, arena, answer, line, err);
    return turn(vault, request, arena, answer, line, err);
}

/* ---- for people ----------------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_rewrap_done(struct keeper_vault *vault, uint32_t through, bool anyway,
                                struct rf_err *err)
{
    uint64_t counts[KEEPER_GENERATIONS_MAX], needed = 0;
    uint32_t newest = keeper_root_generation(vault->keys);
    pthread_mutex_lock(&vault->rewrap.lock);
    uint32_t clean = vault->rewrap.clean_newest == newest ? vault->rewrap.clean : 0;
    pthread_mutex_unlock(&vault->rewrap.lock);
    if (clean < CLEAN_TURNS)
        return RF_FAIL(err, RF_CONFLICT, "RewrapUnfinished",
                       "the server has not yet found nothing under older generations twice: see "
                       "'ringfort vault status', and wait");
    keeper_floors_wrapped(&vault->floors, newest, counts);
    for (uint32_t i = newest - RF_MIN(through, newest); i < KEEPER_GENERATIONS_MAX; i++)
        needed += counts[i];
    if (needed == 0 || anyway) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "GenerationNeeded",
                   "%llu keys that the keeper wrapped under it came neither back nor were "
                   "destroyed: of what was never finished, or of data that is elsewhere just now. "
                   "--even-needed gives them up",
                   (unsigned long long)needed);
}

/* 1,204 */
static const char *grouped(uint64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

/* "\n1,204 of 100,000 wrapped keys still under generation 2" */
static size_t describe_found(const struct keeper_found *found, uint32_t newest, char *out,
                             size_t cap)
{
    char some[32], all[32];
    size_t len = 0;
    (void)grouped(total_of(found), all);
    if (left_of(found) == 0)
        return (size_t)snprintf(out, cap, "\nall %s wrapped keys are under generation %u", all,
                                newest);
    for (uint32_t i = 1; i < KEEPER_GENERATIONS_MAX && i < newest && len < cap; i++)
        if (found->under[i] > 0)
            len += (size_t)snprintf(out + len, cap - len,
                                    "\n%s of %s wrapped keys still under generation %u%s",
                                    grouped(found->under[i], some), all, newest - i,
                                    i + 1 == KEEPER_GENERATIONS_MAX ? " or before" : "");
    if (found->unread > 0 && len < cap)
        len += (size_t)snprintf(out + len, cap - len,
                                "\n%s of %s cannot be read or replaced: see "
                                "the server's log, rewrap.failed",
                                grouped(found->unread, some), all);
    return len;
}

/* "\ngeneration 1 is retired, and goes on 2026-01-02" */
static size_t describe_retired(const struct keeper_vault *vault, char *out, size_t cap)
{
    const struct root_seal *seal = &vault->keys->seal;
    uint32_t through, kept = atomic_load(&seal->kept);
    rf_usec erase_at;
    size_t len = 0;
    root_seal_retired(seal, &through, &erase_at);
    if (kept > 1) len = (size_t)snprintf(out, cap, "\ngenerations up to %u were dropped", kept - 1);
    if (through == 0 || len >= cap) return len;
    int64_t left = (erase_at - rf_clock_now(vault->keys->clock)) / (60 * RF_USEC_PER_SECOND);
    len +=
        (size_t)snprintf(out + len, cap - len, "\ngenerations %u to %u are retired", kept, through);
    if (len >= cap) return len;
    if (erase_at == 0)
        len += (size_t)snprintf(out + len, cap - len,
                                ", and something asked for them: keep-generations, or "
                                "drop-generation once more");
    else
        len += (size_t)snprintf(out + len, cap - len, ", and go in %lld hours",
                                (long long)(RF_MAX(left, 0) + 59) / 60);
    return len;
}

void keeper_rewrap_describe(struct keeper_vault *vault, char *out, size_t cap)
{
    uint64_t counts[KEEPER_GENERATIONS_MAX], needed = 0;
    char some[32];
    uint32_t newest = keeper_root_generation(vault->keys);
    pthread_mutex_lock(&vault->rewrap.lock);
    struct keeper_found found = vault->rewrap.found;
    uint32_t clean = vault->rewrap.clean_newest == newest ? vault->rewrap.clean : 0;
    pthread_mutex_unlock(&vault->rewrap.lock);
    size_t len = (size_t)snprintf(out, cap, "root generation %u", newest);
    if (found.newest == newest && len < cap)
        len += describe_found(&found, newest, out + len, cap - len);
    else if (newest > atomic_load(&vault->keys->seal.kept) && len < cap)
        len += (size_t)snprintf(out + len, cap - len,
                                "\nthe server has not yet looked which keys are under older ones");
    if (len < cap) len += describe_retired(vault, out + len, cap - len);
    keeper_floors_wrapped(&vault->floors, newest, counts);
    for (unsigned i = 1; i < KEEPER_GENERATIONS_MAX; i++) needed += counts[i];
    if (needed > 0 && clean > 0 && len < cap)
        (void)snprintf(out + len, cap - len,
                       "\n%s keys that were wrapped under older ones came not back",
                       grouped(needed, some));
}
