#include "vault/call_int.h"

#include "test/rf_prop.h"

#include <criterion/criterion.h>

/* A call that fails, and how it is answered; rows are not looked at here. */
struct bench {
    struct rf_arena arena;
    struct site site;
    struct http_request http;
    struct http_response response;
    struct request request;
    struct vaults vaults;
    struct vault_operation operation;
    struct vault_call call;
    struct rf_err err;
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    rf_arena_init(&b->arena, 1 << 20);
    b->http.host = RF_S("localhost:8443");
    b->response = (struct http_response){.arena = &b->arena, .body = rf_buf_in(&b->arena)};
    b->request = (struct request){
        .http = &b->http, .response = &b->response, .arena = &b->arena, .site = &b->site};
    b->operation = (struct vault_operation){
        .path = "keys/{name}/{version}/sign", .policy = "keys sign get", .audit = "KeySign"};
    b->call = (struct vault_call){.vaults = &b->vaults,
                                  .request = &b->request,
                                  .arena = &b->arena,
                                  .operation = &b->operation,
                                  .name = RF_S("foo")};
    b->call.place.name = RF_S("kv");
}

static void bench_done(struct bench *b) { rf_arena_done(&b->arena); }

Test(vault_error, what_the_keeper_says_as_the_api_says_it)
{
    static const struct {
        enum rf_kind kind;
        const char *code;
        uint16_t status;
        const char *answer, *inner, *text;
    } rows[] = {
        {RF_DENIED, "SealDisabled", 403, "Forbidden", "KeyDisabled",
         "Operation sign is not allowed on a disabled key."},
        {RF_DENIED, "SealNotYet", 403, "Forbidden", "KeyNotYetValid", "not yet valid"},
        {RF_DENIED, "SealExpired", 403, "Forbidden", "KeyExpired", "expired key"},
        {RF_DENIED, "SealOperation", 403, "Forbidden", "KeyOperationForbidden",
         "Operation sign is not permitted on this key."},
        {RF_INVALID, "SealInput", 400, "BadParameter", "", "The parameter is incorrect"},
        {RF_INVALID, "SealAlgorithm", 400, "BadParameter", "", "what the keeper said"},
        {RF_INVALID, "SealArgument", 400, "BadParameter", "", "what the keeper said"},
        {RF_DENIED, "SealToken", 401, "Unauthorized", "", "the token was refused"},
        {RF_DENIED, "SealBroken", 500, "SealBroken", "", "vault kv, KeySign, foo"},
        {RF_DENIED, "SealRolledBack", 500, "SealRolledBack", "", "vault kv"},
        {RF_DENIED, "SealDestroyed", 500, "SealDestroyed", "", "vault kv"},
        {RF_LIMIT, "SealRate", 429, "Throttled", "", "Too many requests"},
        {RF_LIMIT, "TooManyRequests", 429, "Throttled", "", "Too many requests"},
        /* As they were. */
        {RF_AGAIN, "KeeperGone", 0, "KeeperGone", "", "what the keeper said"},
        {RF_AGAIN, "VaultSealed", 0, "VaultSealed", "", "what the keeper said"},
        {RF_LIMIT, "MessageTooLarge", 0, "MessageTooLarge", "", "what the keeper said"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench b;
        bench_init(&b);
        (void)rf_fail(&b.err, rows[i].kind, rows[i].code, "what the keeper said");
        enum rf_kind kind = vault_seal_error(&b.call, &b.err);
        cr_expect(kind != RF_OK && kind == b.err.kind, "%s", rows[i].code);
        cr_expect(b.request.fail_status == rows[i].status, "%s: %u", rows[i].code,
                  b.request.fail_status);
        cr_expect_str_eq(b.err.code, rows[i].answer);
        cr_expect(rf_str_is(json_text_at(b.request.error_details, "code"), rows[i].inner), "%s",
                  rows[i].code);
        cr_expect(strstr(b.err.text, rows[i].text) != NULL, "%s: %s", rows[i].code, b.err.text);
        bench_done(&b);
    }
}

Test(vault_error, a_disabled_secret_has_an_inner_code_of_its_own)
{
    struct bench b;
    bench_init(&b);
    b.operation.path = "secrets/{name}/{version}";
    b.operation.policy = "secrets get";
    (void)rf_fail(&b.err, RF_DENIED, "SealDisabled", "x");
    cr_expect(vault_seal_error(&b.call, &b.err) == RF_DENIED);
    cr_expect(rf_str_is(json_text_at(b.request.error_details, "code"), "SecretDisabled"));
    cr_expect_str_eq(b.err.text, "Operation get is not allowed on a disabled secret.");
    bench_done(&b);
}

Test(vault_error, jobs_have_no_request)
{
    struct bench b;
    bench_init(&b);
    b.call.request = NULL;
    b.call.operation = NULL;
    cr_expect(vault_bad(&b.call, &b.err, "%s", "why") == RF_INVALID);
    cr_expect_str_eq(b.err.text, "why");
    cr_expect(vault_not_found(&b.call, SEAL_KEY, RF_S("k"), &b.err) == RF_NOT_FOUND);
    (void)rf_fail(&b.err, RF_DENIED, "SealBroken", "x");
    cr_expect(vault_seal_error(&b.call, &b.err) == RF_IO);
    cr_expect(strstr(b.err.text, "a job") != NULL);
    (void)rf_fail(&b.err, RF_DENIED, "SealDisabled", "x");
    cr_expect(vault_seal_error(&b.call, &b.err) == RF_DENIED);
    bench_done(&b);
}

Test(vault_error, names_that_are_not_there_or_not_free)
{
    static const struct {
        enum seal_kind kind;
        const char *code, *missing, *deleted;
    } rows[] = {
        {SEAL_SECRET, "SecretNotFound",
         "A secret with (name/id) foo was not found in this key vault. If you recently deleted "
         "this secret you may be able to recover it using the correct recovery command.",
         "Secret foo is currently in a deleted but recoverable state, and its name cannot be "
         "reused; in this state, the secret can only be recovered or purged."},
        {SEAL_KEY, "KeyNotFound", "A key with (name/id) foo was not found", "Key foo is currently"},
        {SEAL_CERTIFICATE, "CertificateNotFound", "A certificate with (name/id) foo was not found",
         "Certificate foo is currently"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench b;
        bench_init(&b);
        cr_expect(vault_not_found(&b.call, rows[i].kind, RF_S("foo"), &b.err) == RF_NOT_FOUND);
        cr_expect(b.request.fail_status == 404 && b.request.error_details == NULL);
        cr_expect_str_eq(b.err.code, rows[i].code);
        cr_expect(strncmp(b.err.text, rows[i].missing, strlen(rows[i].missing)) == 0);
        cr_expect(vault_is_deleted(&b.call, rows[i].kind, RF_S("foo"), &b.err) == RF_CONFLICT);
        cr_expect(b.request.fail_status == 409);
        cr_expect_str_eq(b.err.code, "Conflict");
        cr_expect(rf_str_is(json_text_at(b.request.error_details, "code"),
                            "ObjectIsDeletedButRecoverable"));
        cr_expect(strncmp(b.err.text, rows[i].deleted, strlen(rows[i].deleted)) == 0);
        bench_done(&b);
    }
}

Test(vault_error, answers_have_the_codes_of_the_api)
{
    static const struct {
        uint16_t status;
        enum rf_kind kind;
        const char *code, *answer;
    } rows[] = {
        {400, RF_INVALID, "InvalidQuery", "BadParameter"},
        {403, RF_DENIED, "Forbidden", "Forbidden"},
        {404, RF_NOT_FOUND, "SecretNotFound", "SecretNotFound"},
        {409, RF_CONFLICT, "EtagMismatch", "Conflict"},
        {413, RF_LIMIT, "ObjectTooLarge", "RequestEntityTooLarge"},
        {429, RF_AGAIN, "SealRate", "Throttled"},
        {500, RF_IO, "InternalServerError", "InternalServerError"},
        {503, RF_AGAIN, "KeeperGone", "ServiceUnavailable"},
        {503, RF_AGAIN, "VaultSealed", "VaultSealed"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench b;
        struct json_node *answer;
        bench_init(&b);
        b.http.path = RF_S("/secrets/x");
        b.request.service = &b.vaults;
        b.request.prepared = &b.call;
        (void)rf_fail(&b.err, rows[i].kind, rows[i].code, "a \"text\"");
        vault_error(&b.request, rows[i].status, &b.err);
        rf_str text = rf_buf_view(&b.response.body);
        cr_assert(json_parse(text, &b.arena, &answer, &b.err) == RF_OK, "%.*s", RF_FMT(text));
        cr_expect(rf_str_is(json_text_at(answer, "error.code"), rows[i].answer), "%.*s",
                  RF_FMT(text));
        cr_expect(rf_str_is(json_text_at(answer, "error.message"), "a \"text\""));
        cr_expect(json_at(answer, "error.innererror") == NULL);
        /* With an inner code, and a text that no rf_err could hold. */
        char longer[2000];
        memset(longer, 'x', sizeof longer);
        cr_expect(vault_refuse(&b.call, &b.err, "Inner", rf_str_make(longer, sizeof longer)) ==
                  RF_DENIED);
        vault_error(&b.request, 403, &b.err);
        cr_assert(json_parse(rf_buf_view(&b.response.body), &b.arena, &answer, &b.err) == RF_OK);
        cr_expect(rf_str_is(json_text_at(answer, "error.innererror.code"), "Inner"));
        cr_expect(json_text_at(answer, "error.message").len == sizeof longer);
        bench_done(&b);
    }
}

static void lose_row(void *ctx, const char *table, rf_str row)
{
    (void)ctx, (void)table, (void)row;
}

/* Nothing is answered of which no row can be written. */
Test(vault_error, without_a_row_there_is_no_answer)
{
    struct bench b;
    struct rf_arena little;
    const struct audit audit = {.row = lose_row};
    bench_init(&b);
    rf_arena_init(&little, 1);
    b.http.path = RF_S("/secrets/x");
    b.request.service = &b.vaults;
    b.request.prepared = &b.call;
    b.vaults.options.audit = &audit;
    struct rf_clock_fixed clock;
    rf_clock_fixed_init(&clock, 0, 0);
    b.vaults.options.clock = &clock.clock;
    b.call.arena = &little;
    (void)rf_fail(&b.err, RF_NOT_FOUND, "SecretNotFound", "x");
    vault_error(&b.request, 404, &b.err);
    rf_str text = rf_buf_view(&b.response.body);
    cr_expect(b.response.status == 503);
    cr_expect(rf_str_find(text, RF_S("\"ServiceUnavailable\""), 0) != SIZE_MAX, "%.*s",
              RF_FMT(text));
    rf_arena_done(&little);
    bench_done(&b);
}
