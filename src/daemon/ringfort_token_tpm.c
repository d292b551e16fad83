/* ringfort_token_tpm.c - a TPM 2.0 seals, as an object under a primary key of the owner hierarchy (ECC P-256, made anew each time from the TPM's seed). The session
 * is salted by that key and encrypts parameters, so that nothing on the bus tells what is sealed.
 *
 * A blob: 0 1 form (2: TPM 2.0)   1 4 PCRs of the SHA-256 bank, a bit each   5 TPM2B_PUBLIC, then TPM2B_PRIVATE, as the TPM marshals them */
#include <stdio.h>
#include <stdlib.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include <openssl/crypto.h>

#include "daemon/ringfort_token.h"

enum { FORM_TPM = 2, HEAD_BYTES = 5, PCRS = 24 };

struct tpm {
    struct token_reply *reply;
    TSS2_TCTI_CONTEXT *way;
    ESYS_CONTEXT *esys;
    ESYS_TR primary, session, policy, object;
};

static const TPMT_SYM_DEF aes = {
    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};

static enum token_verdict failed(struct tpm *t, const char *what, TSS2_RC rc)
{
    enum { FORMAT_ONE = 0x0bf }; /* without the number of the parameter or session */
    bool of_tpm = (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER;
    TSS2_RC code = rc & FORMAT_ONE;
    if (of_tpm && ((rc & TPM2_RC_FMT1) != 0) && code == TPM2_RC_POLICY_FAIL)
        return token_say(t->reply, TOKEN_REFUSED,
                         "the PCRs are others than when it was sealed (TPM_RC_POLICY_FAIL)");
    if (of_tpm && ((rc & TPM2_RC_FMT1) != 0) && code == TPM2_RC_INTEGRITY)
        return token_say(t->reply, TOKEN_REFUSED, "another TPM sealed it (TPM_RC_INTEGRITY)");
    if ((rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_IO_ERROR && !of_tpm)
        return token_say(t->reply, TOKEN_ABSENT, "the TPM does not answer to %s", what);
    return token_say(t->reply, TOKEN_REFUSED, "the TPM says 0x%x to %s", rc, what);
}

/* "0,7" */
static bool read_pcrs(const char *text, uint32_t *mask)
{
    *mask = 0;
    while (text != NULL && *text != '\0') {
        char *end;
        if (*text < '0' || *text > '9') return false;
        unsigned long pcr = strtoul(text, &end, 10);
        if (pcr >= PCRS || (*end != ',' && *end != '\0') || (*end == ',' && end[1] == '\0'))
            return false;
        *mask |= UINT32_C(1) << pcr;
        text = *end == ',' ? end + 1 : end;
    }
    return true;
}

static enum token_verdict open_tpm(struct tpm *t, const char *where)
{
    (void)setenv("TSS2_LOG", "all+none", 1);
    if (where == NULL) where = "device:/dev/tpmrm0";
    if (Tss2_TctiLdr_Initialize(where, &t->way) != TSS2_RC_SUCCESS)
        return token_say(t->reply, TOKEN_ABSENT, "there is no TPM at %.100s", where);
    TSS2_RC rc = Esys_Initialize(&t->esys, t->way, NULL);
    return rc == TSS2_RC_SUCCESS ? TOKEN_DONE : failed(t, "Esys_Initialize", rc);
}

static enum token_verdict make_primary(struct tpm *t)
{
    static const TPM2B_SENSITIVE_CREATE nothing = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    const TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_ECC,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                                           TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                           TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                           TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                       .parameters.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
                                                              .keyBits.aes = 128,
                                                              .mode.aes = TPM2_ALG_CFB},
                                                .scheme.scheme = TPM2_ALG_NULL,
                                                .curveID = TPM2_ECC_NIST_P256,
                                                .kdf.scheme = TPM2_ALG_NULL}}};
    TSS2_RC rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &nothing, &template, &no_data, &no_pcrs,
                                    &t->primary, NULL, NULL, NULL, NULL);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_CreatePrimary", rc);
    rc =
        Esys_StartAuthSession(t->esys, t->primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &t->session);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_StartAuthSession", rc);
    TPMA_SESSION how = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
    rc = Esys_TRSess_SetAttributes(t->esys, t->session, how, 0xff);
    return rc == TSS2_RC_SUCCESS ? TOKEN_DONE : failed(t, "a session's attributes", rc);
}

/* A session that has gone through the PCRs; `type` trial only reckons the digest. */
static enum token_verdict start_policy(struct tpm *t, TPM2_SE type, uint32_t mask)
{
    static const TPM2B_DIGEST any = {0};
    TPML_PCR_SELECTION pcrs = {.count = 1,
                               .pcrSelections[0] = {.hash = TPM2_ALG_SHA256, .sizeofSelect = 3}};
    for (unsigned i = 0; i < 3; i++) pcrs.pcrSelections[0].pcrSelect[i] = (BYTE)(mask >> (8 * i));
    TSS2_RC rc =
        Esys_StartAuthSession(t->esys, t->primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                              ESYS_TR_NONE, NULL, type, &aes, TPM2_ALG_SHA256, &t->policy);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_StartAuthSession", rc);
    rc = Esys_PolicyPCR(t->esys, t->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &any, &pcrs);
    return rc == TSS2_RC_SUCCESS ? TOKEN_DONE : failed(t, "TPM2_PolicyPCR", rc);
}

static enum token_verdict put_blob(struct tpm *t, uint32_t mask, const TPM2B_PUBLIC *public,
                                   const TPM2B_PRIVATE *private)
{
    size_t at = HEAD_BYTES;
    t->reply->out[0] = FORM_TPM;
    rf_put_u32le(t->reply->out + 1, mask);
    bool fits = Tss2_MU_TPM2B_PUBLIC_Marshal(public, t->reply->out, TOKEN_BLOB_BYTES_MAX, &at) ==
                    TSS2_RC_SUCCESS &&
                Tss2_MU_TPM2B_PRIVATE_Marshal(private, t->reply->out, TOKEN_BLOB_BYTES_MAX, &at) ==
                    TSS2_RC_SUCCESS;
    t->reply->len = at;
    return fits ? TOKEN_DONE : token_say(t->reply, TOKEN_REFUSED, "the TPM's blob is too large");
}

static enum token_verdict seal(struct tpm *t, rf_str key, uint32_t mask)
{
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_KEYEDHASH,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                           (mask == 0 ? TPMA_OBJECT_USERWITHAUTH : 0) |
                                           TPMA_OBJECT_NODA,
                       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
    TPM2B_PUBLIC *public = NULL;
    TPM2B_PRIVATE *private = NULL;
    if (mask != 0) {
        TPM2B_DIGEST *digest = NULL;
        enum token_verdict verdict = start_policy(t, TPM2_SE_TRIAL, mask);
        if (verdict != TOKEN_DONE) return verdict;
        TSS2_RC rc = Esys_PolicyGetDigest(t->esys, t->policy, ESYS_TR_NONE, ESYS_TR_NONE,
                                          ESYS_TR_NONE, &digest);
        if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_PolicyGetDigest", rc);
        template.publicArea.authPolicy = *digest;
        Esys_Free(digest);
    }
    TPM2B_SENSITIVE_CREATE secret = {.sensitive.data.size = TOKEN_KEY_BYTES};
    memcpy(secret.sensitive.data.buffer, key.ptr, TOKEN_KEY_BYTES);
    TSS2_RC rc = Esys_Create(t->esys, t->primary, t->session, ESYS_TR_NONE, ESYS_TR_NONE, &secret,
                             &template, &no_data, &no_pcrs, &private, &public, NULL, NULL, NULL);
    OPENSSL_cleanse(&secret, sizeof secret);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_Create", rc);
    enum token_verdict verdict = put_blob(t, mask, public, private);
    Esys_Free(public);
    Esys_Free(private);
    return verdict;
}

static enum token_verdict unseal(struct tpm *t, rf_str blob)
{
    TPM2B_PUBLIC public = {0};
    TPM2B_PRIVATE private = {0};
    TPM2B_SENSITIVE_DATA *data = NULL;
    size_t at = HEAD_BYTES;
    if (blob.len <= HEAD_BYTES || blob.ptr[0] != FORM_TPM ||
        Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob.ptr, blob.len, &at, &public) != TSS2_RC_SUCCESS ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(blob.ptr, blob.len, &at, &private) != TSS2_RC_SUCCESS ||
        at != blob.len)
        return token_say(t->reply, TOKEN_REFUSED, "the blob is none of a TPM");
    uint32_t mask = rf_get_u32le(blob.ptr + 1);
    TSS2_RC rc = Esys_Load(t->esys, t->primary, t->session, ESYS_TR_NONE, ESYS_TR_NONE, &private,
                           &public, &t->object);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_Load", rc);
    enum token_verdict verdict = mask == 0 ? TOKEN_DONE : start_policy(t, TPM2_SE_POLICY, mask);
    if (verdict != TOKEN_DONE) return verdict;
    /* Its answer has a parameter to encrypt, its request none. */
    (void)Esys_TRSess_SetAttributes(t->esys, t->session,
                                    TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT, 0xff);
    rc = Esys_Unseal(t->esys, t->object, mask == 0 ? t->session : t->policy,
                     mask == 0 ? ESYS_TR_NONE : t->session, ESYS_TR_NONE, &data);
    if (rc != TSS2_RC_SUCCESS) return failed(t, "TPM2_Unseal", rc);
    bool fits = data->size == TOKEN_KEY_BYTES;
    if (fits) memcpy(t->reply->out, data->buffer, TOKEN_KEY_BYTES);
    t->reply->len = TOKEN_KEY_BYTES;
    OPENSSL_cleanse(data, sizeof *data);
    Esys_Free(data);
    return fits ? TOKEN_DONE : token_say(t->reply, TOKEN_REFUSED, "the TPM unseals another length");
}

/* A TPM without a resource manager keeps what is not flushed. */
static void close_tpm(struct tpm *t)
{
    ESYS_TR all[] = {t->object, t->policy, t->session, t->primary};
    for (size_t i = 0; i < RF_COUNT(all) && t->esys != NULL; i++)
        if (all[i] != ESYS_TR_NONE) (void)Esys_FlushContext(t->esys, all[i]);
    Esys_Finalize(&t->esys);
    Tss2_TctiLdr_Finalize(&t->way);
}

enum token_verdict tpm_do(const struct token_settings *settings, enum token_verb verb, rf_str body,
                          struct token_reply *reply)
{
    struct tpm t = {.reply = reply,
                    .primary = ESYS_TR_NONE,
                    .session = ESYS_TR_NONE,
                    .policy = ESYS_TR_NONE,
                    .object = ESYS_TR_NONE};
    uint32_t mask;
    if (!read_pcrs(settings->pcrs, &mask))
        return token_say(reply, TOKEN_REFUSED, "PCRs are numbers from 0 to 23, such as 0,7");
    enum token_verdict verdict = open_tpm(&t, settings->tcti);
    if (verdict == TOKEN_DONE) verdict = make_primary(&t);
    if (verdict == TOKEN_DONE)
        verdict = verb == TOKEN_WRAP ? seal(&t, body, mask) : unseal(&t, body);
    close_tpm(&t);
    return verdict;
}
