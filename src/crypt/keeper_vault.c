#include "crypt/keeper_vault.h"

#include <openssl/crypto.h>

#include "crypt/keeper_vault_work.h"
#include "crypt/secret.h"

/* ---- the table ----------------------------------------------------------------------------------------------------------------------------------- */

static work_verb *const verbs[KEEPER_VERB_END] = {
    [KEEPER_SEAL_VAULT_NEW] = work_vault_new,
    [KEEPER_SEAL_PUT] = work_put,
    [KEEPER_SEAL_OPEN] = work_open,
    [KEEPER_SEAL_CHANGE] = work_change,
    [KEEPER_SEAL_KEY_NEW] = work_key_new,
    [KEEPER_SEAL_KEY_USE] = work_key_use,
    [KEEPER_SEAL_CERTIFY] = work_certify,
    [KEEPER_SEAL_BUNDLE] = work_bundle,
    [KEEPER_SEAL_BACKUP_MAKE] = work_backup_make,
    [KEEPER_SEAL_BACKUP_OPEN] = work_backup_open,
    [KEEPER_SEAL_BACKUP_PUT] = work_backup_put,
    [KEEPER_SEAL_DESTROY] = work_destroy,
    [KEEPER_SEAL_RANDOM] = work_random,
    [KEEPER_LISTENER_BIND] = work_listener_bind,
    [KEEPER_LISTENER_UNBIND] = work_listener_unbind,
    [KEEPER_LISTENER_GET] = work_listener_get,
    [KEEPER_LISTENER_SHOW] = work_listener_show,
    [KEEPER_LISTENER_SIGN] = work_listener_sign,
};

static enum rf_kind handle_once(struct keeper_vault *vault, const struct keeper_request *request,
                                struct rf_arena *arena, struct keeper_answer *answer,
                                uint64_t *line, struct keeper_who *who, struct rf_err *err)
{
    struct work w = {.vault = vault,
                     .request = request,
                     .arena = arena,
                     .answer = answer,
                     .who = {.oid = "-", .app = "-"}};
    enum rf_kind kind = verbs[request->verb](&w, err);
    OPENSSL_cleanse(w.key, sizeof w.key);
    *line = w.line;
    *who = w.who;
    return kind;
}

/* OpenSSL's memory is bounded: when it was used up, keys that nobody uses make room, and once more is tried. */
enum rf_kind keeper_vault_handle(struct keeper_vault *vault, const struct keeper_request *request,
                                 struct rf_arena *arena, struct keeper_answer *answer,
                                 uint64_t *line, struct keeper_who *who, struct rf_err *err)
{
    RF_ASSERT(verbs[request->verb] != NULL);
    struct rf_err own = {0};
    if (err == NULL) err = &own;
    (void)secret_heap_refused();
    enum rf_kind kind = handle_once(vault, request, arena, answer, line, who, err);
    bool was_full =
        kind != RF_OK && (secret_heap_refused() || strcmp(err->code, "MemoryBudgetExceeded") == 0 ||
                          strcmp(err->code, "CryptoFailed") == 0);
    if (!was_full) return kind;
    keeper_cache_shrink(&vault->cache);
    return handle_once(vault, request, arena, answer, line, who, err);
}

enum rf_kind keeper_vault_open(struct keeper_vault *vault, struct keeper_keys *keys, int folder,
                               int fd, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    vault->keys = keys;
    pthread_mutex_init(&vault->tokens.lock, NULL);
    pthread_mutex_init(&vault->cache.lock, NULL);
    pthread_mutex_init(&vault->rewrap.lock, NULL);
    keeper_derive(keys, ROOT_BASE_FLOORS, key);
    enum rf_kind kind = keeper_floors_open(&vault->floors, folder, fd, key, err);
    OPENSSL_cleanse(key, sizeof key);
    RF_TRY(kind);
    if (!vault->floors.damaged) return RF_OK;
    return keeper_audit_write(&keys->audit, "floors.damaged",
                              "records of the file vault were left out", err);
}

void keeper_vault_done(struct keeper_vault *vault)
{
    if (vault->keys == NULL) return;
    keeper_cache_shrink(&vault->cache);
    keeper_floors_done(&vault->floors);
    pthread_mutex_destroy(&vault->tokens.lock);
    pthread_mutex_destroy(&vault->cache.lock);
    pthread_mutex_destroy(&vault->rewrap.lock);
}

void keeper_vault_describe(const struct keeper_request *request, const struct keeper_who *who,
                           char *out, size_t cap)
{
    struct ring ring = {.vault_id = NULL};
    uint32_t at = request->verb == KEEPER_SEAL_DESTROY ? 0 : 1;
    if (request->verb == KEEPER_SEAL_BACKUP_PUT) at = 5;
    if (keeper_request_fields(request->verb) >= at + KEEPER_RING_FIELDS)
        (void)!work_read_ring(request->fields + at, &ring, NULL);
    work_describe(who, &ring, (rf_str){0}, out, cap);
}
