/* Login: SaslHandshake and SaslAuthenticate (KIP-43, KIP-152, KIP-368) with PLAIN (RFC 4616) and OAUTHBEARER (RFC 7628). */
#include "kafka/kafka_int.h"

static const char *const mechanisms[] = {"PLAIN", "OAUTHBEARER"};

enum kafka_outcome kafka_sasl_handshake(struct kafka_call *call)
{
    rf_str name = kafka_get_string(&call->in);
    if (call->in.bad) return KAFKA_BAD;
    size_t i = 0;
    while (i < RF_COUNT(mechanisms) && !rf_str_is(name, mechanisms[i])) i++;
    bool known = i < RF_COUNT(mechanisms);
    if (known) {
        call->conn->mechanism = (enum kafka_mechanism)i;
        call->conn->sasl = call->version == 0 ? SASL_BARE : SASL_CHOSEN;
    }
    kafka_put_i16(&call->out, known ? KAFKA_NONE : KAFKA_UNSUPPORTED_SASL_MECHANISM);
    kafka_put_count(&call->out, RF_COUNT(mechanisms));
    for (i = 0; i < RF_COUNT(mechanisms); i++)
        kafka_put_string(&call->out, rf_str_of(mechanisms[i]));
    return KAFKA_DONE;
}

/* The part up to `end`, or to the end of the text; takes both off the front. */
static rf_str cut(rf_str *text, uint8_t end)
{
    const uint8_t *at = text->len == 0 ? NULL : memchr(text->ptr, end, text->len);
    size_t len = at == NULL ? text->len : (size_t)(at - text->ptr);
    rf_str part = rf_slice(*text, 0, len);
    *text = rf_slice(*text, RF_MIN(len + 1, text->len), text->len);
    return part;
}

/* authzid NUL user NUL password */
static enum rf_kind login_plain(struct kafka_call *call, rf_str token, struct kafka_login *login,
                                struct rf_err *err)
{
    rf_str rest = token;
    (void)cut(&rest, 0);
    rf_str user = cut(&rest, 0);
    if (!rf_str_is(user, "$ConnectionString"))
        return RF_FAIL(err, RF_DENIED, "InvalidToken",
                       "the user name must be $ConnectionString, and the password a connection "
                       "string");
    return hub_grant_connection_string(call->conn->space, rest, &login->arena, &login->grant, err);
}

/* gs2-header 0x01 key=value 0x01 ... 0x01 */
static enum rf_kind login_bearer(struct kafka_call *call, rf_str token, struct kafka_login *login,
                                 struct rf_err *err)
{
    rf_str rest = token, jwt = {NULL, 0};
    rf_str gs2 = cut(&rest, 1);
    if (!rf_str_starts(gs2, RF_S("n,")) && !rf_str_starts(gs2, RF_S("y,")))
        return RF_FAIL(err, RF_DENIED, "InvalidToken",
                       "the initial response of OAUTHBEARER begins with n,,");
    while (rest.len > 0) {
        rf_str pair = cut(&rest, 1), key = cut(&pair, '=');
        if (rf_str_is(key, "auth") && pair.len > 7 &&
            rf_str_eq_nocase(rf_slice(pair, 0, 7), RF_S("Bearer ")))
            jwt = rf_str_trim(rf_slice(pair, 7, pair.len));
    }
    if (jwt.len == 0)
        return RF_FAIL(err, RF_DENIED, "InvalidToken", "there is no auth=Bearer TOKEN");
    return hub_grant_jwt(call->conn->space, jwt, &login->arena, &login->grant, err);
}

/* What it says is in call->granted. */
static enum rf_kind log_in(struct kafka_call *call, rf_str token, struct rf_err *err)
{
    if (!hub_namespace_takes_kafka(call->conn->space))
        return RF_FAIL(err, RF_DENIED, "EntityDisabled",
                       "Kafka is disabled for the namespace (its property kafkaEnabled).");
    struct kafka_login *login = kafka_login_new();
    if (login == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    enum rf_kind kind = call->conn->mechanism == MECHANISM_PLAIN
                            ? login_plain(call, token, login, err)
                            : login_bearer(call, token, login, err);
    if (kind == RF_OK)
        call->granted = login;
    else
        kafka_login_unref(login);
    return kind;
}

/* The token holds a secret: it does not stay in memory, which goes back to malloc. */
static void forget_token(struct kafka_call *call) { explicit_bzero(call->bytes, call->len); }

static int64_t lifetime_ms(const struct kafka_call *call)
{
    rf_usec expires = call->granted->grant.expires;
    if (expires == INT64_MAX) return 0;
    rf_usec left = expires - rf_clock_now(call->kafka->clock);
    return RF_MAX(left / RF_USEC_PER_MS, 1);
}

enum kafka_outcome kafka_sasl_authenticate(struct kafka_call *call)
{
    struct rf_err err = {0};
    rf_str token = kafka_get_bytes(&call->in);
    if (call->in.bad) return KAFKA_BAD;
    enum kafka_error error = KAFKA_NONE;
    if (call->conn->sasl != SASL_CHOSEN) {
        error = KAFKA_ILLEGAL_SASL_STATE;
        rf_fail(&err, RF_DENIED, "InvalidToken", "SaslHandshake comes before SaslAuthenticate");
    } else if (log_in(call, token, &err) != RF_OK) {
        error = KAFKA_SASL_AUTHENTICATION_FAILED;
    }
    forget_token(call);
    kafka_put_i16(&call->out, (int16_t)error);
    if (error == KAFKA_NONE)
        kafka_put_i16(&call->out, -1);
    else
        kafka_put_string(&call->out, rf_arena_printf(&call->arena, "Authentication failed: %s: %s",
                                                     err.code == NULL ? "" : err.code, err.text));
    kafka_put_bytes(&call->out, RF_S(""));
    if (call->version >= 1) kafka_put_i64(&call->out, error == KAFKA_NONE ? lifetime_ms(call) : 0);
    call->closes = error != KAFKA_NONE;
    return KAFKA_DONE;
}

enum kafka_outcome kafka_sasl_bare(struct kafka_call *call)
{
    struct rf_err err = {0};
    enum rf_kind kind = log_in(call, rf_str_make(call->bytes, call->len), &err);
    forget_token(call);
    return kind == RF_OK ? KAFKA_DONE : KAFKA_BAD;
}
