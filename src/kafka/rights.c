/* What who logged in may do, and how errors are told. */
#include <stdlib.h>

#include "kafka/kafka_int.h"

/* Role assignments change without hubs_version. */
static const int64_t verdict_usec_max = 10 * RF_USEC_PER_SECOND;

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
    return judge(call, rf_str_make(path, topic.len), 1, right, has_right, may);
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
