#include "crypt/keeper_wire.h"

#include "crypt/digest.h"

static const char *const verb_names[KEEPER_VERB_END] = {
    [KEEPER_TLS_CHAIN] = "tls_chain",
    [KEEPER_JWT_KEYS] = "jwt_keys",
    [KEEPER_JWT_ROTATE] = "jwt_rotate",
    [KEEPER_TLS_SIGN] = "tls_sign",
    [KEEPER_JWT_SIGN] = "jwt_sign",
    [KEEPER_MAC] = "mac",
    [KEEPER_STORE_KEY] = "store_key",
    [KEEPER_JWT_SIGN_IF] = "jwt_sign_if",
    [KEEPER_DEVICE_CA] = "device_ca",
    [KEEPER_DEVICE_ISSUE] = "device_issue",
    [KEEPER_SEAL_VAULT_NEW] = "seal_vault_new",
    [KEEPER_SEAL_PUT] = "seal_put",
    [KEEPER_SEAL_OPEN] = "seal_open",
    [KEEPER_SEAL_CHANGE] = "seal_change",
    [KEEPER_SEAL_KEY_NEW] = "seal_key_new",
    [KEEPER_SEAL_KEY_USE] = "seal_key_use",
    [KEEPER_SEAL_CERTIFY] = "seal_certify",
    [KEEPER_SEAL_BUNDLE] = "seal_bundle",
    [KEEPER_SEAL_BACKUP_MAKE] = "seal_backup_make",
    [KEEPER_SEAL_BACKUP_OPEN] = "seal_backup_open",
    [KEEPER_SEAL_BACKUP_PUT] = "seal_backup_put",
    [KEEPER_SEAL_DESTROY] = "seal_destroy",
    [KEEPER_SEAL_RANDOM] = "seal_random",
    [KEEPER_DATA_KEY_NEW] = "data_key_new",
    [KEEPER_DATA_KEY_OPEN] = "data_key_open",
    [KEEPER_DATA_KEY_DESTROY] = "data_key_destroy",
    [KEEPER_UNSEAL] = "unseal",
    [KEEPER_REWRAP] = "rewrap",
    [KEEPER_REWRAP_TURN] = "rewrap_turn",
    [KEEPER_LISTENER_BIND] = "listener_bind",
    [KEEPER_LISTENER_UNBIND] = "listener_unbind",
    [KEEPER_LISTENER_GET] = "listener_get",
    [KEEPER_LISTENER_SHOW] = "listener_show",
    [KEEPER_LISTENER_SIGN] = "listener_sign",
    [KEEPER_STATE] = "state",
};

enum { RING = KEEPER_RING_FIELDS };
static const struct {
    uint8_t request, answer;
} field_counts[KEEPER_VERB_END] = {
    [KEEPER_SEAL_VAULT_NEW] = {1, 1},
    [KEEPER_SEAL_PUT] = {1 + RING + 2, 3},
    [KEEPER_SEAL_OPEN] = {1 + RING + 1, 1},
    [KEEPER_SEAL_CHANGE] = {1 + RING + 2, 1},
    [KEEPER_SEAL_KEY_NEW] = {1 + RING + 1, 3},
    [KEEPER_SEAL_KEY_USE] = {1 + RING + 8, 4},
    [KEEPER_SEAL_CERTIFY] = {1 + RING + 4, 1},
    [KEEPER_SEAL_BUNDLE] = {1 + RING + 3 + RING + 1, 2},
    [KEEPER_SEAL_BACKUP_MAKE] = {1 + RING + 1, 3},
    [KEEPER_SEAL_BACKUP_OPEN] = {3, 1},
    [KEEPER_SEAL_BACKUP_PUT] = {1 + 4 + RING, 3},
    [KEEPER_SEAL_DESTROY] = {RING, 1},
    [KEEPER_SEAL_RANDOM] = {2, 1},
    [KEEPER_DATA_KEY_NEW] = {1, 2},
    [KEEPER_DATA_KEY_OPEN] = {1, 1},
    [KEEPER_DATA_KEY_DESTROY] = {2, 1},
    [KEEPER_UNSEAL] = {1, 1},
    [KEEPER_REWRAP] = {2, 1},
    [KEEPER_REWRAP_TURN] = {2, 1},
    [KEEPER_LISTENER_BIND] = {1 + RING + 3, 1},
    [KEEPER_LISTENER_UNBIND] = {2, 1},
    [KEEPER_LISTENER_GET] = {1, 4},
    [KEEPER_LISTENER_SHOW] = {1 + RING + 2, 1},
    [KEEPER_LISTENER_SIGN] = {3, 1},
    [KEEPER_STATE] = {1, 1},
};

uint32_t keeper_request_fields(enum keeper_verb verb) { return field_counts[verb].request; }
uint32_t keeper_answer_fields(enum keeper_verb verb) { return field_counts[verb].answer; }

const char *keeper_verb_name(enum keeper_verb verb)
{
    return verb >= KEEPER_TLS_CHAIN && verb < KEEPER_VERB_END ? verb_names[verb] : "unknown";
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct writer {
    uint8_t *out;
    size_t len;
    bool full;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    if (w->full || len > KEEPER_MESSAGE_BYTES_MAX - w->len) {
        w->full = true;
        return;
    }
    if (len > 0) memcpy(w->out + w->len, bytes, len);
    w->len += len;
}

static void put_u8(struct writer *w, uint8_t v) { put(w, &v, sizeof v); }
static void put_u64(struct writer *w, uint64_t v) { put(w, &v, sizeof v); }

static void put_str(struct writer *w, rf_str s)
{
    uint32_t len = (uint32_t)RF_MIN(s.len, (size_t)UINT32_MAX);
    put(w, &len, sizeof len);
    put(w, s.ptr, s.len);
}

static enum rf_kind finish(struct writer *w, unsigned type, uint32_t id, size_t *len,
                           struct rf_err *err)
{
    if (w->full)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                       "a message to or from the keeper holds at most %d bytes",
                       KEEPER_MESSAGE_BYTES_MAX);
    rf_put_u16le(w->out, (uint16_t)type);
    rf_put_u16le(w->out + 2, KEEPER_WIRE_VERSION);
    rf_put_u32le(w->out + 4, id);
    rf_put_u32le(w->out + 8, (uint32_t)(w->len - KEEPER_HEADER_BYTES));
    *len = w->len;
    return RF_OK;
}

enum rf_kind keeper_wire_put_request(const struct keeper_request *request, uint8_t *out,
                                     size_t *len, struct rf_err *err)
{
    struct writer w = {.out = out, .len = KEEPER_HEADER_BYTES};
    switch (request->verb) {
    case KEEPER_JWT_ROTATE:
        put_u8(&w, request->emergency);
        break;
    case KEEPER_TLS_SIGN:
        put_str(&w, request->bytes);
        put_str(&w, request->input);
        break;
    case KEEPER_JWT_SIGN:
        put_str(&w, request->bytes);
        break;
    case KEEPER_MAC:
        put_str(&w, request->purpose);
        put_str(&w, request->bytes);
        break;
    case KEEPER_JWT_SIGN_IF:
        put_str(&w, request->purpose);
        put_str(&w, request->bytes);
        put_str(&w, request->macs);
        put_str(&w, request->input);
        break;
    case KEEPER_DEVICE_ISSUE:
        put_str(&w, request->purpose);
        put_str(&w, request->bytes);
        put_u64(&w, (uint64_t)request->seconds);
        break;
    default:
        for (uint32_t i = 0; i < field_counts[request->verb].request; i++)
            put_str(&w, request->fields[i]);
        break;
    }
    return finish(&w, request->verb, request->id, len, err);
}

static void put_keys(struct writer *w, const struct keeper_answer *answer)
{
    RF_ASSERT(answer->key_count <= KEEPER_KEYS_MAX);
    put_u64(w, answer->key_count);
    for (uint32_t i = 0; i < answer->key_count; i++) {
        const struct keeper_jwt_key *key = &answer->keys[i];
        put_str(w, key->kid);
        put_str(w, key->cert);
        put_u64(w, (uint64_t)key->from);
        put_u64(w, (uint64_t)key->until);
        put_u8(w, key->signing);
    }
}

enum rf_kind keeper_wire_put_answer(const struct keeper_answer *answer, uint8_t *out, size_t *len,
                                    struct rf_err *err)
{
    struct writer w = {.out = out, .len = KEEPER_HEADER_BYTES};
    put_u8(&w, (uint8_t)answer->kind);
    if (answer->kind != RF_OK) {
        put_str(&w, answer->code);
        put_str(&w, answer->text);
    } else if (answer->verb == KEEPER_JWT_KEYS) {
        put_keys(&w, answer);
    } else if (field_counts[answer->verb].answer > 0) {
        for (uint32_t i = 0; i < field_counts[answer->verb].answer; i++)
            put_str(&w, answer->fields[i]);
    } else if (answer->verb != KEEPER_JWT_ROTATE) {
        if (answer->verb == KEEPER_JWT_SIGN_IF) put_u64(&w, answer->match);
        put_str(&w, answer->bytes);
        if (answer->verb == KEEPER_TLS_CHAIN) put_str(&w, answer->ca_pem);
    }
    return finish(&w, answer->verb | KEEPER_ANSWER, answer->id, len, err);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* After the first field that does not fit `bad` stays set and reads give zeros. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static const uint8_t *take(struct reader *r, size_t len)
{
    if (r->bad || (size_t)(r->end - r->at) < len) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += len;
    return p;
}

static uint64_t take_u64(struct reader *r)
{
    const uint8_t *p = take(r, 8);
    return p == NULL ? 0 : rf_get_u64le(p);
}

static uint8_t take_u8(struct reader *r)
{
    const uint8_t *p = take(r, 1);
    return p == NULL ? 0 : *p;
}

static bool take_truth(struct reader *r)
{
    uint8_t v = take_u8(r);
    if (v > 1) r->bad = true;
    return v == 1;
}

static rf_str take_str(struct reader *r)
{
    const uint8_t *head = take(r, 4);
    size_t len = head == NULL ? 0 : rf_get_u32le(head);
    const uint8_t *p = take(r, len);
    if (p == NULL) return (rf_str){0};
    return rf_str_make(p, len);
}

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ProtocolError", "a message of the keeper's socket %s", what);
}

/* Checks the header; `answer` is KEEPER_ANSWER or 0. */
static enum rf_kind read_header(rf_str message, unsigned answer, enum keeper_verb *verb,
                                uint32_t *id, struct reader *body, struct rf_err *err)
{
    if (message.len < KEEPER_HEADER_BYTES) return bad("is shorter than its header", err);
    if (message.len > KEEPER_MESSAGE_BYTES_MAX) return bad("is too long", err);
    unsigned type = rf_get_u16le(message.ptr);
    if ((type & KEEPER_ANSWER) != answer) return bad("goes the wrong way", err);
    type &= KEEPER_ANSWER - 1u;
    if (type < KEEPER_TLS_CHAIN || type >= KEEPER_VERB_END) return bad("has an unknown type", err);
    if (rf_get_u16le(message.ptr + 2) != KEEPER_WIRE_VERSION)
        return bad("has an unknown version", err);
    if (rf_get_u32le(message.ptr + 8) != message.len - KEEPER_HEADER_BYTES)
        return bad("has another length than its header says", err);
    *verb = (enum keeper_verb)type;
    *id = rf_get_u32le(message.ptr + 4);
    *body = (struct reader){message.ptr + KEEPER_HEADER_BYTES, message.ptr + message.len, false};
    return RF_OK;
}

static enum rf_kind read_end(const struct reader *r, struct rf_err *err)
{
    if (r->bad) return bad("has a field that does not fit", err);
    return r->at == r->end ? RF_OK : bad("has bytes left over", err);
}

enum rf_kind keeper_wire_read_request(rf_str message, struct keeper_request *out,
                                      struct rf_err *err)
{
    struct keeper_request got = {0};
    struct reader r;
    RF_TRY(read_header(message, 0, &got.verb, &got.id, &r, err));
    switch (got.verb) {
    case KEEPER_JWT_ROTATE:
        got.emergency = take_truth(&r);
        break;
    case KEEPER_TLS_SIGN:
        got.bytes = take_str(&r);
        got.input = take_str(&r);
        if (got.input.len != 0 && got.input.len != SHA256_BYTES) r.bad = true;
        break;
    case KEEPER_JWT_SIGN:
        got.bytes = take_str(&r);
        break;
    case KEEPER_MAC:
        got.purpose = take_str(&r);
        got.bytes = take_str(&r);
        break;
    case KEEPER_JWT_SIGN_IF:
        got.purpose = take_str(&r);
        got.bytes = take_str(&r);
        got.macs = take_str(&r);
        got.input = take_str(&r);
        if (got.macs.len % KEEPER_MAC_BYTES != 0) r.bad = true;
        break;
    case KEEPER_DEVICE_ISSUE:
        got.purpose = take_str(&r);
        got.bytes = take_str(&r);
        got.seconds = (int64_t)take_u64(&r);
        break;
    default:
        for (uint32_t i = 0; i < field_counts[got.verb].request; i++) got.fields[i] = take_str(&r);
        break;
    }
    RF_TRY(read_end(&r, err));
    *out = got;
    return RF_OK;
}

static void take_keys(struct reader *r, struct keeper_answer *out)
{
    uint64_t count = take_u64(r);
    if (count > KEEPER_KEYS_MAX) r->bad = true;
    for (uint64_t i = 0; i < count && !r->bad; i++) {
        struct keeper_jwt_key *key = &out->keys[i];
        key->kid = take_str(r);
        key->cert = take_str(r);
        key->from = (rf_usec)take_u64(r);
        key->until = (rf_usec)take_u64(r);
        key->signing = take_truth(r);
    }
    out->key_count = r->bad ? 0 : (uint32_t)count;
}

enum rf_kind keeper_wire_read_answer(rf_str message, struct keeper_answer *out, struct rf_err *err)
{
    struct keeper_answer got = {0};
    struct reader r;
    RF_TRY(read_header(message, KEEPER_ANSWER, &got.verb, &got.id, &r, err));
    uint8_t kind = take_u8(&r);
    if (kind > RF_CORRUPT) return bad("has an unknown result", err);
    got.kind = (enum rf_kind)kind;
    if (got.kind != RF_OK) {
        got.code = take_str(&r);
        got.text = take_str(&r);
    } else if (got.verb == KEEPER_JWT_KEYS) {
        take_keys(&r, &got);
    } else if (field_counts[got.verb].answer > 0) {
        for (uint32_t i = 0; i < field_counts[got.verb].answer; i++) got.fields[i] = take_str(&r);
    } else if (got.verb != KEEPER_JWT_ROTATE) {
        if (got.verb == KEEPER_JWT_SIGN_IF) got.match = take_u64(&r);
        got.bytes = take_str(&r);
        if (got.verb == KEEPER_TLS_CHAIN) got.ca_pem = take_str(&r);
    }
    RF_TRY(read_end(&r, err));
    *out = got;
    return RF_OK;
}
