/* node_request.c - the nodes that answer: $cbs (contract, 3.4) and $management (3.5). A request comes on one link, its answer leaves on
 * another of the same connection. */
#include <stdlib.h>

#include "amqp/nodes_int.h"

void request_attach(struct peer *peer, struct amqp_link at, const struct amqp_attach *attach,
                    enum node_kind kind)
{
    struct node_link *link = calloc(1, sizeof *link);
    struct amqp_error error = {"amqp:internal-error", RF_S("memory is used up")};
    const struct amqp_terms terms = {.credit = CBS_CREDIT, .idle_usec = REQUEST_IDLE_USEC};
    if (link != NULL) rf_arena_init(&link->arena, 1 << 16);
    rf_str address = attach->is_sender ? attach->target : attach->source;
    if (link == NULL || !rf_arena_str(&link->arena, attach->name, &link->name) ||
        !rf_arena_str(&link->arena, address, &link->address)) {
        node_link_free(link);
        amqp_link_refuse(peer->connection, at, &error);
        return;
    }
    link->kind = kind;
    link->is_out = attach->is_sender;
    link->peer = peer;
    link->link = at;
    link->partition = UINT32_MAX;
    if (!amqp_link_accept(peer->connection, at, &terms, link)) node_link_free(link);
}

/* ---- reading a request ------------------------------------------------------------------------------------------ */

static rf_str text_in(const struct amqp_value *map, const char *key)
{
    struct amqp_value value;
    if (!amqp_map_find(map, rf_str_of(key), &value) || !amqp_is_text(&value))
        return (rf_str){NULL, 0};
    return value.bytes;
}

static void read_properties(struct job *job, const struct amqp_value *properties)
{
    struct amqp_items items = amqp_items_of(properties);
    struct amqp_value value;
    for (uint32_t i = 0; amqp_item(&items, &value); i++) {
        if (i == 0 && value.type != AMQP_NULL) job->request_id = value.whole;
        if (i == 4 && amqp_is_text(&value)) job->reply_to = value.bytes;
    }
}

static bool read_request(struct job *job, rf_str message, rf_str *operation)
{
    struct amqp_section section;
    while (amqp_section_next(&message, &section)) {
        if (section.code == AMQP_PROPERTIES) read_properties(job, &section.value);
        if (section.code == AMQP_BODY_VALUE && amqp_is_text(&section.value))
            job->token = section.value.bytes;
        if (section.code != AMQP_APPLICATION_PROPERTIES) continue;
        *operation = text_in(&section.value, "operation");
        job->type = text_in(&section.value, "type");
        job->name = text_in(&section.value, "name");
        job->partition = text_in(&section.value, "partition");
        job->security = text_in(&section.value, "security_token");
        struct amqp_value number;
        int64_t partition;
        if (job->partition.ptr == NULL &&
            amqp_map_find(&section.value, RF_S("partition"), &number) &&
            amqp_as_i64(&number, &partition))
            job->partition = rf_arena_printf(&job->arena, "%lld", (long long)partition);
    }
    return message.len == 0;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void put_status(struct rf_buf *buf, uint32_t status, rf_str text, const char *condition)
{
    static const char *const names[][3] = {{"status-code", "status-description", "error-condition"},
                                           {"statusCode", "statusDescription", "errorCondition"}};
    amqp_put_descriptor(buf, AMQP_APPLICATION_PROPERTIES);
    size_t map = amqp_put_begin(buf);
    uint32_t count = 0;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        amqp_put_string(buf, rf_str_of(names[i][0]));
        amqp_put_int(buf, (int32_t)status);
        amqp_put_string(buf, rf_str_of(names[i][1]));
        amqp_put_string(buf, text);
        count += 4;
        if (condition == NULL) continue;
        amqp_put_string(buf, rf_str_of(names[i][2]));
        amqp_put_symbol(buf, rf_str_of(condition));
        count += 2;
    }
    amqp_put_end(buf, map, AMQP_MAP, count);
}

static void begin_answer(struct job *job, uint32_t status, rf_str text, const char *condition)
{
    struct rf_buf *buf = &job->reply;
    *buf = rf_buf_in(&job->arena);
    amqp_put_descriptor(buf, AMQP_PROPERTIES);
    size_t list = amqp_put_begin(buf);
    for (int i = 0; i < 5; i++) amqp_put_null(buf);
    if (job->request_id.ptr != NULL)
        rf_buf_str(buf, job->request_id);
    else
        amqp_put_null(buf);
    amqp_put_end(buf, list, AMQP_LIST, 6);
    put_status(buf, status, text, condition);
}

static void answer_empty(struct job *job, uint32_t status, rf_str text, const char *condition)
{
    begin_answer(job, status, text, condition);
    amqp_put_descriptor(&job->reply, AMQP_BODY_VALUE);
    amqp_put_null(&job->reply);
}

static void answer_error(struct job *job, uint32_t status, const struct rf_err *err)
{
    struct amqp_error error = node_error(NULL, job->peer, err, &job->arena);
    answer_empty(job, status, error.description, error.condition);
}

static uint32_t status_of(const struct rf_err *err)
{
    switch (err->kind) {
    case RF_DENIED:
        return 401;
    case RF_NOT_FOUND:
        return 404;
    case RF_INVALID:
        return 400;
    case RF_AGAIN:
        return 503;
    default:
        return 500;
    }
}

static bool fits(const struct node_link *link, rf_str reply_to)
{
    return rf_str_eq(link->address, reply_to) || rf_str_eq(link->name, reply_to);
}

/* The link by which the answer leaves: that of the address or name that the request gives, else one of the request's session, else any. */
static struct node_link *find_reply(const struct job *job)
{
    struct amqp_connection *connection = job->peer->connection;
    struct amqp_link at = {0};
    struct node_link *near = NULL, *any = NULL;
    while (amqp_link_next(connection, &at)) {
        struct node_link *link = amqp_link_user(connection, at);
        if (link == NULL || link->kind != job->node || !link->is_out) continue;
        if (job->reply_to.len > 0 && fits(link, job->reply_to)) return link;
        if (amqp_link_is_beside(connection, at, job->link)) near = link;
        any = link;
    }
    return near != NULL ? near : any;
}

struct answer { /* that waits for its link's credit */
    struct answer *next;
    size_t len;
    uint8_t bytes[];
};

static void keep_answer(struct node_link *link, rf_str bytes)
{
    struct answer **end = &link->answers;
    uint32_t count = 0;
    for (; *end != NULL; end = &(*end)->next) count++;
    if (count >= CBS_CREDIT)
        return; /* as many as it may ask at once: who never grants credit wants none */
    struct answer *answer = malloc(sizeof *answer + bytes.len);
    if (answer == NULL) return;
    answer->next = NULL;
    answer->len = bytes.len;
    memcpy(answer->bytes, bytes.ptr, bytes.len);
    *end = answer;
}

void request_pump(struct node_link *link)
{
    struct answer *answer;
    while ((answer = link->answers) != NULL) {
        rf_str bytes = rf_str_make(answer->bytes, answer->len);
        enum amqp_sent sent = amqp_send(link->peer->connection, link->link, 0, bytes);
        if (sent == AMQP_NO_CREDIT || sent == AMQP_FULL || sent == AMQP_GONE) return;
        link->answers = answer->next;
        free(answer);
    }
}

void request_drop(struct node_link *link)
{
    for (struct answer *answer; (answer = link->answers) != NULL; free(answer))
        link->answers = answer->next;
}

static void answered(struct job *job)
{
    struct peer *peer = job->peer;
    struct rf_err none = {.kind = RF_LIMIT, .code = "MemoryBudgetExceeded"};
    if (job->reply.len == 0) answer_error(job, 500, &none);
    struct node_link *link = find_reply(job);
    if (link != NULL && !job->reply.failed) {
        keep_answer(link, rf_buf_view(&job->reply));
        request_pump(link);
    }
    if (job->node == NODE_CBS && job->kind == RF_OK) {
        amqp_set_authorized(peer->connection, true);
        access_look(peer);
    }
}

/* ---- $cbs ------------------------------------------------------------------------------------------------------- */

static bool covers(rf_str grant, rf_str path)
{
    return grant.len == 0 ||
           (path.len >= grant.len && rf_str_eq(rf_slice(path, 0, grant.len), grant) &&
            (path.len == grant.len || path.ptr[grant.len] == '/'));
}

/* What the type, the signature or claims, and the audience say. */
static enum rf_kind prove(struct job *job, struct proof *proof, rf_str path, struct rf_err *err)
{
    struct hub_namespace *space = job->peer->space;
    bool is_jwt = rf_str_is(job->type, "jwt") || rf_str_is(job->type, "amqp:jwt");
    if (!is_jwt && !rf_str_is(job->type, "servicebus.windows.net:sastoken"))
        return RF_FAIL(err, RF_INVALID, "ArgumentError", "The token type '%.*s' is not supported.",
                       RF_FMT(job->type));
    if (is_jwt)
        RF_TRY(hub_grant_jwt(space, job->token, &proof->arena, &proof->grant, err));
    else
        RF_TRY(hub_grant_sas(space, job->token, &proof->arena, &proof->grant, err));
    if (!covers(proof->grant.path, path))
        return RF_FAIL(err, RF_DENIED, "InvalidAudience",
                       "InvalidAudience: the token is for another resource than '%.*s'.",
                       RF_FMT(job->name));
    struct hub *hub;
    rf_str name = node_first_segment(path);
    if (name.len > 0 && name.ptr[0] != '$') {
        struct rf_err ignored;
        if (hub_find(space, name, &hub, &ignored) != RF_OK) return node_missing(job->name, err);
        hub_unref(hub);
    }
    return RF_OK;
}

static enum rf_kind put_token(struct job *job, struct rf_err *err)
{
    rf_str path;
    if (job->name.ptr == NULL || job->type.ptr == NULL || job->token.ptr == NULL)
        return RF_FAIL(err, RF_INVALID, "ArgumentError",
                       "put-token needs 'name', 'type' and a token as its body.");
    struct proof *proof = proof_new();
    if (proof == NULL) return rf_fail_memory(err, &job->arena);
    enum rf_kind kind = RF_OK;
    if (!hub_path_of(job->peer->space, job->name, &proof->arena, &path))
        kind =
            RF_FAIL(err, RF_DENIED, "InvalidAudience",
                    "InvalidAudience: '%.*s' is no address of this namespace.", RF_FMT(job->name));
    if (kind == RF_OK) kind = prove(job, proof, path, err);
    if (kind != RF_OK) {
        proof_free(proof);
        return kind;
    }
    proof->audience = path;
    /* The token opens what it was put for, not all that it could. */
    if (path.len > proof->grant.path.len) proof->grant.path = path;
    if (access_add(job->peer, proof)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "ArgumentError", "too many tokens on one connection");
}

static void wipe(rf_str secret)
{
    if (secret.ptr != NULL) explicit_bzero((void *)(uintptr_t)secret.ptr, secret.len);
}

static enum rf_kind run_cbs(struct job *job, struct rf_err *err)
{
    enum rf_kind kind = put_token(job, err);
    wipe(job->token);
    if (kind != RF_OK) {
        answer_error(job, status_of(err), err);
        return kind;
    }
    answer_empty(job, 202, RF_S("Accepted"), NULL);
    return RF_OK;
}

/* ---- $management ------------------------------------------------------------------------------------------------ */

static void put_name(struct rf_buf *buf, const char *name)
{
    amqp_put_string(buf, rf_str_of(name));
}

/* Name and type, with which every answer's map begins; returns where the map does. */
static size_t begin_entity(struct job *job, const struct hub_facts *facts)
{
    struct rf_buf *buf = &job->reply;
    begin_answer(job, 200, RF_S("OK"), NULL);
    amqp_put_descriptor(buf, AMQP_BODY_VALUE);
    size_t map = amqp_put_begin(buf);
    put_name(buf, "name");
    amqp_put_string(buf, facts->name);
    put_name(buf, "type");
    amqp_put_string(buf, job->type);
    return map;
}

static enum rf_kind put_hub(struct job *job, const struct hub_facts *facts, struct rf_err *err)
{
    struct rf_buf *buf = &job->reply;
    rf_str *ids = rf_arena_new(&job->arena, rf_str, facts->partition_count);
    if (ids == NULL) return rf_fail_memory(err, &job->arena);
    for (uint32_t i = 0; i < facts->partition_count; i++)
        ids[i] = rf_arena_printf(&job->arena, "%u", i);
    size_t map = begin_entity(job, facts);
    put_name(buf, "created_at");
    amqp_put_timestamp(buf, facts->created / 1000);
    put_name(buf, "partition_count");
    amqp_put_int(buf, (int32_t)facts->partition_count);
    put_name(buf, "partition_ids");
    amqp_put_array(buf, AMQP_STRING, ids, facts->partition_count);
    put_name(buf, "georeplication_factor");
    amqp_put_int(buf, 1);
    amqp_put_end(buf, map, AMQP_MAP, 12);
    return RF_OK;
}

static enum rf_kind put_partition(struct job *job, struct hub *hub, const struct hub_facts *facts,
                                  struct rf_err *err)
{
    struct rf_buf *buf = &job->reply;
    struct hub_partition_info info;
    uint32_t partition;
    RF_TRY(node_partition(job->partition, facts->partition_count, &partition, err));
    RF_TRY(hub_partition_info(hub, partition, &info, err));
    size_t map = begin_entity(job, facts);
    put_name(buf, "partition");
    amqp_put_string(buf, job->partition);
    put_name(buf, "begin_sequence_number");
    amqp_put_long(buf, info.begin);
    put_name(buf, "last_enqueued_sequence_number");
    amqp_put_long(buf, info.end - 1);
    put_name(buf, "last_enqueued_offset");
    amqp_put_string(buf, rf_arena_printf(&job->arena, "%lld", (long long)info.end - 1));
    put_name(buf, "last_enqueued_time_utc");
    amqp_put_timestamp(buf, info.last_enqueued / 1000);
    put_name(buf, "is_partition_empty");
    amqp_put_bool(buf, info.begin == info.end);
    amqp_put_end(buf, map, AMQP_MAP, 16);
    return RF_OK;
}

static enum rf_kind check_security(struct job *job, struct rf_err *err)
{
    struct hub_grant grant;
    if (job->security.len == 0) return RF_OK;
    if (rf_str_starts(job->security, RF_S("SharedAccessSignature")))
        return hub_grant_sas(job->peer->space, job->security, &job->arena, &grant, err);
    return hub_grant_jwt(job->peer->space, job->security, &job->arena, &grant, err);
}

static enum rf_kind manage(struct job *job, struct rf_err *err)
{
    struct peer *peer = job->peer;
    struct hub_facts facts;
    struct hub *hub;
    rf_str path;
    struct rf_err why;
    bool is_hub = rf_str_is(job->type, "com.microsoft:eventhub");
    if (!is_hub && !rf_str_is(job->type, "com.microsoft:partition"))
        return RF_FAIL(err, RF_INVALID, "ArgumentError", "The type '%.*s' cannot be read.",
                       RF_FMT(job->type));
    RF_TRY(check_security(job, err));
    /* Clients put a token for the node; one for the hub covers it too. */
    RF_TRY(node_lower_path(job, rf_arena_printf(&job->arena, "%.*s/$management", RF_FMT(job->name)),
                           &path, err));
    if (access_check(peer, path, RIGHT_LISTEN, err) != RF_OK &&
        access_check(peer, path, RIGHT_SEND, &why) != RF_OK)
        return err->kind;
    if (hub_find(peer->space, job->name, &hub, &why) != RF_OK)
        return node_path_missing(job, job->name, err);
    hub_facts(hub, &facts);
    enum rf_kind kind = is_hub ? put_hub(job, &facts, err) : put_partition(job, hub, &facts, err);
    hub_unref(hub);
    return kind;
}

static enum rf_kind run_management(struct job *job, struct rf_err *err)
{
    enum rf_kind kind = manage(job, err);
    wipe(job->security);
    if (kind != RF_OK) answer_error(job, status_of(err), err);
    return kind;
}

static enum rf_kind run_unknown(struct job *job, struct rf_err *err)
{
    (void)RF_FAIL(err, RF_INVALID, "ArgumentError", "The operation is not known.");
    answer_error(job, 400, err);
    return RF_INVALID;
}

void request_message(struct node_link *link, struct amqp_delivery delivery, rf_str message,
                     bool settled)
{
    struct peer *peer = link->peer;
    struct job *job = job_new(peer);
    rf_str copy, operation = {0};
    struct amqp_error error = {"amqp:decode-error", RF_S("the request cannot be read")};
    bool good = job != NULL && rf_arena_str(&job->arena, message, &copy) &&
                read_request(job, copy, &operation);
    if (!good && !settled) amqp_delivery_reject(peer->connection, delivery, &error);
    if (!good) {
        job_free(job);
        return;
    }
    if (!settled) amqp_delivery_accept(peer->connection, delivery);
    job->node = link->kind;
    job->link = link->link;
    job->done = answered;
    job->run = run_unknown;
    if (job->node == NODE_CBS && rf_str_is(operation, "put-token")) job->run = run_cbs;
    if (job->node == NODE_MANAGEMENT && rf_str_is(operation, "READ")) job->run = run_management;
    job_start(job);
}
