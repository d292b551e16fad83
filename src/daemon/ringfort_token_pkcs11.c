/* ringfort_token_pkcs11.c - an AES-256 key on a PKCS#11 token (v2.40) wraps; it never leaves the token. What it wraps is sent as data under AES-GCM.
 *
 * A blob: 0 1 form (1: AES-256-GCM)   1 12 nonce   13 48 the key and its tag (additional data: "ringfort root token 1") */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CRYPTOKI_GNU 1
#include <p11-kit/pkcs11.h>

#include <openssl/crypto.h>

#include "daemon/ringfort_token.h"

enum { FORM_GCM = 1, NONCE_BYTES = 12, TAG_BYTES = 16, SLOTS_MAX = 64, PIN_BYTES_MAX = 256 };
enum { BLOB_BYTES = 1 + NONCE_BYTES + TOKEN_KEY_BYTES + TAG_BYTES };
static const uint8_t about[] = "ringfort root token 1";

struct token {
    const struct token_settings *settings;
    struct token_reply *reply;
    struct ck_function_list *calls;
    ck_slot_id_t slot;
    ck_session_handle_t session;
    ck_object_handle_t key;
};

static enum token_verdict failed(struct token *t, const char *what, ck_rv_t rv)
{
    static const struct {
        ck_rv_t rv;
        const char *name;
        enum token_verdict verdict;
    } names[] = {
        {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", TOKEN_ABSENT},
        {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR", TOKEN_ABSENT},
        {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", TOKEN_ABSENT},
        {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR", TOKEN_ABSENT},
        {CKR_PIN_LOCKED, "CKR_PIN_LOCKED", TOKEN_REFUSED},
        {CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", TOKEN_REFUSED},
        {CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE", TOKEN_REFUSED},
        {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED", TOKEN_REFUSED},
        {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID", TOKEN_REFUSED},
        {CKR_ENCRYPTED_DATA_INVALID, "CKR_ENCRYPTED_DATA_INVALID", TOKEN_REFUSED},
        {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED", TOKEN_REFUSED},
        {CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED", TOKEN_REFUSED},
    };
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (names[i].rv == rv)
            return token_say(t->reply, names[i].verdict, "the token says %s to %s", names[i].name,
                             what);
    return token_say(t->reply, TOKEN_REFUSED, "the token says 0x%lx to %s", rv, what);
}

static enum token_verdict load(struct token *t)
{
    ck_rv_t (*get)(struct ck_function_list **) = NULL;
    void *module = dlopen(t->settings->module, RTLD_NOW | RTLD_LOCAL);
    if (module == NULL)
        return token_say(t->reply, TOKEN_ABSENT, "the module cannot be loaded: %.90s", dlerror());
    void *symbol = dlsym(module, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof get);
    if (symbol == NULL || get(&t->calls) != CKR_OK || t->calls == NULL)
        return token_say(t->reply, TOKEN_REFUSED, "%.100s is no PKCS#11 module",
                         t->settings->module);
    ck_rv_t rv = t->calls->C_Initialize(NULL);
    if (rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) return TOKEN_DONE;
    return failed(t, "C_Initialize", rv);
}

/* Labels are 32 bytes, blanks behind. */
static bool is_label(const unsigned char label[32], const char *wanted)
{
    size_t len = strlen(wanted);
    if (len > 32 || memcmp(label, wanted, len) != 0) return false;
    while (len < 32 && label[len] == ' ') len++;
    return len == 32;
}

static enum token_verdict find_slot(struct token *t, struct ck_token_info *info)
{
    ck_slot_id_t slots[SLOTS_MAX];
    unsigned long count = SLOTS_MAX;
    ck_rv_t rv = t->calls->C_GetSlotList(1, slots, &count);
    if (rv != CKR_OK) return failed(t, "C_GetSlotList", rv);
    for (unsigned long i = 0; i < count; i++) {
        t->slot = slots[i];
        if (t->calls->C_GetTokenInfo(slots[i], info) == CKR_OK &&
            is_label(info->label, t->settings->token))
            return TOKEN_DONE;
    }
    return token_say(t->reply, TOKEN_ABSENT, "there is no token '%.32s'", t->settings->token);
}

/* Tried once only: a token counts. */
static enum token_verdict login(struct token *t, const struct ck_token_info *info)
{
    uint8_t pin[PIN_BYTES_MAX];
    const char *path = t->settings->pin_file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, pin, sizeof pin);
    if (fd >= 0) close(fd);
    while (got > 0 && (pin[got - 1] == '\n' || pin[got - 1] == '\r')) got--;
    if (got <= 0)
        return token_say(t->reply, TOKEN_ABSENT, "the PIN file %.100s cannot be read", path);
    if ((info->flags & CKF_USER_PIN_LOCKED) != 0) {
        OPENSSL_cleanse(pin, sizeof pin);
        return token_say(t->reply, TOKEN_REFUSED, "the PIN is locked (CKR_PIN_LOCKED)");
    }
    ck_rv_t rv = t->calls->C_Login(t->session, CKU_USER, pin, (unsigned long)got);
    OPENSSL_cleanse(pin, sizeof pin);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) return TOKEN_DONE;
    if (rv != CKR_PIN_INCORRECT) return failed(t, "C_Login", rv);
    struct ck_token_info now = *info;
    (void)t->calls->C_GetTokenInfo(t->slot, &now);
    bool last = (now.flags & CKF_USER_PIN_FINAL_TRY) != 0;
    bool low = (now.flags & CKF_USER_PIN_COUNT_LOW) != 0;
    return token_say(t->reply, TOKEN_REFUSED, "the PIN is wrong (CKR_PIN_INCORRECT)%s",
                     last  ? "; one try is left"
                     : low ? "; few tries are left"
                           : "; it is not tried again");
}

static enum token_verdict find_key(struct token *t, unsigned long *count)
{
    ck_object_class_t class = CKO_SECRET_KEY;
    ck_key_type_t type = CKK_AES;
    struct ck_attribute like[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type},
        {CKA_LABEL, (void *)(uintptr_t)t->settings->key, strlen(t->settings->key)}};
    ck_object_handle_t found[2];
    ck_rv_t rv = t->calls->C_FindObjectsInit(t->session, like, RF_COUNT(like));
    if (rv != CKR_OK) return failed(t, "C_FindObjectsInit", rv);
    rv = t->calls->C_FindObjects(t->session, found, RF_COUNT(found), count);
    (void)t->calls->C_FindObjectsFinal(t->session);
    if (rv != CKR_OK) return failed(t, "C_FindObjects", rv);
    if (*count > 0) t->key = found[0];
    return TOKEN_DONE;
}

static enum token_verdict make_key(struct token *t)
{
    unsigned char yes = 1, no = 0;
    unsigned long bytes = TOKEN_KEY_BYTES;
    struct ck_mechanism mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    struct ck_attribute as[] = {
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1},
        {CKA_EXTRACTABLE, &no, 1},
        {CKA_ENCRYPT, &yes, 1},
        {CKA_DECRYPT, &yes, 1},
        {CKA_VALUE_LEN, &bytes, sizeof bytes},
        {CKA_LABEL, (void *)(uintptr_t)t->settings->key, strlen(t->settings->key)}};
    ck_rv_t rv = t->calls->C_GenerateKey(t->session, &mechanism, as, RF_COUNT(as), &t->key);
    return rv == CKR_OK ? TOKEN_DONE : failed(t, "C_GenerateKey", rv);
}

/* A key that can be read out seals nothing. */
static enum token_verdict check_key(struct token *t)
{
    unsigned char sensitive = 0, extractable = 1;
    unsigned long bytes = 0;
    struct ck_attribute is[] = {{CKA_SENSITIVE, &sensitive, 1},
                                {CKA_EXTRACTABLE, &extractable, 1},
                                {CKA_VALUE_LEN, &bytes, sizeof bytes}};
    ck_rv_t rv = t->calls->C_GetAttributeValue(t->session, t->key, is, RF_COUNT(is));
    if (rv != CKR_OK) return failed(t, "C_GetAttributeValue", rv);
    if (bytes == TOKEN_KEY_BYTES && sensitive && !extractable) return TOKEN_DONE;
    return token_say(t->reply, TOKEN_REFUSED,
                     "key '%.32s' is no AES-256 key that is sensitive and not extractable",
                     t->settings->key);
}

static enum token_verdict get_key(struct token *t, enum token_verb verb)
{
    unsigned long count = 0;
    enum token_verdict verdict = find_key(t, &count);
    if (verdict != TOKEN_DONE) return verdict;
    if (count > 1)
        return token_say(t->reply, TOKEN_REFUSED, "there are several keys '%.32s' on the token",
                         t->settings->key);
    if (count == 1) return verb == TOKEN_WRAP ? check_key(t) : TOKEN_DONE;
    if (verb == TOKEN_WRAP && t->settings->create_key) return make_key(t);
    return token_say(t->reply, TOKEN_REFUSED, "there is no AES key '%.32s' on the token%s",
                     t->settings->key, verb == TOKEN_WRAP ? "; --create-key makes it" : "");
}

static enum token_verdict open_session(struct token *t, enum token_verb verb)
{
    struct ck_token_info info;
    enum token_verdict verdict = find_slot(t, &info);
    if (verdict != TOKEN_DONE) return verdict;
    unsigned long flags =
        CKF_SERIAL_SESSION |
        (verb == TOKEN_WRAP && t->settings->create_key ? (unsigned long)CKF_RW_SESSION : 0UL);
    ck_rv_t rv = t->calls->C_OpenSession(t->slot, flags, NULL, NULL, &t->session);
    if (rv != CKR_OK) return failed(t, "C_OpenSession", rv);
    verdict = login(t, &info);
    return verdict == TOKEN_DONE ? get_key(t, verb) : verdict;
}

static enum token_verdict seal_or_open(struct token *t, enum token_verb verb, rf_str body)
{
    uint8_t nonce[NONCE_BYTES], *to = t->reply->out;
    struct ck_gcm_params gcm = {.iv_ptr = nonce,
                                .iv_len = sizeof nonce,
                                .iv_bits = 8 * sizeof nonce,
                                .aad_ptr = (unsigned char *)(uintptr_t)about,
                                .aad_len = sizeof about - 1,
                                .tag_bits = 8 * TAG_BYTES};
    struct ck_mechanism mechanism = {CKM_AES_GCM, &gcm, sizeof gcm};
    unsigned char *from = (unsigned char *)(uintptr_t)body.ptr;
    if (verb == TOKEN_WRAP) {
        unsigned long len = TOKEN_BLOB_BYTES_MAX - 1 - NONCE_BYTES;
        ck_rv_t rv = t->calls->C_GenerateRandom(t->session, nonce, sizeof nonce);
        if (rv != CKR_OK) return failed(t, "C_GenerateRandom", rv);
        rv = t->calls->C_EncryptInit(t->session, &mechanism, t->key);
        if (rv != CKR_OK) return failed(t, "C_EncryptInit (AES-GCM)", rv);
        rv = t->calls->C_Encrypt(t->session, from, body.len, to + 1 + NONCE_BYTES, &len);
        if (rv != CKR_OK) return failed(t, "C_Encrypt", rv);
        to[0] = FORM_GCM;
        memcpy(to + 1, nonce, NONCE_BYTES);
        t->reply->len = 1 + NONCE_BYTES + len;
        if (t->reply->len == BLOB_BYTES) return TOKEN_DONE;
        return token_say(t->reply, TOKEN_REFUSED, "the token's AES-GCM gives another length");
    }
    if (body.len != BLOB_BYTES || body.ptr[0] != FORM_GCM)
        return token_say(t->reply, TOKEN_REFUSED, "the blob is none of a PKCS#11 token");
    unsigned long len = TOKEN_BLOB_BYTES_MAX;
    memcpy(nonce, body.ptr + 1, NONCE_BYTES);
    ck_rv_t rv = t->calls->C_DecryptInit(t->session, &mechanism, t->key);
    if (rv != CKR_OK) return failed(t, "C_DecryptInit (AES-GCM)", rv);
    rv = t->calls->C_Decrypt(t->session, from + 1 + NONCE_BYTES, body.len - 1 - NONCE_BYTES, to,
                             &len);
    if (rv == CKR_GENERAL_ERROR) rv = CKR_ENCRYPTED_DATA_INVALID; /* what some say to a wrong tag */
    if (rv != CKR_OK) return failed(t, "C_Decrypt", rv);
    t->reply->len = len;
    if (len == TOKEN_KEY_BYTES) return TOKEN_DONE;
    return token_say(t->reply, TOKEN_REFUSED, "the token unwraps another length");
}

enum token_verdict pkcs11_do(const struct token_settings *settings, enum token_verb verb,
                             rf_str body, struct token_reply *reply)
{
    struct token t = {.settings = settings, .reply = reply};
    if (settings->module == NULL || settings->module[0] != '/' || settings->token == NULL ||
        settings->key == NULL || settings->pin_file == NULL)
        return token_say(reply, TOKEN_REFUSED,
                         "module (an absolute path), token, key and pin-file are needed");
    enum token_verdict verdict = load(&t);
    if (verdict != TOKEN_DONE) return verdict;
    verdict = open_session(&t, verb);
    if (verdict == TOKEN_DONE) verdict = seal_or_open(&t, verb, body);
    (void)t.calls->C_Finalize(NULL);
    return verdict;
}
