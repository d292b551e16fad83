/* check_dns.c - dns-01 (RFC 8555, 8.4): a TXT record below the name holds the hash of the key authorization. */
#include "acme/acme_int.h"
#include "base/encode.h"
#include "crypt/digest.h"

enum rf_kind acme_check_dns(const struct acme_check *check, struct rf_err *err)
{
    struct acme_texts texts;
    uint8_t hash[SHA256_BYTES];
    digest_sha256(check->key_authorization, hash);
    rf_str wanted = base64url_encode(check->arena, rf_str_make(hash, sizeof hash));
    rf_str name = rf_arena_printf(check->arena, "_acme-challenge.%.*s", RF_FMT(check->name));
    if (wanted.ptr == NULL || name.ptr == NULL) return rf_fail_memory(err, check->arena);
    enum rf_kind kind = acme_resolve_texts(check->network, name, check->arena, &texts, err);
    if (kind == RF_NOT_FOUND) kind = RF_AGAIN; /* names travel slowly */
    if (kind != RF_OK) return kind;
    for (uint32_t i = 0; i < texts.count; i++)
        if (rf_str_eq(texts.items[i], wanted)) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "incorrectResponse",
                   "%.*s has %u TXT records, none of which is the hash of the key authorization",
                   RF_FMT(name), texts.count);
}
