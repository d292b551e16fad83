/* Committed offsets in state.
 *
 *   space "kafka_offset"      key  {namespace} \n {group} \n {hub id} \n {partition, ten digits}; in the first three every byte below
 *                                  0x21 and '%' is written as %XX
 *                             body {"topic","offset","epoch","metadata","at"}; index "hub": {hub id}
 *   space "kafka_offset_hub"  key  {namespace} \n {hub id}; body the hub's name: which hubs have offsets, so that those of
 *                                  deleted ones are found
 *
 * The key holds the hub's id and not its name: a hub that was deleted and made anew does not begin with its predecessor's offsets.
 * The committer takes all that waits into one transaction, so that one sync pays for everybody. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/log.h"
#include "kafka/groups_int.h"

static const char offset_space[] = "kafka_offset", hub_space[] = "kafka_offset_hub";
enum { READ_BYTES_MAX = 256 << 20, BATCH_ENTRIES_MAX = 20000 };

/* ---- keys and bodies --------------------------------------------------------------------------------------------------- */

static void put_part(struct rf_buf *buf, rf_str part)
{
    for (size_t i = 0; i < part.len; i++) {
        uint8_t c = part.ptr[i];
        if (c < 0x21 || c == '%')
            rf_buf_printf(buf, "%%%02X", c);
        else
            rf_buf_byte(buf, c);
    }
    rf_buf_byte(buf, '\n');
}

static uint8_t hex_digit(uint8_t c) { return (uint8_t)(c <= '9' ? c - '0' : c - 'A' + 10); }

/* Takes the next part off a key that we wrote. */
static rf_str take_part_of(rf_str *key, struct rf_arena *arena)
{
    size_t end = rf_str_find(*key, RF_S("\n"), 0), len = 0;
    if (end == SIZE_MAX) end = key->len;
    rf_str raw = rf_slice(*key, 0, end);
    *key = rf_slice(*key, RF_MIN(end + 1, key->len), key->len);
    uint8_t *text = rf_arena_alloc(arena, raw.len);
    if (text == NULL) return (rf_str){0};
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];
        if (c == '%' && i + 2 < raw.len) {
            c = (uint8_t)(hex_digit(raw.ptr[i + 1]) << 4 | hex_digit(raw.ptr[i + 2]));
            i += 2;
        }
        text[len++] = c;
    }
    return rf_str_make(text, len);
}

static rf_str group_prefix(rf_str space, rf_str group, struct rf_arena *arena)
{
    struct rf_buf key = rf_buf_in(arena);
    put_part(&key, space);
    if (group.len > 0) put_part(&key, group);
    return key.failed ? (rf_str){0} : rf_buf_view(&key);
}

static rf_str offset_key(const struct offset_commit *commit, const struct offset_entry *entry,
                         struct rf_arena *arena)
{
    struct rf_buf key = rf_buf_in(arena);
    put_part(&key, commit->space);
    put_part(&key, commit->group);
    put_part(&key, entry->hub_id);
    rf_buf_printf(&key, "%010u", entry->partition);
    return key.failed ? (rf_str){0} : rf_buf_view(&key);
}

static rf_str offset_body(const struct offset_entry *entry, rf_usec now, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "topic", entry->topic);
    json_put_i64(&out, "offset", entry->offset);
    json_put_i64(&out, "epoch", entry->epoch);
    json_put_text(&out, "metadata", entry->metadata);
    json_put_i64(&out, "at", now);
    json_end_object(&out);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind forgive(enum rf_kind kind, enum rf_kind fine)
{
    return kind == fine ? RF_OK : kind;
}

static enum rf_kind note_hub(struct state_txn *txn, const struct offset_commit *commit,
                             const struct offset_entry *entry, struct rf_arena *arena,
                             struct rf_err *err)
{
    struct rf_buf key = rf_buf_in(arena);
    put_part(&key, commit->space);
    rf_buf_str(&key, entry->hub_id);
    if (key.failed) return rf_fail_memory(err, arena);
    struct state_put put = {.space = hub_space,
                            .key = rf_buf_view(&key),
                            .body = entry->topic,
                            .condition = STATE_ABSENT};
    return forgive(state_put(txn, &put, NULL, NULL, err), RF_CONFLICT);
}

static enum rf_kind write_commit(struct state_txn *txn, const struct offset_commit *commit,
                                 rf_usec now, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (uint32_t i = 0; i < commit->count; i++) {
        const struct offset_entry *entry = &commit->entries[i];
        rf_arena_reset(&arena);
        rf_str key = offset_key(commit, entry, &arena);
        if (key.ptr == NULL) return rf_fail_memory(err, &arena);
        if (entry->offset < 0) {
            RF_TRY(forgive(state_delete(txn, offset_space, key, err), RF_NOT_FOUND));
            continue;
        }
        rf_str body = offset_body(entry, now, &arena);
        if (body.ptr == NULL) return rf_fail_memory(err, &arena);
        if (i == 0 || !rf_str_eq(entry->hub_id, commit->entries[i - 1].hub_id))
            RF_TRY(note_hub(txn, commit, entry, &arena, err));
        struct state_index index = {.name = "hub", .value = entry->hub_id};
        struct state_put put = {
            .space = offset_space, .key = key, .body = body, .indexes = &index, .index_count = 1};
        RF_TRY(state_put(txn, &put, NULL, NULL, err));
    }
    return RF_OK;
}

static enum rf_kind write_all(struct kafka_groups *groups, const struct offset_commit *first,
                              struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_usec now = rf_clock_now(groups->kafka->clock);
    RF_TRY(state_begin_write(groups->kafka->state, &txn, err));
    for (; first != NULL; first = first->next) RF_TRY(write_commit(txn, first, now, err));
    return state_finish(&txn, err);
}

/* One that cannot be written must not fail those that came with it. */
static void run_commits(struct kafka_groups *groups, struct offset_commit *first)
{
    struct rf_err err = {0};
    enum rf_kind kind = write_all(groups, first, &err);
    bool is_alone = first->next == NULL;
    for (struct offset_commit *commit = first, *next; commit != NULL; commit = next) {
        next = commit->next;
        commit->kind = kind;
        commit->err = err;
        if (kind != RF_OK && !is_alone) {
            commit->next = NULL;
            commit->kind = write_all(groups, commit, &commit->err);
        }
        if (commit->kind != RF_OK)
            rf_log(RF_WARN, "kafka.commit_failed", RF_KV_STR("group", commit->group),
                   RF_KV_STR("why", rf_str_of(commit->err.text)));
        commit->done(commit);
    }
}

/* ---- hubs that are gone ------------------------------------------------------------------------------------------------ */

static bool is_gone(struct kafka_groups *groups, rf_str space_name, rf_str hub_id, rf_str topic)
{
    struct hub_namespace *space;
    struct hub *hub;
    struct rf_err err;
    enum rf_kind kind = hubs_namespace(groups->kafka->hubs, space_name, &space, &err);
    if (kind != RF_OK) return kind == RF_NOT_FOUND;
    /* A name that means something else as a host, such as localhost: nothing is known of it. */
    if (!rf_str_eq(hub_namespace_name(space), space_name)) return false;
    kind = hub_find(space, topic, &hub, &err);
    if (kind != RF_OK) return kind == RF_NOT_FOUND;
    struct hub_facts facts;
    hub_facts(hub, &facts);
    bool same = rf_str_eq(facts.id, hub_id);
    hub_unref(hub);
    return !same;
}

static enum rf_kind remove_hub(struct kafka_groups *groups, const struct state_object *object,
                               rf_str hub_id, struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = offset_space, .index = "hub", .value = hub_id};
    RF_TRY(state_begin_write(groups->kafka->state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(state_delete(txn, offset_space, list.items[i].key, err));
    RF_TRY(state_delete(txn, hub_space, object->key, err));
    return state_finish(&txn, err);
}

static enum rf_kind sweep(struct kafka_groups *groups, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, READ_BYTES_MAX);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = hub_space};
    RF_TRY(state_begin_read(groups->kafka->state, &txn, err));
    RF_TRY(state_list(txn, &scan, &arena, &list, err));
    state_end(txn);
    txn = NULL;
    for (uint32_t i = 0; i < list.count; i++) {
        rf_str key = list.items[i].key;
        rf_str space = take_part_of(&key, &arena);
        if (is_gone(groups, space, key, list.items[i].body))
            RF_TRY(remove_hub(groups, &list.items[i], key, &arena, err));
    }
    return RF_OK;
}

/* ---- the committer ----------------------------------------------------------------------------------------------------- */

/* As many as one transaction should hold. Under the queue's lock. */
static struct offset_commit *take_batch(struct offsets_queue *queue)
{
    struct offset_commit *first = queue->first, *last = first;
    if (first == NULL) return NULL;
    uint32_t entries = first->count;
    while (last->next != NULL && entries + last->next->count <= BATCH_ENTRIES_MAX) {
        last = last->next;
        entries += last->count;
    }
    queue->first = last->next;
    last->next = NULL;
    if (queue->first == NULL) queue->end = &queue->first;
    return first;
}

static void *run_committer(void *ctx)
{
    struct kafka_groups *groups = ctx;
    struct offsets_queue *queue = &groups->queue;
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        struct offset_commit *batch = take_batch(queue);
        bool sweeps = batch == NULL && queue->is_sweep_due && !queue->is_stopping;
        if (batch == NULL && !sweeps) {
            if (queue->is_stopping) break;
            pthread_cond_wait(&queue->changed, &queue->lock);
            continue;
        }
        if (sweeps) queue->is_sweep_due = false;
        pthread_mutex_unlock(&queue->lock);
        struct rf_err err = {0};
        if (batch != NULL) run_commits(groups, batch);
        if (sweeps && sweep(groups, &err) != RF_OK)
            rf_log(RF_WARN, "kafka.sweep_failed", RF_KV_STR("why", rf_str_of(err.text)));
        pthread_mutex_lock(&queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

enum rf_kind offsets_start(struct kafka_groups *groups, struct rf_err *err)
{
    struct offsets_queue *queue = &groups->queue;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->end = &queue->first;
    if (pthread_create(&queue->thread, NULL, run_committer, groups) != 0)
        return RF_FAIL(err, RF_LIMIT, "ThreadFailed", "no thread for Kafka's offsets");
    queue->has_thread = true;
    return RF_OK;
}

void offsets_stop(struct kafka_groups *groups)
{
    struct offsets_queue *queue = &groups->queue;
    if (!queue->has_thread) return;
    pthread_mutex_lock(&queue->lock);
    queue->is_stopping = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);
    queue->has_thread = false;
}

bool offsets_commit(struct kafka_groups *groups, struct offset_commit *commit)
{
    struct offsets_queue *queue = &groups->queue;
    commit->next = NULL;
    pthread_mutex_lock(&queue->lock);
    bool takes = queue->has_thread && !queue->is_stopping;
    if (takes) {
        *queue->end = commit;
        queue->end = &commit->next;
        pthread_cond_signal(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return takes;
}

void offsets_sweep(struct kafka_groups *groups)
{
    struct offsets_queue *queue = &groups->queue;
    pthread_mutex_lock(&queue->lock);
    queue->is_sweep_due = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

struct waiting_commit {
    struct offset_commit commit; /* first; a copy of the caller's */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
};

static void wake_waiting(struct offset_commit *commit)
{
    struct waiting_commit *waiting = (struct waiting_commit *)commit;
    pthread_mutex_lock(&waiting->lock);
    waiting->is_done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

enum rf_kind offsets_commit_wait(struct kafka_groups *groups, struct offset_commit *commit,
                                 struct rf_err *err)
{
    struct waiting_commit waiting = {.commit = *commit};
    waiting.commit.done = wake_waiting;
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.changed, NULL);
    bool taken = offsets_commit(groups, &waiting.commit);
    pthread_mutex_lock(&waiting.lock);
    while (taken && !waiting.is_done) pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    pthread_mutex_destroy(&waiting.lock);
    pthread_cond_destroy(&waiting.changed);
    if (!taken) return RF_FAIL(err, RF_AGAIN, "ServerBusy", "the server stops");
    if (waiting.commit.kind != RF_OK && err != NULL) *err = waiting.commit.err;
    return waiting.commit.kind;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_row(const struct state_object *object, struct rf_arena *arena,
                             struct offset_row *out, struct rf_err *err)
{
    struct json_node *body;
    int64_t epoch = -1;
    rf_str key = object->key;
    RF_TRY(json_parse(object->body, arena, &body, err));
    (void)take_part_of(&key, arena); /* the namespace */
    out->group = take_part_of(&key, arena);
    out->hub_id = take_part_of(&key, arena);
    for (size_t i = 0; i < key.len; i++)
        out->partition = out->partition * 10 + (uint32_t)(key.ptr[i] - '0');
    out->topic = json_text_at(body, "topic");
    out->metadata = json_text_at(body, "metadata");
    if (!json_i64_at(body, "offset", &out->offset))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a committed offset has no number");
    if (json_i64_at(body, "epoch", &epoch)) out->epoch = (int32_t)epoch;
    if (!json_i64_at(body, "at", &out->committed)) out->committed = object->changed_usec;
    return RF_OK;
}

enum rf_kind offsets_read(struct kafka_groups *groups, rf_str space, rf_str group,
                          struct rf_arena *arena, struct offset_row **rows, uint32_t *count,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = offset_space, .prefix = group_prefix(space, group, arena)};
    if (scan.prefix.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(groups->kafka->state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct offset_row *items = rf_arena_new(arena, struct offset_row, list.count);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(read_row(&list.items[i], arena, &items[i], err));
    *rows = items;
    *count = list.count;
    return RF_OK;
}

enum rf_kind offsets_delete_group(struct kafka_groups *groups, rf_str space, rf_str group,
                                  struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint64_t count;
    rf_str prefix = group_prefix(space, group, &arena);
    if (prefix.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(state_begin_write(groups->kafka->state, &txn, err));
    RF_TRY(state_delete_prefix(txn, offset_space, prefix, &count, err));
    RF_TRY(state_finish(&txn, err));
    if (count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "OffsetNotFound", "the group has committed nothing");
    return RF_OK;
}
