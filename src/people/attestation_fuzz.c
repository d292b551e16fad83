#include "base/encode.h"
#include "people/webauthn.h"
#include "test/rf_fuzz.h"

/* The input is an attestation object. One that is taken holds a key and an id within the limits. */
RF_FUZZ(attestation, text)
{
    static const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES];
    static const char client[] =
        "{\"type\":\"webauthn.create\",\"origin\":\"https://localhost:8443\",\"challenge\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";
    const rf_str origin = RF_S("https://localhost:8443");
    const struct webauthn_party party = {
        .rp_id = RF_S("localhost"), .origins = &origin, .origin_count = 1};
    static const char *const ids[] = {"AQIDBA", "AQgPFh0kKzI5QEdOVVxjanF4f4aNlJuiqbC3vsXM09o"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    for (size_t i = 0; i < RF_COUNT(ids); i++) {
        struct webauthn_credential out;
        struct rf_err err;
        struct json_node *answer = json_new(&arena, JSON_T_OBJECT),
                         *response = json_new(&arena, JSON_T_OBJECT);
        json_set_text(&arena, answer, "type", RF_S("public-key"));
        json_set_text(&arena, answer, "rawId", rf_str_of(ids[i]));
        json_set_text(&arena, response, "clientDataJSON",
                      base64url_encode(&arena, rf_str_of(client)));
        json_set_text(&arena, response, "attestationObject", base64url_encode(&arena, text));
        if (json_set(&arena, answer, RF_S("response"), response) == NULL) return;
        if (webauthn_register(&party, challenge, answer, false, &arena, &out, &err) != RF_OK)
            continue;
        RF_ASSERT(out.id.len > 0 && out.id.len <= WEBAUTHN_ID_BYTES_MAX);
        RF_ASSERT(out.public_key.len > 0);
        RF_ASSERT(!out.backed_up || out.backup_eligible);
    }
}
