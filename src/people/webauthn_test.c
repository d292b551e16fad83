/* A software authenticator registers and signs in; then it does each thing wrong that sections 7.1 and 7.2 of WebAuthn look for. */
#include "test/rf_prop.h"

#include "test/passkey_rig.h"

static const int32_t algorithms[] = {COSE_ES256, COSE_EDDSA, COSE_ES384, COSE_RS256};

struct scene {
    struct rf_arena arena;
    struct token token;
    rf_str origin;
    struct webauthn_party party;
    struct webauthn_credential credential;
    struct rf_err err;
    uint32_t counter;
    bool backed_up;
};

static void scene_open(struct scene *s, int32_t algorithm)
{
    memset(s, 0, sizeof *s);
    rf_arena_init(&s->arena, 16 << 20);
    token_make(&s->token, algorithm);
    s->origin = RF_S(TOKEN_ORIGIN);
    s->party = (struct webauthn_party){
        .rp_id = RF_S("localhost"), .origins = &s->origin, .origin_count = 1};
}

static void scene_close(struct scene *s)
{
    EVP_PKEY_free(s->token.key);
    rf_arena_done(&s->arena);
}

static enum rf_kind create(struct scene *s, struct token_answer *a, bool needed)
{
    const struct token_answer right = token_create();
    return webauthn_register(&s->party, right.challenge, token_answer(&s->token, a, &s->arena),
                             needed, &s->arena, &s->credential, &s->err);
}

static enum rf_kind get(struct scene *s, struct token_answer *a)
{
    const struct token_answer right = token_get();
    return webauthn_authenticate(&s->party, right.challenge, &s->credential,
                                 token_answer(&s->token, a, &s->arena), &s->arena, &s->counter,
                                 &s->backed_up, &s->err);
}

static void registered(struct scene *s, int32_t algorithm, uint8_t flags)
{
    struct token_answer a = token_create();
    scene_open(s, algorithm);
    a.flags |= flags;
    a.counter = 7;
    cr_assert(create(s, &a, false) == RF_OK, "%s", s->err.text);
}

static void refused(struct scene *s, struct token_answer *a, const char *step)
{
    struct webauthn_credential before = s->credential;
    cr_assert(create(s, a, false) == RF_INVALID, "%s", step);
    cr_assert_str_eq(s->err.code, "BadCredential");
    cr_assert(strstr(s->err.text, step) != NULL, "%s: %s", step, s->err.text);
    cr_assert(memcmp(&before, &s->credential, sizeof before) == 0, "a failure leaves `out` alone");
}

static void denied(struct scene *s, struct token_answer *a, const char *step)
{
    s->counter = 4711;
    cr_assert(get(s, a) == RF_DENIED, "%s", step);
    cr_assert_str_eq(s->err.code, "BadAssertion");
    cr_assert(strstr(s->err.text, step) != NULL, "%s: %s", step, s->err.text);
    cr_assert(s->counter == 4711);
}

Test(webauthn, every_algorithm_registers_and_signs_in)
{
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        struct scene s;
        registered(&s, algorithms[i], TOKEN_BE);
        cr_assert(s.credential.algorithm == algorithms[i] && s.credential.counter == 7);
        cr_assert(rf_str_eq(s.credential.id, rf_str_make(s.token.id, 32)));
        cr_assert(memcmp(s.credential.aaguid, "sixteen-octets!!", 16) == 0);
        cr_assert(s.credential.backup_eligible && !s.credential.backed_up);
        cr_assert_str_eq(s.credential.format, "none");
        struct token_answer a = token_get();
        a.flags |= TOKEN_BE | TOKEN_BS;
        a.counter = 8;
        cr_assert(get(&s, &a) == RF_OK, "%d: %s", algorithms[i], s.err.text);
        cr_assert(s.counter == 8 && s.backed_up);
        a.spoilt = true;
        denied(&s, &a, "signature");
        scene_close(&s);
    }
}

Test(webauthn, self_attestation_is_checked)
{
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        struct scene s;
        struct token_answer a = token_create();
        a.format = "packed";
        scene_open(&s, algorithms[i]);
        cr_assert(create(&s, &a, true) == RF_OK, "%s", s.err.text);
        cr_assert_str_eq(s.credential.format, "packed");
        a.spoilt = true;
        refused(&s, &a, "attestation signature");
        a.spoilt = false;
        a.signed_as = -47;
        refused(&s, &a, "attestation statement");
        scene_close(&s);
    }
}

Test(webauthn, none_says_nothing_and_is_no_attestation)
{
    struct scene s;
    struct token_answer a = token_create();
    scene_open(&s, COSE_ES256);
    a.statement = true;
    refused(&s, &a, "'none' that says something");
    a.statement = false;
    cr_assert(create(&s, &a, true) == RF_INVALID);
    cr_assert(strstr(s.err.text, "an attestation is asked for") != NULL);
    a.format = "tpm";
    cr_assert(create(&s, &a, true) == RF_INVALID, "a format that nobody checks proves nothing");
    cr_assert(create(&s, &a, false) == RF_OK);
    cr_assert_str_eq(s.credential.format, "other");
    scene_close(&s);
}

Test(webauthn, what_the_browser_says_must_be_right)
{
    static const struct {
        const char *type, *origin, *more, *step;
    } wrong[] = {
        {"webauthn.other", TOKEN_ORIGIN, "", "type"},
        {NULL, "https://localhost", "", "origin"},
        {NULL, "http://localhost:8443", "", "origin"},
        {NULL, "https://localhost:8443/", "", "origin"},
        {NULL, "https://LOCALHOST:8443", "", "origin"},
        {NULL, "https://localhost:8443.evil.example", "", "origin"},
        {NULL, TOKEN_ORIGIN, ",\"crossOrigin\":true", "crossOrigin"},
        {NULL, TOKEN_ORIGIN, ",\"crossOrigin\":\"true\"", "crossOrigin"},
        {NULL, TOKEN_ORIGIN, ",\"crossOrigin\":1", "crossOrigin"},
    };
    struct scene s;
    registered(&s, COSE_ES256, 0);
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        struct token_answer a = token_get();
        a.counter = 9;
        a.origin = wrong[i].origin;
        a.more = wrong[i].more;
        if (wrong[i].type != NULL) a.type = wrong[i].type;
        denied(&s, &a, wrong[i].step);
        if (wrong[i].type != NULL) continue;
        a.type = "webauthn.create";
        a.flags |= TOKEN_AT;
        refused(&s, &a, wrong[i].step);
    }
    struct token_answer a = token_get();
    a.more = ",\"crossOrigin\":false,\"future\":{}";
    a.counter = 9;
    cr_assert(get(&s, &a) == RF_OK, "%s", s.err.text);
    a.challenge[31] ^= 1;
    denied(&s, &a, "challenge");
    a = token_create();
    a.challenge[0] ^= 1;
    refused(&s, &a, "challenge");
    scene_close(&s);
}

/* An answer of one ceremony is worth nothing in the other. */
Test(webauthn, the_type_belongs_to_the_ceremony)
{
    struct scene s;
    registered(&s, COSE_ES256, 0);
    struct token_answer a = token_get();
    struct json_node *answer = token_answer(&s.token, &a, &s.arena);
    token_prove(&s.token, &a, &s.arena);
    rf_str client = rf_arena_printf(
        &s.arena, "{\"type\":\"webauthn.create\",\"challenge\":\"%.*s\",\"origin\":\"%s\"}",
        RF_FMT(base64url_encode(&s.arena, rf_str_make(a.challenge, 32))), TOKEN_ORIGIN);
    json_set_text(&s.arena, json_get(answer, "response"), "clientDataJSON",
                  base64url_encode(&s.arena, client));
    cr_assert(webauthn_authenticate(&s.party, a.challenge, &s.credential, answer, &s.arena,
                                    &s.counter, &s.backed_up, &s.err) == RF_DENIED);
    cr_assert(strstr(s.err.text, "type") != NULL, "%s", s.err.text);
    scene_close(&s);
}

Test(webauthn, what_the_authenticator_says_must_be_right)
{
    static const struct {
        uint8_t flags;
        const char *step;
    } wrong[] = {
        {TOKEN_UV, "(UP)"},
        {TOKEN_UP, "(UV)"},
        {TOKEN_UP | TOKEN_UV | TOKEN_BS, "backed up but not eligible"},
        {TOKEN_UP | TOKEN_UV | TOKEN_BE, "backup eligibility has changed"},
        {TOKEN_UP | TOKEN_UV | TOKEN_AT, "(AT)"},
        {TOKEN_UP | TOKEN_UV | TOKEN_ED, "extensions"},
    };
    struct scene s;
    registered(&s, COSE_ES256, 0);
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        struct token_answer a = token_get();
        a.counter = 9;
        a.flags = wrong[i].flags;
        denied(&s, &a, wrong[i].step);
        if (i > 2 && i != 5) continue;
        a.type = "webauthn.create";
        a.flags |= TOKEN_AT;
        refused(&s, &a, wrong[i].step);
    }
    struct token_answer a = token_create();
    a.flags = TOKEN_UP | TOKEN_UV;
    refused(&s, &a, "(AT)");
    a = token_create();
    a.rp_id = "localhost.evil.example";
    refused(&s, &a, "rpIdHash");
    a.type = "webauthn.get";
    a.flags = TOKEN_UP | TOKEN_UV;
    denied(&s, &a, "rpIdHash");
    a = token_get();
    a.counter = 9;
    a.tail = RF_S("x");
    denied(&s, &a, "bytes behind");
    a = token_create();
    a.tail = RF_S("\xa0");
    refused(&s, &a, "bytes behind");
    a.flags |= TOKEN_ED;
    cr_assert(create(&s, &a, false) == RF_OK, "%s", s.err.text);
    a.tail = RF_S("\xa0\xa0");
    refused(&s, &a, "bytes behind");
    a.tail = RF_S("\x80");
    refused(&s, &a, "extensions");
    scene_close(&s);
}

Test(webauthn, backup_eligibility_is_not_lost)
{
    struct scene s;
    registered(&s, COSE_ES256, TOKEN_BE);
    struct token_answer a = token_get();
    a.counter = 9;
    denied(&s, &a, "backup eligibility has changed");
    scene_close(&s);
}

Test(webauthn, the_counter_grows_or_stays_nought)
{
    static const struct {
        uint32_t stored, told;
        enum rf_kind kind;
    } cases[] = {{0, 0, RF_OK},
                 {0, 1, RF_OK},
                 {7, 8, RF_OK},
                 {7, 7, RF_CONFLICT},
                 {7, 6, RF_CONFLICT},
                 {7, 0, RF_CONFLICT},
                 {UINT32_MAX - 1, UINT32_MAX, RF_OK},
                 {UINT32_MAX, 0, RF_CONFLICT}};
    struct scene s;
    registered(&s, COSE_ES256, 0);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct token_answer a = token_get();
        s.credential.counter = cases[i].stored;
        a.counter = cases[i].told;
        cr_assert(get(&s, &a) == cases[i].kind, "%zu", i);
        if (cases[i].kind != RF_OK) cr_assert_str_eq(s.err.code, "CloneRisk");
        a.spoilt = true;
        denied(&s, &a, "signature"); /* a stranger cannot raise the alarm */
    }
    scene_close(&s);
}

Test(webauthn, ids_have_a_length)
{
    struct scene s;
    struct token_answer a = token_create();
    scene_open(&s, COSE_ES256);
    s.token.id_bytes = WEBAUTHN_ID_BYTES_MAX;
    cr_assert(create(&s, &a, false) == RF_OK, "%s", s.err.text);
    s.token.id_bytes = WEBAUTHN_ID_BYTES_MAX + 1;
    refused(&s, &a, "length of the credential's id");
    scene_close(&s);
}

/* The id outside is the id that the authenticator made. */
Test(webauthn, the_raw_id_is_the_authenticators)
{
    struct scene s;
    struct token_answer a = token_create();
    scene_open(&s, COSE_ES256);
    struct json_node *answer = token_answer(&s.token, &a, &s.arena);
    json_set_text(&s.arena, answer, "rawId", RF_S("AAAA"));
    cr_assert(webauthn_register(&s.party, a.challenge, answer, false, &s.arena, &s.credential,
                                &s.err) == RF_INVALID);
    cr_assert(strstr(s.err.text, "rawId") != NULL);
    scene_close(&s);
}

Test(webauthn, keys_that_nobody_offered_are_refused)
{
    struct scene s;
    struct token_answer a = token_create();
    scene_open(&s, COSE_ES256);
    rf_str key = token_cose(&s.token, &s.arena);
    /* 5 pairs: 1:2 3:-7 -1:1 -2:x -3:y; so kty is byte 2, alg byte 4, crv byte 6, x from byte 10 on. */
    static const struct {
        size_t at;
        uint8_t with;
    } wrong[] = {{2, 1}, {2, 3}, {4, 0x27}, {4, 0x2f}, {4, 0x00},
                 {6, 2}, {6, 8}, {3, 0x01}, {0, 0xa4}};
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        uint8_t copy[128];
        cr_assert(key.len <= sizeof copy);
        memcpy(copy, key.ptr, key.len);
        copy[wrong[i].at] = wrong[i].with;
        a.key = rf_str_make(copy, key.len);
        cr_assert(create(&s, &a, false) == RF_INVALID, "%zu", i);
    }
    uint8_t copy[128];
    memcpy(copy, key.ptr, key.len);
    copy[key.len - 1] ^= 1;
    a.key = rf_str_make(copy, key.len);
    refused(&s, &a, "public key"); /* the point is not on the curve */
    scene_close(&s);
}

Test(webauthn, small_rsa_keys_are_refused)
{
    struct scene s;
    struct token_answer a = token_create();
    scene_open(&s, COSE_RS256);
    EVP_PKEY_free(s.token.key);
    s.token.key = EVP_RSA_gen(1024);
    refused(&s, &a, "public key");
    scene_close(&s);
}

/* What is cut off anywhere is refused, and what is changed by a bit is refused or says the same id and key. */
Test(webauthn, cut_answers_are_refused)
{
    struct scene s;
    struct token_answer a = token_create();
    a.format = "packed";
    scene_open(&s, COSE_ES256);
    struct json_node *answer = token_answer(&s.token, &a, &s.arena);
    rf_str object = token_object(&s.token, &a, &s.arena);
    for (size_t len = 0; len < object.len; len++) {
        json_set_text(&s.arena, json_get(answer, "response"), "attestationObject",
                      base64url_encode(&s.arena, rf_slice(object, 0, len)));
        cr_assert(webauthn_register(&s.party, a.challenge, answer, false, &s.arena, &s.credential,
                                    &s.err) == RF_INVALID,
                  "%zu", len);
    }
    struct rf_buf longer = rf_buf_in(&s.arena);
    rf_buf_str(&longer, object);
    rf_buf_str(&longer, RF_S("\xf6"));
    json_set_text(&s.arena, json_get(answer, "response"), "attestationObject",
                  base64url_encode(&s.arena, rf_buf_view(&longer)));
    cr_assert(webauthn_register(&s.party, a.challenge, answer, false, &s.arena, &s.credential,
                                &s.err) == RF_INVALID);
    scene_close(&s);
}

Test(webauthn, members_that_are_missing_are_named_so)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "{\"type\":\"public-key\"}",
        "{\"type\":7,\"rawId\":\"AAAA\"}",
        "{\"type\":\"public-key\",\"rawId\":\"AA=A\",\"response\":{}}",
        "{\"type\":\"public-key\",\"rawId\":\"AAAA\",\"response\":[]}"};
    struct scene s;
    struct json_node *doc;
    struct webauthn_claim claim;
    registered(&s, COSE_EDDSA, 0);
    const struct token_answer a = token_get();
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        cr_assert(json_parse(rf_str_of(texts[i]), &s.arena, &doc, &s.err) == RF_OK);
        cr_assert(webauthn_register(&s.party, a.challenge, doc, false, &s.arena, &s.credential,
                                    &s.err) == RF_INVALID);
        cr_assert(webauthn_authenticate(&s.party, a.challenge, &s.credential, doc, &s.arena,
                                        &s.counter, &s.backed_up, &s.err) == RF_DENIED);
        enum rf_kind kind = webauthn_read_claim(doc, &s.arena, &claim, &s.err);
        cr_assert(kind == (i == 6 ? RF_OK : RF_DENIED), "%zu", i);
    }
    scene_close(&s);
}

Test(webauthn, options_say_what_is_checked)
{
    struct scene s;
    const struct token_answer a = token_get();
    const rf_str ids[] = {RF_S("one"), RF_S("two")};
    scene_open(&s, COSE_ES256);
    struct json_node *doc =
        webauthn_creation_options(&s.arena, &s.party, RF_S("handle"), RF_S("ann@example"),
                                  RF_S("Ann \"A\""), a.challenge, ids, 2);
    struct rf_buf buf = rf_buf_in(&s.arena);
    cr_assert(doc != NULL);
    cr_assert(rf_str_is(json_text_at(doc, "rp.id"), "localhost"));
    cr_assert(rf_str_is(json_text_at(doc, "user.id"), "aGFuZGxl"));
    cr_assert(rf_str_is(json_text_at(doc, "attestation"), "none"));
    cr_assert(rf_str_is(json_text_at(doc, "authenticatorSelection.userVerification"), "required"));
    cr_assert(rf_str_is(json_text_at(doc, "authenticatorSelection.residentKey"), "required"));
    json_print(&buf, doc);
    rf_str text = rf_buf_view(&buf);
    cr_assert(rf_str_find(text, RF_S("\"alg\":-7"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(text, RF_S("\"alg\":-257"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(text, RF_S("\"id\":\"dHdv\""), 0) != SIZE_MAX);
    doc = webauthn_request_options(&s.arena, &s.party, a.challenge, ids, 2);
    cr_assert(rf_str_is(json_text_at(doc, "rpId"), "localhost"));
    cr_assert(rf_str_is(json_text_at(doc, "userVerification"), "required"));
    cr_assert(json_text_at(doc, "challenge").len == 43);
    scene_close(&s);
}
