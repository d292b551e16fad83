/* activity.c - who used which object last, and how often: counted beside the audit rows, in memory, and written once a minute. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/call_int.h"
#include "vault/report_int.h"

const char vault_activity_space[] = "vault.activity";
static const char since_key[] = "since";

enum {
    BUCKETS = 1 << 16,
    ENTRIES_MAX = 2000000,
    USES_MAX =
        200000, /* principals of objects that wait to be written; what comes beyond is not counted */
    USERS_MAX = 64, /* of one object that are kept */
    DAYS_KEPT = 31,
    FLUSH_SECONDS = 60,
    BATCH = 200, /* objects written in one transaction */
    BATCH_BYTES_MAX = 64 << 20,
    DAY = 86400,
    NAME_BYTES_MAX = 128,
    KEY_BYTES_MAX = 200
};

/* What one principal did since the last writing. */
struct use {
    struct use *next;
    int64_t last, day;
    uint64_t count;
    const char *operation;
    char id[64], name[NAME_BYTES_MAX];
};
struct entry {
    struct entry *next, *next_dirty;
    int64_t last;
    struct use *uses;
    bool is_dirty;
    size_t len;
    uint8_t key[];
};
struct vault_activity {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    struct entry *dirty;
    uint32_t entry_count, use_count;
    int64_t flushed; /* when, seconds */
    bool is_loaded, has_since, is_lossy;
};

struct vault_activity *vault_activity_new(void)
{
    struct vault_activity *activity = calloc(1, sizeof *activity);
    if (activity != NULL) (void)pthread_mutex_init(&activity->lock, NULL);
    return activity;
}

static void uses_free(struct use *use)
{
    while (use != NULL) {
        struct use *next = use->next;
        free(use);
        use = next;
    }
}

void vault_activity_free(struct vault_activity *activity)
{
    if (activity == NULL) return;
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = activity->buckets[i]; e != NULL;) {
            struct entry *next = e->next;
            uses_free(e->uses);
            free(e);
            e = next;
        }
    (void)pthread_mutex_destroy(&activity->lock);
    free(activity);
}

static struct entry *find(struct vault_activity *activity, rf_str key, bool make)
{
    struct entry **at = &activity->buckets[rf_hash(key.ptr, key.len, 0) & (BUCKETS - 1)];
    for (struct entry *e = *at; e != NULL; e = e->next)
        if (rf_str_eq(rf_str_make(e->key, e->len), key)) return e;
    if (!make || activity->entry_count == ENTRIES_MAX) return NULL;
    struct entry *e = malloc(sizeof *e + key.len);
    if (e == NULL) return NULL;
    *e = (struct entry){.next = *at, .len = key.len};
    memcpy(e->key, key.ptr, key.len);
    *at = e;
    activity->entry_count++;
    return e;
}

/* ---- counting ----------------------------------------------------------------------------------------------------------------- */

/* What takes material out of a vault, or uses it. */
static bool is_use(const char *operation)
{
    static const char *const names[] = {
        "SecretGet", "SecretUnwrap",   "SecretBackup",     "SecretWrap", "KeyDecrypt",
        "KeyUnwrap", "KeySign",        "KeyEncrypt",       "KeyWrap",    "KeyVerify",
        "KeyBackup", "CertificateGet", "CertificateBackup"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (strcmp(operation, names[i]) == 0) return true;
    return false;
}

/* "GUID/secrets/name" out of the path, or (unwrap) out of the id that the handler has told. */
static bool key_of(const struct vault_call *call, char out[KEY_BYTES_MAX], size_t *len)
{
    const char *operation = call->operation->audit;
    const char *collection = operation[0] == 'S'   ? "secrets"
                             : operation[0] == 'K' ? "keys"
                                                   : "certificates";
    rf_str name = call->name;
    if (name.len == 0) {
        size_t at = rf_str_find(call->audit_id, RF_S("/secrets/"), 0);
        if (at == SIZE_MAX) return false;
        at += strlen("/secrets/");
        size_t end = rf_str_find(call->audit_id, RF_S("/"), at);
        name = rf_slice(call->audit_id, at, end == SIZE_MAX ? call->audit_id.len : end);
    }
    if (call->place.guid.len + name.len + 20 > KEY_BYTES_MAX) return false;
    *len = (size_t)snprintf(out, KEY_BYTES_MAX, "%.*s/%s/%.*s", RF_FMT(call->place.guid),
                            collection, RF_FMT(name));
    for (size_t i = 0; i < *len; i++) out[i] = (char)rf_lower((uint8_t)out[i]);
    return true;
}

static void copy_text(char *out, size_t size, rf_str text)
{
    size_t len = RF_MIN(text.len, size - 1);
    while (len > 0 && len < text.len && (text.ptr[len] & 0xc0) == 0x80) len--;
    memcpy(out, text.len == 0 ? (const void *)"" : text.ptr, len);
    out[len] = '\0';
}

static void count(struct vault_activity *activity, struct entry *e, const struct vault_call *call)
{
    const struct principal *who = call->request->principal;
    int64_t day = call->now / DAY;
    struct use *use = e->uses;
    while (use != NULL && (use->day != day || !rf_str_is(who->object_id, use->id))) use = use->next;
    if (use == NULL) {
        if (activity->use_count == USES_MAX || (use = calloc(1, sizeof *use)) == NULL) {
            activity->is_lossy = true;
            return;
        }
        copy_text(use->id, sizeof use->id, who->object_id);
        copy_text(use->name, sizeof use->name, principal_caller(who));
        use->day = day;
        use->next = e->uses;
        e->uses = use;
        activity->use_count++;
    }
    use->count++;
    use->last = RF_MAX(use->last, call->now);
    use->operation = call->operation->audit;
}

void vault_activity_note(struct vault_call *call)
{
    struct vault_activity *activity = call->vaults->activity;
    char key[KEY_BYTES_MAX];
    size_t len;
    if (activity == NULL || call->operation == NULL || !is_use(call->operation->audit)) return;
    if (call->request == NULL || call->request->principal == NULL || !key_of(call, key, &len))
        return;
    (void)pthread_mutex_lock(&activity->lock);
    bool is_first = activity->dirty == NULL;
    struct entry *e = find(activity, rf_str_make(key, len), true);
    if (e != NULL) {
        e->last = RF_MAX(e->last, call->now);
        count(activity, e, call);
        if (!e->is_dirty) {
            e->is_dirty = true;
            e->next_dirty = activity->dirty;
            activity->dirty = e;
        }
    }
    bool wakes = is_first && e != NULL && call->now >= activity->flushed + FLUSH_SECONDS;
    (void)pthread_mutex_unlock(&activity->lock);
    if (wakes) vault_jobs_wake(call->vaults);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------------------ */

static struct json_node *user_of(const struct json_node *list, rf_str id)
{
    for (struct json_node *u = list == NULL ? NULL : list->first; u != NULL; u = u->next)
        if (rf_str_eq(json_text_at(u, "id"), id)) return u;
    return NULL;
}

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t number = 0;
    return json_i64_at(node, name, &number) ? number : 0;
}

/* Days that are too long ago go. */
static bool drop_days(struct rf_arena *arena, struct json_node *user, int64_t today)
{
    struct json_node *kept = json_new(arena, JSON_T_OBJECT);
    const struct json_node *days = json_get(user, "days");
    for (const struct json_node *d = days == NULL ? NULL : days->first; d != NULL; d = d->next) {
        int64_t day = 0;
        for (size_t i = 0; i < RF_MIN(d->name.len, (size_t)8); i++)
            day = day * 10 + (d->name.ptr[i] - '0');
        if (day + DAYS_KEPT > today && json_set(arena, kept, d->name, json_clone(arena, d)) == NULL)
            return false;
    }
    return json_set(arena, user, RF_S("days"), kept) != NULL;
}

/* Whoever was last here goes first. */
static void drop_oldest(struct rf_arena *arena, struct json_node *doc)
{
    struct json_node *list = json_get(doc, "by"), *kept = json_new(arena, JSON_T_ARRAY);
    const struct json_node *oldest = NULL;
    for (const struct json_node *u = list->first; u != NULL; u = u->next)
        if (oldest == NULL || number_at(u, "last") < number_at(oldest, "last")) oldest = u;
    for (const struct json_node *u = list->first; u != NULL; u = u->next)
        if (u != oldest) json_append(kept, json_clone(arena, u));
    json_set(arena, doc, RF_S("by"), kept);
}

static bool merge_use(struct rf_arena *arena, struct json_node *doc, const struct use *use)
{
    rf_str id, name;
    if (!rf_arena_str(arena, rf_str_of(use->id), &id) ||
        !rf_arena_str(arena, rf_str_of(use->name), &name))
        return false;
    struct json_node *user = user_of(json_get(doc, "by"), id);
    if (user == NULL) {
        if (json_get(doc, "by")->count >= USERS_MAX) drop_oldest(arena, doc);
        user = json_append(json_get(doc, "by"), json_new(arena, JSON_T_OBJECT));
    }
    char text[24];
    rf_str day;
    (void)snprintf(text, sizeof text, "%lld", (long long)use->day);
    if (user == NULL || !rf_arena_str(arena, rf_str_of(text), &day)) return false;
    struct json_node *days = json_object_in(arena, user, "days");
    int64_t before = number_at(days, text);
    if (use->last >= number_at(user, "last") &&
        json_set_text(arena, user, "operation", rf_str_of(use->operation)) == NULL)
        return false;
    return json_set_text(arena, user, "id", id) != NULL &&
           json_set_text(arena, user, "name", name) != NULL &&
           json_set_i64(arena, user, "last", RF_MAX(use->last, number_at(user, "last"))) != NULL &&
           json_set(arena, days, day, json_new_i64(arena, before + (int64_t)use->count)) != NULL &&
           drop_days(arena, user, use->day);
}

/* What is stored of the object that was made at `born`; an empty one when it is of another, or there is none. */
static enum rf_kind stored(struct state_txn *txn, rf_str key, int64_t born, struct rf_arena *arena,
                           struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, vault_activity_space, key, arena, &object, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *out = NULL;
    if (kind == RF_OK) RF_TRY(json_parse(object.body, arena, out, err));
    if (*out != NULL && number_at(*out, "born") == born &&
        json_is(json_get(*out, "by"), JSON_T_ARRAY))
        return RF_OK;
    *out = json_new(arena, JSON_T_OBJECT);
    bool good = json_set_i64(arena, *out, "born", born) != NULL &&
                json_set(arena, *out, RF_S("by"), json_new(arena, JSON_T_ARRAY)) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind born_of(struct state_txn *txn, rf_str key, struct rf_arena *arena, int64_t *out,
                            struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    RF_TRY(state_get(txn, vault_item_space, key, arena, &object, err));
    RF_TRY(json_parse(object.body, arena, &node, err));
    *out = number_at(node, "created");
    return RF_OK;
}

struct taken { /* away from the entries, so that counting goes on while it is written */
    rf_str key;
    struct use *uses;
};

static enum rf_kind write_one(struct state_txn *txn, const struct taken *taken,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc;
    int64_t born;
    enum rf_kind kind = born_of(txn, taken->key, arena, &born, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* purged meanwhile */
    RF_TRY(kind);
    RF_TRY(stored(txn, taken->key, born, arena, &doc, err));
    for (const struct use *use = taken->uses; use != NULL; use = use->next)
        if (use->last >= born && !merge_use(arena, doc, use)) return rf_fail_memory(err, arena);
    rf_str body = json_to_text(arena, doc);
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_activity_space, .key = taken->key, .body = body};
    return state_put(txn, &put, NULL, NULL, err);
}

static enum rf_kind write_since(struct vault_activity *activity, struct state_txn *txn, int64_t now,
                                struct rf_arena *arena, struct rf_err *err)
{
    if (activity->has_since) return RF_OK;
    rf_str body = rf_arena_printf(arena, "{\"since\":%lld}", (long long)now);
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = vault_activity_space,
                            .key = rf_str_of(since_key),
                            .body = body,
                            .condition = STATE_ABSENT};
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    if (kind == RF_OK || kind == RF_CONFLICT) activity->has_since = true;
    return kind == RF_CONFLICT ? RF_OK : kind;
}

static uint32_t take(struct vault_activity *activity, struct rf_arena *arena, struct taken *out)
{
    uint32_t taken = 0;
    (void)pthread_mutex_lock(&activity->lock);
    while (activity->dirty != NULL && taken < BATCH) {
        struct entry *e = activity->dirty;
        if (!rf_arena_str(arena, rf_str_make(e->key, e->len), &out[taken].key)) break;
        activity->dirty = e->next_dirty;
        out[taken++].uses = e->uses;
        for (const struct use *use = e->uses; use != NULL; use = use->next) activity->use_count--;
        e->uses = NULL;
        e->is_dirty = false;
    }
    (void)pthread_mutex_unlock(&activity->lock);
    return taken;
}

static enum rf_kind write_batch(struct vaults *vaults, const struct taken *taken, uint32_t count,
                                int64_t now, struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(write_since(vaults->activity, txn, now, arena, err));
    for (uint32_t i = 0; i < count; i++) RF_TRY(write_one(txn, &taken[i], arena, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_activity_flush(struct vaults *vaults, int64_t now, int64_t *next,
                                  struct rf_err *err)
{
    struct vault_activity *activity = vaults->activity;
    enum rf_kind kind = RF_OK;
    uint32_t written = 0;
    *next = 0;
    if (activity == NULL) return RF_OK;
    for (bool more = true; more && kind == RF_OK;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct taken taken[BATCH];
        rf_arena_init(&arena, BATCH_BYTES_MAX);
        uint32_t count = take(activity, &arena, taken);
        if (count > 0 || !activity->has_since)
            kind = write_batch(vaults, taken, count, now, &arena, err);
        for (uint32_t i = 0; i < count; i++) uses_free(taken[i].uses);
        more = count == BATCH;
        written += count;
    }
    (void)pthread_mutex_lock(&activity->lock);
    bool is_lossy = activity->is_lossy;
    activity->flushed = now;
    activity->is_lossy = false;
    (void)pthread_mutex_unlock(&activity->lock);
    if (is_lossy)
        rf_log(RF_WARN, "vault.activity_lost",
               RF_KV_STR("why", RF_S("too many uses of vaults' objects within a minute: some are "
                                     "not counted, their audit rows are there")));
    if (written > 0) *next = now + FLUSH_SECONDS;
    return kind;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind load_one(struct vault_activity *activity, const struct state_object *object,
                             struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc;
    int64_t last = 0;
    RF_TRY(json_parse(object->body, arena, &doc, err));
    const struct json_node *list = json_get(doc, "by");
    for (const struct json_node *u = list == NULL ? NULL : list->first; u != NULL; u = u->next)
        last = RF_MAX(last, number_at(u, "last"));
    (void)pthread_mutex_lock(&activity->lock);
    struct entry *e = last == 0 ? NULL : find(activity, object->key, true);
    if (e != NULL) e->last = RF_MAX(e->last, last);
    (void)pthread_mutex_unlock(&activity->lock);
    return RF_OK;
}

enum rf_kind vault_activity_load(struct vaults *vaults, struct rf_err *err)
{
    struct vault_activity *activity = vaults->activity;
    uint8_t last[STATE_KEY_BYTES_MAX];
    rf_str after = {0};
    if (activity == NULL) return RF_OK;
    (void)pthread_mutex_lock(&activity->lock);
    bool is_loaded = activity->is_loaded;
    (void)pthread_mutex_unlock(&activity->lock);
    if (is_loaded) return RF_OK;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    for (bool more = true; more;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct state_list list;
        struct state_scan scan = {.space = vault_activity_space, .after = after, .limit = BATCH};
        rf_arena_init(&arena, BATCH_BYTES_MAX);
        RF_TRY(state_list(txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(load_one(activity, &list.items[i], &arena, err));
        more = list.more && list.count > 0;
        if (!more) continue;
        rf_str key = list.items[list.count - 1].key;
        memcpy(last, key.ptr, key.len);
        after = rf_str_make(last, key.len);
    }
    (void)pthread_mutex_lock(&activity->lock);
    activity->is_loaded = true;
    (void)pthread_mutex_unlock(&activity->lock);
    return RF_OK;
}

static int64_t last_of(struct vault_activity *activity, rf_str key)
{
    const struct entry *e = find(activity, key, false);
    return e == NULL ? 0 : e->last;
}

int64_t vault_activity_last(struct vault_activity *activity, rf_str key, enum seal_kind kind,
                            int64_t born)
{
    if (activity == NULL) return 0;
    (void)pthread_mutex_lock(&activity->lock);
    int64_t last = last_of(activity, key);
    size_t guid = rf_str_find(key, RF_S("/"), 0);
    size_t name = kind != SEAL_CERTIFICATE || guid == SIZE_MAX
                      ? SIZE_MAX
                      : rf_str_find(key, RF_S("/"), guid + 1);
    static const char *const beside[] = {"secrets", "keys"};
    for (size_t i = 0; name != SIZE_MAX && i < RF_COUNT(beside); i++) {
        char text[KEY_BYTES_MAX];
        int len = snprintf(text, sizeof text, "%.*s/%s%.*s", (int)guid, (const char *)key.ptr,
                           beside[i], (int)(key.len - name), (const char *)key.ptr + name);
        if (len > 0 && (size_t)len < sizeof text)
            last = RF_MAX(last, last_of(activity, rf_str_make(text, (size_t)len)));
    }
    (void)pthread_mutex_unlock(&activity->lock);
    return last >= born ? last : 0;
}

enum rf_kind vault_activity_get(struct vaults *vaults, rf_str key, int64_t born,
                                struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct vault_activity *activity = vaults->activity;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    bool good = true;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(stored(txn, key, born, arena, out, err));
    if (activity == NULL) return RF_OK;
    (void)pthread_mutex_lock(&activity->lock);
    const struct entry *e = find(activity, key, false);
    for (const struct use *use = e == NULL ? NULL : e->uses; use != NULL && good; use = use->next)
        if (use->last >= born) good = merge_use(arena, *out, use);
    (void)pthread_mutex_unlock(&activity->lock);
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind vault_activity_since(struct vaults *vaults, struct rf_arena *arena, int64_t *out,
                                  struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    *out = 0;
    enum rf_kind kind = state_peek(vaults->options.state, vault_activity_space,
                                   rf_str_of(since_key), arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &node, err));
    *out = number_at(node, "since");
    return RF_OK;
}
