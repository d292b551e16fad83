#include "base/encode.h"
#include "people/webauthn.h"
#include "test/rf_fuzz.h"

/* The input is an authenticator's data, under a signature that is none: nobody gets in, and a counter raises no alarm. */
RF_FUZZ(auth_data, text)
{
    static const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES];
    static const char client[] =
        "{\"type\":\"webauthn.get\",\"origin\":\"https://localhost:8443\",\"challenge\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}";
    static const uint8_t key[] = {0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32, [41] = 1};
    const rf_str origin = RF_S("https://localhost:8443");
    const struct webauthn_party party = {
        .rp_id = RF_S("localhost"), .origins = &origin, .origin_count = 1};
    const struct webauthn_credential stored = {
        .public_key = rf_str_make(key, sizeof key), .algorithm = -8, .counter = 7};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    uint32_t counter;
    bool backed_up;
    struct rf_err err;
    struct json_node *answer = json_new(&arena, JSON_T_OBJECT),
                     *response = json_new(&arena, JSON_T_OBJECT);
    json_set_text(&arena, response, "clientDataJSON", base64url_encode(&arena, rf_str_of(client)));
    json_set_text(&arena, response, "authenticatorData", base64url_encode(&arena, text));
    json_set_text(&arena, response, "signature", RF_S("AAAA"));
    if (json_set(&arena, answer, RF_S("response"), response) == NULL) return;
    RF_ASSERT(webauthn_authenticate(&party, challenge, &stored, answer, &arena, &counter,
                                    &backed_up, &err) == RF_DENIED);
}
