#include "acme/acme_int.h"
#include "test/rf_fuzz.h"

/* Whole bodies of requests: what is read is checked, too, against the key that it brings along. */
RF_FUZZ(jws, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *object, *payload, *needed;
    struct acme_jws jws;
    rf_str thumbprint;
    rf_arena_init(&arena, 4 << 20);
    if (json_parse(text, &arena, &object, NULL) != RF_OK) return;
    for (int use = ACME_JWS_REQUEST; use <= ACME_JWS_INNER; use++) {
        if (acme_jws_read(object, (enum acme_jws_use)use, &arena, &jws, NULL) != RF_OK) continue;
        RF_ASSERT((jws.jwk != NULL) != (jws.kid.len > 0) && jws.url.len > 0);
        (void)acme_jws_check_mac(&jws, RF_S("key"));
        (void)!json_parse(jws.payload, &arena, &payload, NULL);
        if (jws.jwk != NULL &&
            acme_thumbprint(jws.jwk, &arena, &thumbprint, &needed, NULL) == RF_OK)
            (void)!acme_jws_check(&jws, needed, NULL);
    }
}
