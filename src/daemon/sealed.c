#include "daemon/sealed.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/json_tree.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "crypt/x509.h"
#include "daemon/first_start.h"
#include "net/server.h"
#include "net/tls.h"

enum { MEMORY_BYTES = 1 << 20, BODY_BYTES_MAX = 4096, RETRY_SECONDS = 10, STOP_SECONDS = 2 };
#define CERTIFICATE_USEC (INT64_C(30) * 86400 * RF_USEC_PER_SECOND)

struct sealed {
    struct keeper *keeper;
    struct rf_arena arena;
    EVP_PKEY *key;
    struct tls_context *tls;
    struct server *server;
};

/* ---- answers ------------------------------------------------------------------------------------------------------------ */

static void put_error(struct http_response *response, uint16_t status, rf_str code, rf_str text)
{
    struct json_out json = json_out_to(&response->body);
    response->status = status;
    http_set_literal(response, "Content-Type", "application/json");
    http_set_literal(response, "Cache-Control", "no-store");
    json_begin_object(&json, NULL);
    json_begin_object(&json, "error");
    json_put_text(&json, "code", code);
    json_put_text(&json, "message", text);
    json_end_object(&json);
    json_end_object(&json);
}

static void put_sealed(struct http_response *response)
{
    http_setf(response, "Retry-After", "%d", RETRY_SECONDS);
    put_error(response, 503, RF_S("VaultSealed"),
              RF_S("The service is sealed. Holders of shares or of the passphrase open it: "
                   "ringfort vault unseal, or PUT /seal/unseal."));
}

static int64_t number_of(rf_str digits)
{
    int64_t n = 0;
    for (size_t i = 0; i < digits.len && i < 4 && rf_is_digit(digits.ptr[i]); i++)
        n = n * 10 + (digits.ptr[i] - '0');
    return n;
}

static rf_str cut_word(rf_str *text)
{
    size_t end = RF_MIN(rf_str_find(*text, RF_S(" "), 0), text->len);
    rf_str word = rf_slice(*text, 0, end);
    *text = rf_slice(*text, RF_MIN(end + 1, text->len), text->len);
    return word;
}

/* The keeper's words (crypt/keeper_seal_talk.h) as JSON. */
static void put_reply(struct http_response *response, rf_str reply)
{
    rf_str verdict = cut_word(&reply), first = cut_word(&reply);
    if (!rf_str_is(verdict, "ok")) {
        bool slow = rf_str_is(first, "TooManyAttempts"),
             wrong = rf_str_is(first, "PassphraseWrong");
        uint16_t status = slow ? 429 : 400;
        if (wrong || rf_str_is(first, "SharesWrong")) status = 403;
        if (rf_str_is(first, "ShareTwice") || rf_str_is(first, "ShareOther")) status = 409;
        put_error(response, status, first, reply);
        return;
    }
    rf_str have = cut_word(&reply), wanted = cut_word(&reply);
    struct json_out json = json_out_to(&response->body);
    http_set_literal(response, "Content-Type", "application/json");
    http_set_literal(response, "Cache-Control", "no-store");
    json_begin_object(&json, NULL);
    json_put_bool(&json, "sealed", rf_str_is(first, "sealed"));
    json_put_text(&json, "kind", reply);
    json_put_i64(&json, "have", number_of(have));
    json_put_i64(&json, "wanted", number_of(wanted));
    json_end_object(&json);
}

static void ask(struct sealed *sealed, rf_str request, struct http_response *response)
{
    rf_str reply;
    struct rf_err err = {0};
    if (keeper_unseal(sealed->keeper, request, response->arena, &reply, &err) == RF_OK)
        put_reply(response, reply);
    else
        put_sealed(response);
}

static void unseal(struct sealed *sealed, const struct http_request *request,
                   struct http_response *response)
{
    struct json_node *body;
    struct rf_err err = {0};
    if (json_parse(request->body, response->arena, &body, &err) != RF_OK) {
        put_error(response, 400, RF_S("BadRequest"), rf_str_of(err.text));
        return;
    }
    rf_str share = json_text_at(body, "share"), passphrase = json_text_at(body, "passphrase");
    if ((share.len > 0) == (passphrase.len > 0)) {
        put_error(response, 400, RF_S("BadRequest"),
                  RF_S("The body is {\"share\": TEXT} or {\"passphrase\": TEXT}."));
        return;
    }
    bool is_share = share.len > 0;
    rf_str text = rf_arena_printf(response->arena, "%s\n%.*s", is_share ? "share" : "passphrase",
                                  RF_FMT(is_share ? share : passphrase));
    if (text.ptr == NULL) {
        response->failed = true;
        return;
    }
    ask(sealed, text, response);
    explicit_bzero((uint8_t *)(uintptr_t)text.ptr, text.len);
}

/* ---- the handler ---------------------------------------------------------------------------------------------------------- */

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx;
    (void)head;
    return (struct http_plan){.body_bytes_max = BODY_BYTES_MAX, .lane = HTTP_QUICK};
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    struct sealed *sealed = ctx;
    (void)gone;
    if (request->method == HTTP_GET && rf_str_is(request->path, "/seal"))
        ask(sealed, RF_S("status"), response);
    else if (request->method == HTTP_PUT && rf_str_is(request->path, "/seal/unseal"))
        unseal(sealed, request, response);
    else
        put_sealed(response);
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx;
    (void)head;
    put_error(response, response->status, RF_S("BadRequest"), rf_str_of(why));
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind sign_handshake(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                                   size_t cap, size_t *len, struct rf_err *err)
{
    (void)leaf; /* there is one only */
    struct sealed *sealed = ctx;
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(sealed->key, NULL);
    *len = cap;
    bool good = sign != NULL && EVP_PKEY_sign_init(sign) == 1 &&
                EVP_PKEY_sign(sign, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(sign);
    return good ? RF_OK : RF_FAIL(err, RF_IO, "CryptoFailed", "cannot sign a handshake");
}

static enum rf_kind make_certificate(struct sealed *sealed, const struct config *config,
                                     rf_str *pem, struct rf_err *err)
{
    rf_str names[] = {RF_S("localhost"), config->domain}, der;
    uint8_t digest[SHA256_BYTES];
    rf_usec now = rf_clock_now(rf_clock_real());
    struct cert_request request = {.subject_cn = RF_S("Ringfort, sealed"),
                                   .dns_names = names,
                                   .dns_count = RF_COUNT(names),
                                   .not_before = now - 3600 * RF_USEC_PER_SECOND,
                                   .not_after = now + CERTIFICATE_USEC};
    RF_TRY(key_make(KEY_P256, &sealed->key, err));
    RF_TRY(cert_make(&request, sealed->key, sealed->key, (rf_str){0}, &sealed->arena, &der, err));
    char text[2 * SHA256_BYTES + 1];
    digest_sha256(der, digest);
    for (size_t i = 0; i < sizeof digest; i++) (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    rf_log(RF_WARN, "server.sealed", RF_KV_STR("certificate_sha256", rf_str_of(text)),
           RF_KV_STR("remedy", RF_S("ringfort vault unseal, or PUT /seal/unseal")));
    *pem = cert_pem(&sealed->arena, der);
    return pem->ptr == NULL ? rf_fail_memory(err, &sealed->arena) : RF_OK;
}

static enum rf_kind listen_at(struct sealed *sealed, const struct config *config, uint16_t *port,
                              struct rf_err *err)
{
    rf_str any = RF_S(":0"), address = config->listen_https;
    uint16_t last = rf_str_ends(address, any) ? first_start_last_port(config->data, "https") : 0;
    if (last != 0) {
        rf_str again = rf_arena_printf(&sealed->arena, "%.*s:%u", (int)(address.len - any.len),
                                       (const char *)address.ptr, last);
        if (again.ptr != NULL &&
            server_listen(sealed->server, again, sealed->tls, port, NULL) == RF_OK)
            return RF_OK;
    }
    return server_listen(sealed->server, address, sealed->tls, port, err);
}

static enum rf_kind set_up(struct sealed *sealed, const struct config *config, struct rf_err *err)
{
    rf_str pem;
    uint16_t port;
    RF_TRY(make_certificate(sealed, config, &pem, err));
    struct tls_server_options tls = {.chain_pem = pem, .sign = sign_handshake, .sign_ctx = sealed};
    RF_TRY(tls_server_new(&tls, &sealed->tls, err));
    struct server_options options = {
        .handler = {.ctx = sealed, .plan = plan, .run = run, .refuse = refuse},
        .limits = {.connections_max = 256, .request_memory_max = MEMORY_BYTES},
        .loops = 1,
        .quick_workers = 2,
        .heavy_workers = 1,
        .clock = rf_clock_real()};
    RF_TRY(server_new(&options, &sealed->server, err));
    RF_TRY(listen_at(sealed, config, &port, err));
    rf_log(RF_INFO, "server.sealed_port", RF_KV_U64("port", port));
    return RF_OK;
}

enum rf_kind sealed_listen(const struct config *config, struct keeper *keeper, struct sealed **out,
                           struct rf_err *err)
{
    struct sealed *sealed = calloc(1, sizeof *sealed);
    if (sealed == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    sealed->keeper = keeper;
    rf_arena_init(&sealed->arena, MEMORY_BYTES);
    enum rf_kind kind = set_up(sealed, config, err);
    if (kind == RF_OK)
        *out = sealed;
    else
        sealed_stop(sealed);
    return kind;
}

enum rf_kind sealed_start(struct sealed *sealed, struct rf_err *err)
{
    return server_start(sealed->server, err);
}

void sealed_stop(struct sealed *sealed)
{
    if (sealed == NULL) return;
    if (sealed->server != NULL) server_stop(sealed->server, STOP_SECONDS * RF_USEC_PER_SECOND);
    server_free(sealed->server);
    tls_free(sealed->tls);
    EVP_PKEY_free(sealed->key);
    rf_arena_done(&sealed->arena);
    free(sealed);
}
