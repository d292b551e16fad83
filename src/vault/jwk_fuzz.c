/* JSON Web Keys as they are imported: what is taken is a key of a size that there is, and reads as PKCS #8. */
#include <openssl/x509.h>

#include "test/rf_fuzz.h"
#include "vault/keys_int.h"

RF_FUZZ(jwk, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4u << 20);
    struct json_node *jwk;
    struct seal_head head = {0};
    rf_str material, bytes;
    struct rf_err err;
    if (vault_key_bytes(&arena, text, &bytes, &err) == RF_OK) RF_ASSERT(bytes.len <= text.len);
    if (json_parse(text, &arena, &jwk, &err) != RF_OK || !json_is(jwk, JSON_T_OBJECT)) return;
    if (vault_jwk_read(jwk, &arena, &head, &material, &err) != RF_OK) return;
    if (head.material == SEAL_OCT) {
        RF_ASSERT(material.len * 8 == head.bits);
        return;
    }
    const uint8_t *at = material.ptr;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)material.len);
    RF_ASSERT(info != NULL);
    RF_ASSERT(at == material.ptr + material.len);
    RF_ASSERT((head.material == SEAL_RSA) == (head.bits != 0));
    PKCS8_PRIV_KEY_INFO_free(info);
}
