#include "vault/search_int.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    PAGE = 1000,
    PAGE_BYTES_MAX = 256 << 20,
    RECORDS_MAX = 2000000,
    BYTES_MAX = 768 << 20,
    TAG_BYTES_KEPT = 600, /* of one object */
    MARKS_MAX = 20000,
    BUCKETS_LEAST = 1024,
    KEY_SLASHES = 2,
    GUID_CHARS = 36
};

/* An object that is to be read again, until a write behind `version` has been seen. */
struct mark {
    struct mark *next;
    uint64_t version;
    size_t len;
    uint8_t key[];
};

struct search_index {
    pthread_mutex_t lock; /* of the records */
    struct search_record **items, **buckets;
    uint32_t count, cap, bucket_count; /* a power of two */
    size_t bytes;
    bool is_built, is_partial;
    pthread_mutex_t mark_lock; /* taken behind `lock` */
    struct mark *marks;
    uint32_t mark_count;
    atomic_bool is_marking;
};

struct search_index *search_index_new(void)
{
    struct search_index *index = calloc(1, sizeof *index);
    if (index == NULL) return NULL;
    (void)pthread_mutex_init(&index->lock, NULL);
    (void)pthread_mutex_init(&index->mark_lock, NULL);
    return index;
}

/* ---- marks ---------------------------------------------------------------------------------------------------------------- */

/* Grows with each write to either space. */
static uint64_t version_now(struct state *state)
{
    return state_version(state, vault_item_space) + state_version(state, vault_version_space);
}

static void marks_free(struct mark *mark)
{
    while (mark != NULL) {
        struct mark *next = mark->next;
        free(mark);
        mark = next;
    }
}

/* Gives up: the next question builds it anew. Under mark_lock. */
static void forget_marks(struct search_index *index)
{
    marks_free(index->marks);
    index->marks = NULL;
    index->mark_count = 0;
    atomic_store(&index->is_marking, false);
}

static bool is_same_mark(const struct mark *mark, uint64_t version, rf_str key)
{
    return mark != NULL && mark->version == version &&
           rf_str_eq(rf_str_make(mark->key, mark->len), key);
}

void search_index_mark(struct search_index *index, struct state *state, rf_str key)
{
    if (index == NULL || !atomic_load(&index->is_marking)) return;
    uint64_t version = version_now(state);
    (void)pthread_mutex_lock(&index->mark_lock);
    if (atomic_load(&index->is_marking) && !is_same_mark(index->marks, version, key)) {
        struct mark *mark = index->mark_count < MARKS_MAX ? malloc(sizeof *mark + key.len) : NULL;
        if (mark == NULL) {
            forget_marks(index);
        } else {
            *mark = (struct mark){.next = index->marks, .version = version, .len = key.len};
            memcpy(mark->key, key.ptr, key.len);
            index->marks = mark;
            index->mark_count++;
        }
    }
    (void)pthread_mutex_unlock(&index->mark_lock);
}

/* ---- records ---------------------------------------------------------------------------------------------------------------- */

static struct search_record **bucket_of(struct search_index *index, rf_str key)
{
    return &index->buckets[rf_hash(key.ptr, key.len, 0) & (index->bucket_count - 1)];
}

static size_t bytes_of(const struct search_record *record)
{
    return sizeof *record + record->key.len + record->name.len + record->content_type.len +
           record->tags.len;
}

static void remove_record(struct search_index *index, rf_str key)
{
    if (index->bucket_count == 0) return;
    struct search_record **at = bucket_of(index, key);
    while (*at != NULL && !rf_str_eq((*at)->key, key)) at = &(*at)->next;
    struct search_record *record = *at;
    if (record == NULL) return;
    *at = record->next;
    index->items[record->slot] = index->items[--index->count];
    index->items[record->slot]->slot = record->slot;
    index->bytes -= bytes_of(record);
    free(record);
}

static void clear(struct search_index *index)
{
    for (uint32_t i = 0; i < index->count; i++) free(index->items[i]);
    free(index->items);
    free(index->buckets);
    index->items = index->buckets = NULL;
    index->count = index->cap = index->bucket_count = 0;
    index->bytes = 0;
    index->is_built = index->is_partial = false;
}

void search_index_free(struct search_index *index)
{
    if (index == NULL) return;
    clear(index);
    marks_free(index->marks);
    (void)pthread_mutex_destroy(&index->lock);
    (void)pthread_mutex_destroy(&index->mark_lock);
    free(index);
}

static bool grow(struct search_index *index)
{
    if (index->count < index->cap) return true;
    uint32_t cap = RF_MAX(index->cap * 2, (uint32_t)BUCKETS_LEAST);
    struct search_record **items = realloc(index->items, cap * sizeof(struct search_record *));
    if (items == NULL) return false;
    index->items = items;
    struct search_record **buckets = calloc(cap, sizeof(struct search_record *));
    if (buckets == NULL) return false;
    free(index->buckets);
    index->buckets = buckets;
    index->bucket_count = index->cap = cap;
    for (uint32_t i = 0; i < index->count; i++) {
        struct search_record **at = bucket_of(index, items[i]->key);
        items[i]->next = *at;
        *at = items[i];
    }
    return true;
}

static rf_str keep(uint8_t **at, rf_str text)
{
    rf_str kept = rf_str_make(*at, text.len);
    if (text.len > 0) memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

/* `record` with its texts, in one block. False on lack of memory, or when it is full. */
static bool add_record(struct search_index *index, const struct search_record *record)
{
    size_t bytes = bytes_of(record);
    remove_record(index, record->key);
    if (index->count >= RECORDS_MAX || index->bytes + bytes > BYTES_MAX || !grow(index))
        return false;
    struct search_record *own = malloc(bytes);
    if (own == NULL) return false;
    uint8_t *at = (uint8_t *)(own + 1);
    *own = *record;
    own->key = keep(&at, record->key);
    own->name = keep(&at, record->name);
    own->content_type = keep(&at, record->content_type);
    own->tags = keep(&at, record->tags);
    own->guid = rf_slice(own->key, 0, GUID_CHARS);
    own->low = rf_slice(own->key, own->key.len - own->name.len, own->key.len);
    struct search_record **bucket = bucket_of(index, own->key);
    own->next = *bucket;
    *bucket = own;
    own->slot = index->count;
    index->items[index->count++] = own;
    index->bytes += bytes;
    return true;
}

/* ---- tags ---------------------------------------------------------------------------------------------------------------------- */

static void put_part(struct rf_buf *buf, rf_str part)
{
    rf_buf_byte(buf, (uint8_t)part.len);
    rf_buf_byte(buf, (uint8_t)(part.len >> 8));
    rf_buf_str(buf, part);
}

static bool pack_tags(const struct json_node *tags, struct rf_arena *arena,
                      struct search_record *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (const struct json_node *tag = tags == NULL ? NULL : tags->first; tag != NULL;
         tag = tag->next) {
        put_part(&buf, tag->name);
        put_part(&buf, tag->text);
    }
    out->tags_cut = buf.len > TAG_BYTES_KEPT;
    if (buf.len > 0 && !out->tags_cut) out->tags = rf_buf_view(&buf);
    return !buf.failed;
}

static bool next_part(rf_str *tags, rf_str *part)
{
    if (tags->len < 2) return false;
    size_t len = (size_t)tags->ptr[0] | (size_t)tags->ptr[1] << 8;
    if (len > tags->len - 2) return false;
    *part = rf_slice(*tags, 2, 2 + len);
    *tags = rf_slice(*tags, 2 + len, tags->len);
    return true;
}

bool search_tag_next(rf_str *tags, rf_str *name, rf_str *value)
{
    return next_part(tags, name) && next_part(tags, value);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_version(struct state_txn *txn, rf_str key, rf_str version,
                                 struct rf_arena *arena, struct search_record *out,
                                 struct rf_err *err)
{
    struct state_object object;
    struct vault_version latest;
    struct json_node *node;
    rf_str whole = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(key), RF_FMT(version));
    if (whole.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, vault_version_space, whole, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &node, err));
    /* What is sealed is of no account here, and most of the work of reading it. */
    json_remove(node, RF_S("sealed"));
    RF_TRY(vault_version_of(node, arena, &latest, err));
    out->has_version = true;
    out->enabled = latest.enabled;
    out->created = latest.created;
    out->updated = latest.updated;
    out->not_before = latest.not_before;
    out->expires = latest.expires;
    out->content_type = latest.content_type;
    return pack_tags(latest.tags, arena, out) ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_item(struct search_index *index, struct state_txn *txn,
                              const struct state_object *object, struct rf_arena *arena,
                              struct rf_err *err)
{
    struct vault_item item;
    struct json_node *node;
    RF_TRY(json_parse(object->body, arena, &node, err));
    RF_TRY(vault_item_of(node, arena, &item, err));
    if (object->key.len < GUID_CHARS + KEY_SLASHES + item.name.len || item.purging) {
        remove_record(index, object->key);
        return RF_OK;
    }
    struct search_record record = {.key = object->key,
                                   .name = item.name,
                                   .kind = item.kind,
                                   .deleted = item.deleted != 0,
                                   .managed = item.managed,
                                   .born = item.created,
                                   .created = item.created,
                                   .updated = item.updated,
                                   .not_before = SEAL_NO_TIME,
                                   .expires = SEAL_NO_TIME,
                                   .deleted_at = item.deleted,
                                   .purge_at = item.purge_at};
    if (item.latest.len > 0)
        RF_TRY(read_version(txn, object->key, item.latest, arena, &record, err));
    if (!add_record(index, &record)) index->is_partial = true;
    return RF_OK;
}

static enum rf_kind read_all(struct search_index *index, struct state_txn *txn, struct rf_err *err)
{
    uint8_t last[STATE_KEY_BYTES_MAX];
    rf_str after = {0};
    for (bool more = true; more;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, PAGE_BYTES_MAX);
        struct state_list list;
        struct state_scan scan = {.space = vault_item_space, .after = after, .limit = PAGE};
        RF_TRY(state_list(txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(read_item(index, txn, &list.items[i], &arena, err));
        more = list.more && list.count > 0;
        if (!more) continue;
        rf_str key = list.items[list.count - 1].key;
        memcpy(last, key.ptr, key.len);
        after = rf_str_make(last, key.len);
    }
    return RF_OK;
}

/* Whoever began to write before marks were taken has not marked: behind a write transaction of our own nobody has. */
static enum rf_kind begin_marking(struct search_index *index, struct state *state,
                                  struct rf_err *err)
{
    struct state_txn *txn = NULL;
    enum rf_kind kind = state_begin_write(state, &txn, err);
    if (kind == RF_DENIED) return RF_OK; /* nobody writes */
    RF_TRY(kind);
    (void)pthread_mutex_lock(&index->mark_lock);
    forget_marks(index);
    atomic_store(&index->is_marking, true);
    (void)pthread_mutex_unlock(&index->mark_lock);
    state_end(txn);
    return RF_OK;
}

static enum rf_kind build(struct search_index *index, struct state *state, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    clear(index);
    RF_TRY(begin_marking(index, state, err));
    RF_TRY(state_begin_read(state, &txn, err));
    RF_TRY(read_all(index, txn, err));
    index->is_built = true;
    return RF_OK;
}

/* ---- keeping it current ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_again(struct search_index *index, struct state_txn *txn, rf_str key,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, PAGE_BYTES_MAX);
    struct state_object object;
    enum rf_kind kind = state_get(txn, vault_item_space, key, &arena, &object, err);
    if (kind == RF_NOT_FOUND) {
        remove_record(index, key);
        return RF_OK;
    }
    RF_TRY(kind);
    return read_item(index, txn, &object, &arena, err);
}

/* Takes the marks away; those whose write may still come are put back. */
static struct mark *take_marks(struct search_index *index)
{
    (void)pthread_mutex_lock(&index->mark_lock);
    struct mark *marks = index->marks;
    index->marks = NULL;
    index->mark_count = 0;
    (void)pthread_mutex_unlock(&index->mark_lock);
    return marks;
}

static void put_back(struct search_index *index, struct mark *mark)
{
    (void)pthread_mutex_lock(&index->mark_lock);
    mark->next = index->marks;
    index->marks = mark;
    index->mark_count++;
    (void)pthread_mutex_unlock(&index->mark_lock);
}

static enum rf_kind refresh(struct search_index *index, struct state *state, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct mark *marks = take_marks(index);
    if (marks == NULL) return RF_OK;
    /* One writer at a time: a write that was marked at n is there when the version has gone beyond n before the reading begins. */
    uint64_t seen = version_now(state);
    enum rf_kind kind = state_begin_read(state, &txn, err);
    while (marks != NULL) {
        struct mark *mark = marks;
        marks = mark->next;
        if (kind == RF_OK) kind = read_again(index, txn, rf_str_make(mark->key, mark->len), err);
        if (kind != RF_OK || mark->version >= seen)
            put_back(index, mark);
        else
            free(mark);
    }
    return kind;
}

enum rf_kind search_index_open(struct search_index *index, struct state *state,
                               struct search_view *out, struct rf_err *err)
{
    (void)pthread_mutex_lock(&index->lock);
    bool is_good = index->is_built && atomic_load(&index->is_marking);
    enum rf_kind kind = is_good ? refresh(index, state, err) : build(index, state, err);
    if (kind != RF_OK) {
        (void)pthread_mutex_unlock(&index->lock);
        return kind;
    }
    *out = (struct search_view){
        .items = index->items, .count = index->count, .is_partial = index->is_partial};
    return RF_OK;
}

void search_index_close(struct search_index *index) { (void)pthread_mutex_unlock(&index->lock); }
