/* webauthn.h - passkeys: a relying party's checks of WebAuthn level 2, sections 7.1 and 7.2 (contract identity, section 11.4). Knows no HTTP, no state;
 * parses hostile bytes within limits. Any thread. */
#ifndef RF_WEBAUTHN_H
#define RF_WEBAUTHN_H

#include "base/json_tree.h"

enum { WEBAUTHN_CHALLENGE_BYTES = 32, WEBAUTHN_ID_BYTES_MAX = 1023 };
struct webauthn_party {
    rf_str rp_id;          /* host of the authority */
    const rf_str *origins; /* "https://localhost:8443": exact */
    uint32_t origin_count;
};
struct webauthn_credential {
    rf_str id, public_key; /* bytes; the key as COSE_Key */
    int32_t algorithm;     /* -7, -8, -257, -35 */
    uint32_t counter;
    uint8_t aaguid[16];
    bool backup_eligible, backed_up;
    const char *format; /* of the attestation: "none", "packed" */
};
/* The answer of navigator.credentials.create as JSON ({"id","rawId","type","response":{"clientDataJSON","attestationObject","transports"}}, base64url).
 * out: views in `arena`. RF_INVALID BadCredential with the step that failed. */
RF_MUST_USE enum rf_kind webauthn_register(const struct webauthn_party *party,
                                           const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                           const struct json_node *answer, bool need_attestation,
                                           struct rf_arena *arena, struct webauthn_credential *out,
                                           struct rf_err *err);
struct
    webauthn_claim { /* what an assertion says before it is checked: by it the credential is found */
    rf_str credential_id, user_handle; /* bytes */
};
RF_MUST_USE enum rf_kind webauthn_read_claim(const struct json_node *answer, struct rf_arena *arena,
                                             struct webauthn_claim *out, struct rf_err *err);
/* The answer of navigator.credentials.get. RF_DENIED BadAssertion with the step that failed; RF_CONFLICT CloneRisk: the counter did not grow.
 * *counter, *backed_up: to be stored. */
RF_MUST_USE enum rf_kind webauthn_authenticate(const struct webauthn_party *party,
                                               const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                               const struct webauthn_credential *stored,
                                               const struct json_node *answer,
                                               struct rf_arena *arena, uint32_t *counter,
                                               bool *backed_up, struct rf_err *err);
/* PublicKeyCredentialCreationOptions / RequestOptions as JSON, binary members in base64url. `exclude`/`allow`: credential ids. NULL on lack of memory. */
struct json_node *webauthn_creation_options(struct rf_arena *arena,
                                            const struct webauthn_party *party, rf_str user_handle,
                                            rf_str user_name, rf_str display_name,
                                            const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                            const rf_str *exclude, uint32_t exclude_count);
struct json_node *webauthn_request_options(struct rf_arena *arena,
                                           const struct webauthn_party *party,
                                           const uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES],
                                           const rf_str *allow, uint32_t allow_count);

#endif
