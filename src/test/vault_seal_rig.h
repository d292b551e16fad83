/* vault_seal_rig.h - what the tests of crypt/vault_seal.h share: a keeper in a thread, tokens that it signs, places of items. */
#ifndef RF_TEST_VAULT_SEAL_RIG_H
#define RF_TEST_VAULT_SEAL_RIG_H

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "crypt/jwt.h"
#include "crypt/keeper_serve.h"
#include "crypt/vault_seal.h"
#include "test/rf_prop.h"

/* 2026-01-31, seconds */
#define RIG_START INT64_C(1769817600)
#define RIG_OID "aaaaaaaa-0000-0000-0000-000000000005"
#define RIG_APP "bbbbbbbb-0000-0000-0000-000000000001"
#define RIG_HELPER __attribute__((unused)) static inline

struct seal_rig {
    char folder[64];
    struct rf_clock_fixed clock;
    struct keeper_core *core;
    struct keeper *keeper;
    struct rf_arena arena;
    int served;
    pthread_t thread;
    rf_str token;     /* of the next calls */
    rf_str vault_key; /* of vault 1 */
    struct rf_err err, served_err;
};

/* ---- life ----------------------------------------------------------------------------------------------------------- */

RIG_HELPER void *seal_rig_serve(void *ctx)
{
    struct seal_rig *r = ctx;
    return keeper_core_serve(r->core, r->served, &r->served_err) == RF_OK ? NULL : r;
}

RIG_HELPER void seal_rig_start(struct seal_rig *r)
{
    char path[80];
    int pair[2];
    (void)snprintf(path, sizeof path, "%s/keeper", r->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &r->clock.clock};
    cr_assert(keeper_core_new(&options, &r->core, &r->err) == RF_OK, "%s", r->err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    r->served = pair[1];
    cr_assert(pthread_create(&r->thread, NULL, seal_rig_serve, r) == 0);
    cr_assert(keeper_connect(pair[0], &r->keeper, &r->err) == RF_OK);
    keeper_set_patience(r->keeper, 120 * RF_USEC_PER_SECOND);
}

RIG_HELPER void seal_rig_stop(struct seal_rig *r)
{
    void *failed;
    keeper_free(r->keeper);
    pthread_join(r->thread, &failed);
    cr_expect(failed == NULL, "%s", r->served_err.text);
    close(r->served);
    keeper_core_free(r->core);
}

RIG_HELPER void seal_rig_restart(struct seal_rig *r)
{
    seal_rig_stop(r);
    seal_rig_start(r);
}

RIG_HELPER void seal_rig_done(struct seal_rig *r)
{
    char command[128];
    seal_rig_stop(r);
    rf_arena_done(&r->arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", r->folder);
    cr_assert(system(command) == 0);
}

/* ---- tokens --------------------------------------------------------------------------------------------------------- */

struct rig_token { /* what is left out is as a good one has it */
    const char *audience, *issuer, *oid;
    int64_t from, to; /* seconds behind now; `to` 0: 3600 */
    bool no_end;
};

RIG_HELPER rf_str seal_rig_input(struct seal_rig *r, const struct rig_token *want)
{
    struct keeper_jwt_key *keys;
    uint32_t count;
    cr_assert(keeper_jwt_keys(r->keeper, &r->arena, &keys, &count, &r->err) == RF_OK);
    rf_str kid = {0};
    for (uint32_t i = 0; i < count; i++)
        if (keys[i].signing) kid = keys[i].kid;
    struct json_node *header = json_new(&r->arena, JSON_T_OBJECT),
                     *claims = json_new(&r->arena, JSON_T_OBJECT);
    int64_t now = rf_clock_now(&r->clock.clock) / RF_USEC_PER_SECOND;
    json_set_text(&r->arena, header, "alg", RF_S("RS256"));
    json_set_text(&r->arena, header, "kid", kid);
    json_set_text(&r->arena, claims, "aud",
                  rf_str_of(want->audience != NULL ? want->audience : "https://vault.azure.net"));
    json_set_text(&r->arena, claims, "iss",
                  rf_str_of(want->issuer != NULL ? want->issuer : "https://localhost:8443/t/"));
    json_set_text(&r->arena, claims, "oid", rf_str_of(want->oid != NULL ? want->oid : RIG_OID));
    json_set_text(&r->arena, claims, "appid", RF_S(RIG_APP));
    json_set_i64(&r->arena, claims, "nbf", now + want->from);
    json_set_i64(&r->arena, claims, "exp", now + (want->to == 0 ? 3600 : want->to));
    return jwt_signing_input(&r->arena, header, claims);
}

RIG_HELPER rf_str seal_rig_token(struct seal_rig *r, const struct rig_token *want)
{
    rf_str signature, input = seal_rig_input(r, want);
    cr_assert(keeper_jwt_sign(r->keeper, input, &r->arena, &signature, &r->err) == RF_OK, "%s",
              r->err.text);
    return jwt_assemble(&r->arena, input, signature);
}

/* ---- places --------------------------------------------------------------------------------------------------------- */

/* Item `item` of vault `vault`; names are secrets' or keys' of that number. */
RIG_HELPER struct seal_ring seal_rig_ring(const struct seal_rig *r, uint8_t vault, uint8_t item,
                                          enum seal_kind kind)
{
    struct seal_ring ring = {.kind = kind, .name = RF_S("thing-1"), .vault_key = r->vault_key};
    memset(ring.vault_id, vault, SEAL_ID_BYTES);
    memset(ring.item_id, item, SEAL_ID_BYTES);
    return ring;
}

RIG_HELPER struct seal_head seal_rig_head(enum seal_material material, uint32_t bits,
                                          uint8_t version)
{
    struct seal_head head = {.material = material,
                             .enabled = true,
                             .ops = material == SEAL_VALUE ? 0 : 63,
                             .bits = bits,
                             .generation = 1,
                             .not_before = SEAL_NO_TIME,
                             .expires = SEAL_NO_TIME};
    memset(head.version, version, SEAL_ID_BYTES);
    return head;
}

RIG_HELPER rf_str seal_rig_vault(struct seal_rig *r, uint8_t vault)
{
    uint8_t id[SEAL_ID_BYTES];
    rf_str key;
    memset(id, vault, sizeof id);
    cr_assert(seal_vault_new(r->keeper, id, &r->arena, &key, &r->err) == RF_OK, "%s", r->err.text);
    return key;
}

RIG_HELPER void seal_rig_init(struct seal_rig *r)
{
    memset(r, 0, sizeof *r);
    strcpy(r->folder, "/tmp/ringfort_seal_XXXXXX");
    cr_assert(mkdtemp(r->folder) != NULL);
    rf_clock_fixed_init(&r->clock, RIG_START * RF_USEC_PER_SECOND, 0);
    rf_arena_init(&r->arena, 64 << 20);
    seal_rig_start(r);
    r->token = seal_rig_token(r, &(struct rig_token){.from = 0});
    r->vault_key = seal_rig_vault(r, 1);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

#define seal_must(r, call)                                                                         \
    do {                                                                                           \
        enum rf_kind kind_ = (call);                                                               \
        if (kind_ != RF_OK) seal_rig_failed((r), #call);                                           \
    } while (0)
/* Fails with this code, and a line of the log tells of it. */
#define seal_refused(r, wanted, call)                                                              \
    do {                                                                                           \
        const char *wanted_ = (wanted);                                                            \
        uint32_t before_ = seal_rig_refusals((r), wanted_);                                        \
        seal_rig_pass(r);                                                                          \
        enum rf_kind kind_ = (call);                                                               \
        seal_rig_check((r), #call, kind_, wanted_, before_);                                       \
    } while (0)

/* So that the rates of one second do not matter. */
RIG_HELPER void seal_rig_pass(struct seal_rig *r)
{
    rf_clock_fixed_pass(&r->clock, RF_USEC_PER_SECOND);
}

RIG_HELPER rf_str seal_rig_file(struct seal_rig *r, const char *name)
{
    char path[128];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/keeper/%s", r->folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s", path);
    cr_assert(fstat(fd, &status) == 0);
    uint8_t *bytes = rf_arena_alloc(&r->arena, (size_t)status.st_size + 1);
    cr_assert(bytes != NULL);
    cr_assert(read(fd, bytes, (size_t)status.st_size) == status.st_size);
    close(fd);
    return rf_str_make(bytes, (size_t)status.st_size);
}

/* Lines of the audit log that hold the text. */
RIG_HELPER uint32_t seal_rig_lines(struct seal_rig *r, const char *text)
{
    uint32_t count = 0;
    rf_str log = seal_rig_file(r, "audit.log");
    for (size_t at = 0, end; at < log.len; at = end + 1) {
        end = rf_str_find(log, RF_S("\n"), at);
        count += rf_str_find(rf_slice(log, at, end), rf_str_of(text), 0) != SIZE_MAX;
    }
    return count;
}

RIG_HELPER uint32_t seal_rig_refusals(struct seal_rig *r, const char *code)
{
    char text[64];
    (void)snprintf(text, sizeof text, " %s ", code);
    return seal_rig_lines(r, text);
}

RIG_HELPER void seal_rig_failed(const struct seal_rig *r, const char *call)
{
    cr_assert(false, "%s: %s %s", call, r->err.code, r->err.text);
}

RIG_HELPER void seal_rig_check(struct seal_rig *r, const char *call, enum rf_kind kind,
                               const char *wanted, uint32_t before)
{
    cr_expect(kind != RF_OK, "%s succeeds", call);
    if (kind == RF_OK) return;
    cr_expect(strcmp(r->err.code, wanted) == 0, "%s: %s %s, not %s", call, r->err.code, r->err.text,
              wanted);
    cr_expect(seal_rig_refusals(r, wanted) == before + 1, "%s: no line of %s", call, wanted);
}

/* A new item with this value in its first version. */
RIG_HELPER struct sealed seal_rig_put(struct seal_rig *r, struct seal_ring *ring, const char *value)
{
    struct sealed sealed;
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    seal_must(r, seal_put(r->keeper, r->token, ring, &head, rf_str_of(value), &r->arena, &sealed,
                          &r->err));
    ring->item_key = sealed.item_key;
    return sealed;
}

RIG_HELPER struct sealed seal_rig_key(struct seal_rig *r, struct seal_ring *ring,
                                      const struct seal_head *head)
{
    struct sealed sealed;
    seal_must(r, seal_key_new(r->keeper, r->token, ring, head, &r->arena, &sealed, &r->err));
    ring->item_key = sealed.item_key;
    return sealed;
}

RIG_HELPER uint8_t *seal_rig_copy(struct seal_rig *r, rf_str bytes)
{
    uint8_t *copy = rf_arena_alloc(&r->arena, bytes.len + 1);
    cr_assert(copy != NULL);
    if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

#endif
