/* What who logged in may do, and how errors are told. */
#include <stdlib.h>

#include "kafka/kafka_int.h"

/* Another process that shares the state changes roles without hubs_version. */
static const int64_t verdict_usec_max = 10 * RF_USEC_PER_SECOND;

enum { LOGIN_MEMORY_MAX = 1 << 20 };

struct kafka_login *kafka_login_new(void)
{
    struct kafka_login *login = calloc(1, sizeof *login);
    if (login == NULL) return NULL;
    atomic_init(&login->refs, 1);
    rf_arena_init(&login->arena, LOGIN_MEMORY_MAX);
    pthread_mutex_init(&login->lock, NULL);
    return login;
}

struct kafka_login *kafka_login_ref(struct kafka_login *login)
{
    atomic_fetch_add_explicit(&login->refs, 1, memory_order_relaxed);
    return login;
}

void kafka_login_unref(struct kafka_login *login)
{
    if (login == NULL || atomic_fetch_sub_explicit(&login->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&login->lock);
    rf_arena_done(&login->arena);
    free(login);
}

/* ---- rights ------------------------------------------------------------------------------------------------------------ */

static bool recall(struct kafka_login *login, uint64_t hash, uint64_t version, rf_usec now,
                   bool *may)
{
    struct kafka_verdict *verdict = &login->verdicts[hash % KAFKA_LOGIN_CACHE];
    pthread_mutex_lock(&login->lock);
    bool known = verdict->is_known && verdict->hash == hash && verdict->version == version &&
                 now >= verdict->at && now - verdict->at < verdict_usec_max;
    if (known) *may = verdict->may;
    pthread_mutex_unlock(&login->lock);
    return known;
}

static void remember(struct kafka_login *login, const struct kafka_verdict *verdict)
{
    pthread_mutex_lock(&login->lock);
    login->verdicts[verdict->hash % KAFKA_LOGIN_CACHE] = *verdict;
    pthread_mutex_unlock(&login->lock);
}

/* Asks `find` for what is not remembered. */
static enum rf_kind judge(struct kafka_call *call, rf_str path, uint64_t seed, enum hub_right right,
                          bool (*find)(struct kafka_call *, rf_str, enum hub_right), bool *may)
{
    rf_usec now = rf_clock_now(call->kafka->clock);
    if (call->login->grant.expires <= now) {
        *may = false;
        return RF_OK;
    }
    struct kafka_verdict verdict = {
        .is_known = true,
        .version =
            hubs_version(call->kafka->hubs), /* before the look: what changes meanwhile shows */
        .at = now,
        .hash = rf_hash(path.ptr, path.len, seed << 8 | right)};
    if (recall(call->login, verdict.hash, verdict.version, now, may)) return RF_OK;
    if (!call->may_block) return RF_AGAIN;
    *may = verdict.may = find(call, path, right);
    remember(call->login, &verdict);
    return RF_OK;
}

bool kafka_is_news(struct kafka_call *call, rf_str path)
{
    struct kafka_verdict verdict = {.is_known = true,
                                    .version = hubs_version(call->kafka->hubs),
                                    .at = rf_clock_now(call->kafka->clock),
                                    .hash = rf_hash(path.ptr, path.len, 4u << 8)};
    bool ignored;
    if (recall(call->login, verdict.hash, verdict.version, verdict.at, &ignored)) return false;
    remember(call->login, &verdict);
    return true;
}

static bool has_right(struct kafka_call *call, rf_str path, enum hub_right right)
{
    struct rf_err err;
    return hub_grant_check(call->conn->space, &call->login->grant, path, right, &err) == RF_OK;
}

enum rf_kind kafka_may(struct kafka_call *call, rf_str topic, enum hub_right right, bool *may)
{
    uint8_t path[HUB_NAME_BYTES_MAX];
    if (topic.len == 0 || topic.len > sizeof path) { /* there is no such hub */
        *may = false;
        return RF_OK;
    }
    for (size_t i = 0; i < topic.len; i++) path[i] = rf_lower(topic.ptr[i]);
    if (memchr(path, '/', topic.len) != NULL) {
        *may = false;
        return RF_OK;
    }
    rf_str whole = rf_str_make(path, topic.len);
    /* A device stands for a publisher of the hub, and nothing else. */
    if (kafka_device_is(call->login)) whole = kafka_device_path(call, whole);
    if (whole.ptr != NULL) return judge(call, whole, 1, right, has_right, may);
    *may = false;
    return RF_OK;
}

enum rf_kind kafka_may_cluster(struct kafka_call *call, enum hub_right right, bool *may)
{
    return judge(call, RF_S(""), 2, right, has_right, may);
}

static bool has_right_somewhere(struct kafka_call *call, rf_str path, enum hub_right right)
{
    const struct hub_grant *grant = &call->login->grant;
    (void)path;
    if (has_right(call, RF_S(""), right)) return true;
    if (grant->path.len > 0 && has_right(call, grant->path, right)) return true;
    if (grant->kind != GRANT_PRINCIPAL) return false;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, 4u << 20);
    struct rf_err err;
    rf_str *names;
    uint32_t count;
    bool may = false;
    if (hub_names(call->conn->space, &scratch, &names, &count, &err) != RF_OK) return false;
    for (uint32_t i = 0; i < count && !may; i++) {
        uint8_t lower[HUB_NAME_BYTES_MAX];
        size_t len = RF_MIN(names[i].len, sizeof lower);
        for (size_t k = 0; k < len; k++) lower[k] = rf_lower(names[i].ptr[k]);
        may = has_right(call, rf_str_make(lower, len), right);
    }
    return may;
}

enum rf_kind kafka_may_group(struct kafka_call *call, bool *may)
{
    return judge(call, RF_S(""), 3, RIGHT_LISTEN, has_right_somewhere, may);
}

/* ---- who is turned away ------------------------------------------------------------------------------------------------ */

static void note_refusal(struct kafka_call *call, rf_str path, enum hub_right right)
{
    static const char *const names[] = {
        [RIGHT_SEND] = "Send", [RIGHT_LISTEN] = "Listen", [RIGHT_MANAGE] = "Manage"};
    const struct hub_grant *grant = &call->login->grant;
    struct rf_err err;
    if (right == RIGHT_SEND && kafka_device_is(call->login)) {
        kafka_device_refused(call, path);
        return;
    }
    if (grant->expires <= rf_clock_now(call->kafka->clock))
        rf_fail(&err, RF_DENIED, "ExpiredToken", "The token has expired.");
    else
        rf_fail(&err, RF_DENIED, "Unauthorized",
                "Unauthorized access. '%s' claim(s) are required to perform this operation on "
                "'%.*s'.",
                names[right], (int)RF_MIN(path.len, (size_t)HUB_NAME_BYTES_MAX),
                (const char *)path.ptr);
    hub_grant_refused(call->conn->space, grant, path, &err);
}

enum rf_kind kafka_require(struct kafka_call *call, rf_str topic, enum hub_right right, bool *may)
{
    RF_TRY(kafka_may(call, topic, right, may));
    if (!*may) note_refusal(call, topic, right);
    return RF_OK;
}

enum rf_kind kafka_require_group(struct kafka_call *call, bool *may)
{
    RF_TRY(kafka_may_group(call, may));
    if (!*may) note_refusal(call, RF_S(""), RIGHT_LISTEN);
    return RF_OK;
}

/* ---- errors ------------------------------------------------------------------------------------------------------------ */

enum kafka_error kafka_error_of(const struct rf_err *err)
{
    static const struct {
        const char *code;
        enum kafka_error error;
    } rows[] = {
        {"Unauthorized", KAFKA_TOPIC_AUTHORIZATION_FAILED},
        {"ExpiredToken", KAFKA_TOPIC_AUTHORIZATION_FAILED},
        {"PublisherRevoked", KAFKA_TOPIC_AUTHORIZATION_FAILED},
        {"HubNotFound", KAFKA_UNKNOWN_TOPIC_OR_PARTITION},
        {"NamespaceNotFound", KAFKA_UNKNOWN_TOPIC_OR_PARTITION},
        {"PartitionOutOfRange", KAFKA_UNKNOWN_TOPIC_OR_PARTITION},
        {"OffsetOutOfRange", KAFKA_OFFSET_OUT_OF_RANGE},
        {"CorruptMessage", KAFKA_CORRUPT_MESSAGE},
        {"MessageTooLarge", KAFKA_MESSAGE_TOO_LARGE},
        {"UnsupportedFormat", KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT},
        {"UnsupportedCodec", KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
        {"OutOfOrderSequence", KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER},
        {"ProducerFenced", KAFKA_INVALID_PRODUCER_EPOCH},
        {"ServerBusy", KAFKA_REQUEST_TIMED_OUT}, /* clients try again, like behind the next */
        {"KafkaTooOld", KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT}, /* as an old broker answers itself */
        {"MemoryBudgetExceeded", KAFKA_REQUEST_TIMED_OUT},
        {"EntityDisabled", KAFKA_POLICY_VIOLATION},
        {"BadPartitionCount", KAFKA_INVALID_PARTITIONS},
        {"BadName", KAFKA_INVALID_TOPIC},
        {"HubExists", KAFKA_TOPIC_ALREADY_EXISTS},
        {"LogCorrupt", KAFKA_STORAGE_ERROR},
        {"DiskFull", KAFKA_STORAGE_ERROR},
    };
    for (size_t i = 0; err->code != NULL && i < RF_COUNT(rows); i++)
        if (strcmp(err->code, rows[i].code) == 0) return rows[i].error;
    switch (err->kind) {
    case RF_NOT_FOUND:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    case RF_AGAIN:
        return KAFKA_REQUEST_TIMED_OUT;
    case RF_DENIED: /* by the operating system */
    case RF_IO:
    case RF_CORRUPT:
        return KAFKA_STORAGE_ERROR;
    default:
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
}
