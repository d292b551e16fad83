/* hub_rig.h - hubs in memory without ARM, for tests and fuzzers of the protocols that stand on them. */
#ifndef RF_TEST_HUB_RIG_H
#define RF_TEST_HUB_RIG_H

#include "base/encode.h"
#include "base/fs_fault.h"
#include "crypt/digest.h"
#include "hub/hub_int.h"

struct hub_rig {
    struct rf_fs_fault *disk;
    struct site site;
    struct hubs *hubs;
    struct hub_namespace *space; /* "plant" */
};

/* `state` may be NULL. With `by_hand` hubs_step does the writing. */
__attribute__((unused)) static void hub_rig_init(struct hub_rig *rig, struct state *state,
                                                 struct rf_clock *clock, bool by_hand)
{
    struct rf_err err;
    *rig = (struct hub_rig){.site = {.domain = RF_S("ringfort.localhost")}};
    rig->disk = rf_fs_fault_new(7);
    struct hubs_options options = {.fs = rf_fs_fault_fs(rig->disk),
                                   .folder = "/hubs",
                                   .clock = clock,
                                   .state = state,
                                   .site = &rig->site,
                                   .by_hand = by_hand};
    RF_ASSERT(hubs_new(&options, &rig->hubs, &err) == RF_OK);
    struct hub_namespace_settings space = {.name = RF_S("plant"), .id = RF_S("/plant")};
    RF_ASSERT(hubs_set_namespace(rig->hubs, &space, &rig->space, &err) == RF_OK);
}

__attribute__((unused)) static void hub_rig_done(struct hub_rig *rig)
{
    hubs_free(rig->hubs);
    rf_fs_fault_free(rig->disk);
}

/* Events stay for a day. */
__attribute__((unused)) static void hub_rig_add(struct hub_rig *rig, const char *name,
                                                uint32_t partition_count)
{
    struct rf_err err;
    char id[HUB_ID_CHARS + 1];
    hub_make_id(id);
    struct hub_settings settings = {.name = rf_str_of(name),
                                    .id = rf_str_of(id),
                                    .partition_count = partition_count,
                                    .retention_usec = INT64_C(86400000000),
                                    .durable = true};
    RF_ASSERT(hubs_set_hub(rig->space, &settings, &err) == RF_OK);
}

/* A rule of the hub, or of the namespace when `hub` is empty. */
__attribute__((unused)) static void hub_rig_rule(struct hub_rig *rig, const char *hub,
                                                 const char *name, const char *key, unsigned rights)
{
    struct rf_err err;
    struct hub_rule rule = {.name = rf_str_of(name),
                            .primary = rf_str_of(key),
                            .secondary = RF_S("other"),
                            .rights = rights};
    RF_ASSERT(hubs_set_rule(rig->space, rf_str_of(hub), &rule, &err) == RF_OK);
}

/* A signature of `uri` that ends `seconds` after now. */
__attribute__((unused)) static rf_str hub_rig_sas(struct rf_arena *arena, struct rf_clock *clock,
                                                  const char *uri, const char *rule, rf_str key,
                                                  int64_t seconds)
{
    uint8_t mac[SHA256_BYTES];
    rf_str resource = percent_encode(arena, rf_str_of(uri));
    long long end = (long long)(rf_clock_now(clock) / RF_USEC_PER_SECOND + seconds);
    digest_hmac_sha256(key, rf_arena_printf(arena, "%.*s\n%lld", RF_FMT(resource), end), mac);
    rf_str sig = percent_encode(arena, base64_encode(arena, rf_str_make(mac, sizeof mac)));
    return rf_arena_printf(arena, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%s",
                           RF_FMT(resource), RF_FMT(sig), end, rule);
}

#endif
