/* search_run.c - what fits a question, as far as the caller may list it, in order and page by page. */
#include <stdlib.h>

#include "base/encode.h"
#include "vault/search_int.h"
#include "vault/types_int.h"

enum { POSITION_PARTS = 5 };

static const struct vault_right list_rights[] = {
    [SEAL_SECRET] = {"secrets/readMetadata/action", "secrets", "list"},
    [SEAL_KEY] = {"keys/read", "keys", "list"},
    [SEAL_CERTIFICATE] = {"certificates/read", "certificates", "list"}};
/* Of what is no object: the authorities behind a vault's issuers. */
static const struct vault_right issuer_right = {"certificatecas/read", "certificates",
                                                "listissuers"};

/* ---- vaults ----------------------------------------------------------------------------------------------------------------- */

struct gathering {
    struct search_run *run;
    uint32_t cap;
};

static enum rf_kind gather(void *ctx, const struct vault_place *place, struct rf_err *err)
{
    struct gathering *g = ctx;
    struct search_run *run = g->run;
    struct rf_arena *arena = run->request->arena;
    if (!vault_viewer_reaches(&run->viewer, place)) return RF_OK;
    if (run->place_count == g->cap) {
        g->cap = RF_MAX(g->cap * 2, 16u);
        struct vault_place *more = rf_arena_new(arena, struct vault_place, g->cap);
        if (more == NULL) return rf_fail_memory(err, arena);
        if (run->place_count > 0) memcpy(more, run->places, run->place_count * sizeof *more);
        run->places = more;
    }
    run->places[run->place_count++] = *place;
    return RF_OK;
}

static int compare_places(const void *a, const void *b)
{
    return rf_str_cmp(((const struct vault_place *)a)->guid, ((const struct vault_place *)b)->guid);
}

enum rf_kind search_begin(struct request *request, struct search_run *run, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vaults *vaults = request->service;
    struct gathering g = {.run = run};
    *run = (struct search_run){.request = request,
                               .viewer = {.vaults = vaults,
                                          .principal = request->principal,
                                          .address = request->http->peer_address},
                               .now = request->now / RF_USEC_PER_SECOND};
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(vault_places(vaults, txn, request->arena, gather, &g, err));
    if (run->place_count > 0)
        qsort(run->places, run->place_count, sizeof *run->places, compare_places);
    return RF_OK;
}

static const struct vault_place *place_of(const struct search_run *run, rf_str guid)
{
    struct vault_place wanted = {.guid = guid};
    return run->place_count == 0 ? NULL
                                 : bsearch(&wanted, run->places, run->place_count,
                                           sizeof *run->places, compare_places);
}

/* ---- who may see it --------------------------------------------------------------------------------------------------------------- */

/* What a role at the vault says holds for all of a kind, unless something is said of objects. */
enum sight { UNKNOWN, NONE, ALL, EACH };

static enum sight sight_of(struct search_run *run, const struct vault_place *place,
                           const struct vault_right *right)
{
    struct rf_arena *arena = run->request->arena;
    bool may = vault_viewer_may(&run->viewer, place, right, (rf_str){0}, arena);
    bool varies = place->rbac && authz_varies_below(run->viewer.vaults->options.authz,
                                                    run->viewer.principal, place->id);
    return varies ? EACH : may ? ALL : NONE;
}

static bool may_see(struct search_run *run, const struct search_record *record,
                    const struct vault_place *place, enum sight *sights, struct rf_arena *scratch)
{
    bool is_object = record->shown == NULL;
    const struct vault_right *right = is_object ? &list_rights[record->kind] : &issuer_right;
    enum sight *sight =
        &sights[(size_t)(place - run->places) * 4 + (is_object ? (size_t)record->kind - 1 : 3)];
    if (*sight == UNKNOWN) *sight = sight_of(run, place, right);
    if (*sight != EACH) return *sight == ALL;
    rf_arena_reset(scratch);
    return vault_viewer_may(&run->viewer, place, right, is_object ? record->name : (rf_str){0},
                            scratch);
}

/* ---- what fits ---------------------------------------------------------------------------------------------------------------------- */

bool search_matches(rf_str pattern, rf_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && rf_lower(pattern.ptr[p]) == rf_lower(text.ptr[t])) {
            p++, t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

static bool fits_name(const struct search_query *query, const struct search_record *record)
{
    for (uint32_t i = 0; i < query->word_count; i++) {
        rf_str word = query->words[i];
        bool is_pattern = word.len > 0 && memchr(word.ptr, '*', word.len) != NULL;
        bool fits = is_pattern ? search_matches(word, record->low)
                               : rf_str_find(record->low, word, 0) != SIZE_MAX;
        if (!fits) return false;
    }
    return true;
}

static bool fits_tag(rf_str tags, rf_str name, rf_str value)
{
    rf_str tag_name, tag_value;
    while (search_tag_next(&tags, &tag_name, &tag_value))
        if (search_matches(name, tag_name) && (value.len == 0 || search_matches(value, tag_value)))
            return true;
    return false;
}

static bool fits_tag_node(const struct json_node *tags, rf_str name, rf_str value)
{
    for (const struct json_node *t = tags == NULL ? NULL : tags->first; t != NULL; t = t->next)
        if (search_matches(name, t->name) && (value.len == 0 || search_matches(value, t->text)))
            return true;
    return false;
}

/* Tags that are too long for the index are looked up. */
static bool fits_tags(struct search_run *run, const struct search_query *query,
                      const struct search_hit *hit)
{
    struct vault_call call;
    struct vault_item item;
    struct vault_version version = {.tags = NULL};
    struct rf_err err;
    if (query->tag_count == 0) return true;
    if (hit->record->tags_cut && search_load(run, hit, &call, &item, &version, &err) != RF_OK)
        return false;
    for (uint32_t i = 0; i < query->tag_count; i++) {
        rf_str name = query->tags[i].name, value = query->tags[i].value;
        if (hit->record->tags_cut ? !fits_tag_node(version.tags, name, value)
                                  : !fits_tag(hit->record->tags, name, value))
            return false;
    }
    return true;
}

static bool fits_flag(int wanted, bool is) { return wanted < 0 || (wanted != 0) == is; }

static bool fits(const struct search_query *query, const struct search_record *record)
{
    if (query->kinds != 0 && (query->kinds & 1u << record->kind) == 0) return false;
    if (query->without_managed && record->managed) return false;
    if (!fits_flag(query->deleted, record->deleted)) return false;
    if (!fits_flag(query->enabled, record->has_version && record->enabled)) return false;
    if (query->expires_from != 0 || query->expires_to != 0) {
        if (record->expires == SEAL_NO_TIME || record->expires < query->expires_from) return false;
        if (query->expires_to != 0 && record->expires > query->expires_to) return false;
    }
    if (query->content_type.len > 0 && !search_matches(query->content_type, record->content_type))
        return false;
    return fits_name(query, record);
}

/* ---- order ---------------------------------------------------------------------------------------------------------------------------- */

struct found {
    int64_t number;
    rf_str text; /* lower case */
    struct search_hit hit;
};

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    int text = rf_str_cmp(x->text, y->text);
    return text != 0 ? text : rf_str_cmp(x->hit.record->key, y->hit.record->key);
}

static int compare_reverse(const void *a, const void *b) { return compare_found(b, a); }

static void place_in_order(const struct search_query *query, struct found *found, rf_str vault)
{
    const struct search_record *record = found->hit.record;
    switch (query->order) {
    case SEARCH_BY_NAME:
        found->text = record->low;
        break;
    case SEARCH_BY_VAULT:
        found->text = vault;
        break;
    case SEARCH_BY_EXPIRY: /* those that never end come last */
        found->number = record->expires == SEAL_NO_TIME ? INT64_MAX : record->expires;
        break;
    case SEARCH_BY_UPDATED:
        found->number = record->updated;
        break;
    case SEARCH_BY_CREATED:
        found->number = record->created;
        break;
    case SEARCH_BY_READ:
        found->number = found->hit.last_read;
        break;
    }
}

rf_str search_position_put(struct rf_arena *arena, const struct search_position *position)
{
    return rf_arena_printf(arena, "%lld/%.*s/%.*s", (long long)position->number,
                           RF_FMT(position->text), RF_FMT(position->key));
}

static rf_str position_of(struct rf_arena *arena, const struct found *found)
{
    const struct search_position position = {
        .number = found->number, .text = found->text, .key = found->hit.record->key};
    return search_position_put(arena, &position);
}

bool search_position_read(rf_str text, struct search_position *out)
{
    size_t first = rf_str_find(text, RF_S("/"), 0), slashes = 0;
    if (first == SIZE_MAX || first == 0 || first > 20) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ') return false;
        slashes += text.ptr[i] == '/';
    }
    if (slashes != POSITION_PARTS - 1) return false;
    bool is_negative = text.ptr[0] == '-';
    uint64_t number = 0;
    for (size_t i = is_negative; i < first; i++) {
        if (!rf_is_digit(text.ptr[i]) || number > (uint64_t)INT64_MAX / 10) return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (number > (uint64_t)INT64_MAX) return false;
    size_t second = rf_str_find(text, RF_S("/"), first + 1);
    *out = (struct search_position){.number = is_negative ? -(int64_t)number : (int64_t)number,
                                    .text = rf_slice(text, first + 1, second),
                                    .key = rf_slice(text, second + 1, text.len)};
    return true;
}

static bool read_position(rf_str text, struct found *out, struct search_record *record)
{
    struct search_position position;
    if (!search_position_read(text, &position)) return false;
    *record = (struct search_record){.key = position.key};
    *out =
        (struct found){.number = position.number, .text = position.text, .hit = {.record = record}};
    return true;
}

/* ---- one question ----------------------------------------------------------------------------------------------------------------------- */

struct page {
    struct search_run *run;
    const struct search_query *query;
    struct found *found;
    uint32_t found_count;
    enum sight *sights;
    rf_str *vaults; /* names in lower case, as run->places */
    struct json_node *value;
    uint32_t total;
    bool is_exact;
    rf_str next;
};

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_alloc(arena, text.len);
    for (size_t i = 0; out != NULL && i < text.len; i++) out[i] = rf_lower(text.ptr[i]);
    return out == NULL ? (rf_str){0} : rf_str_make(out, text.len);
}

static void consider(struct page *page, const struct search_record *record)
{
    const struct search_query *query = page->query;
    struct search_run *run = page->run;
    if (!fits(query, record)) return;
    struct search_hit hit = {.record = record, .place = place_of(run, record->guid)};
    if (hit.place == NULL) return;
    if (query->vault.len > 0 && !search_matches(query->vault, hit.place->name)) return;
    if (record->shown == NULL)
        hit.last_read = vault_activity_last(run->viewer.vaults->activity, record->key, record->kind,
                                            record->born);
    if (query->unused_since != 0 && RF_MAX(hit.last_read, record->born) >= query->unused_since)
        return;
    if (!fits_tags(run, query, &hit)) return;
    struct found *found = &page->found[page->found_count++];
    *found = (struct found){.hit = hit};
    place_in_order(query, found, page->vaults[hit.place - run->places]);
}

static bool put_tags(struct search_run *run, const struct search_hit *hit, struct json_node *out)
{
    struct rf_arena *arena = run->request->arena;
    rf_str tags = hit->record->tags, name, value;
    if (hit->record->tags_cut) {
        struct vault_call call;
        struct vault_item item;
        struct vault_version version;
        struct rf_err err;
        if (search_load(run, hit, &call, &item, &version, &err) != RF_OK || version.tags == NULL)
            return true;
        return json_set(arena, out, RF_S("tags"), json_clone(arena, version.tags)) != NULL;
    }
    if (tags.len == 0) return true;
    struct json_node *node = json_object_in(arena, out, "tags");
    while (search_tag_next(&tags, &name, &value)) {
        rf_str name_copy, value_copy;
        if (!rf_arena_str(arena, name, &name_copy) || !rf_arena_str(arena, value, &value_copy) ||
            json_set(arena, node, name_copy, json_new_text(arena, value_copy)) == NULL)
            return false;
    }
    return true;
}

static bool put_text(struct rf_arena *arena, struct json_node *out, const char *name, rf_str text)
{
    rf_str copy;
    return text.len == 0 ||
           (rf_arena_str(arena, text, &copy) && json_set_text(arena, out, name, copy) != NULL);
}

static bool put_time(struct rf_arena *arena, struct json_node *out, const char *name, int64_t time,
                     int64_t none)
{
    return time == none || json_set_i64(arena, out, name, time) != NULL;
}

static bool put_object(struct search_run *run, const struct search_hit *hit, struct json_node *out)
{
    struct rf_arena *arena = run->request->arena;
    const struct search_record *record = hit->record;
    const char *collection = vault_collection(record->kind);
    rf_str uri = vault_uri(run->viewer.vaults, hit->place->name, arena);
    rf_str id = rf_arena_printf(arena, "%.*s%s%s/%.*s", RF_FMT(uri),
                                record->deleted ? "deleted" : "", collection, RF_FMT(record->name));
    bool good =
        uri.ptr != NULL && id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL &&
        json_set_text(arena, out, "kind", rf_str_of(collection)) != NULL &&
        put_text(arena, out, "name", record->name) &&
        json_set_bool(arena, out, "enabled", record->has_version && record->enabled) != NULL &&
        put_text(arena, out, "contentType", record->content_type) && put_tags(run, hit, out) &&
        put_time(arena, out, "created", record->created, 0) &&
        put_time(arena, out, "updated", record->updated, 0) &&
        put_time(arena, out, "notBefore", record->not_before, SEAL_NO_TIME) &&
        put_time(arena, out, "expires", record->expires, SEAL_NO_TIME) &&
        put_time(arena, out, "lastRead", hit->last_read, 0);
    if (record->managed) good = json_set_bool(arena, out, "managed", true) != NULL && good;
    if (record->deleted)
        good = put_time(arena, out, "deletedDate", record->deleted_at, 0) &&
               put_time(arena, out, "scheduledPurgeDate", record->purge_at, 0) && good;
    return good;
}

static enum rf_kind show(struct page *page, const struct search_hit *hit, struct rf_err *err)
{
    struct search_run *run = page->run;
    struct rf_arena *arena = run->request->arena;
    const struct json_node *shown = hit->record->shown;
    struct json_node *out =
        shown != NULL ? json_clone(arena, shown) : json_new(arena, JSON_T_OBJECT);
    bool good = json_append(page->value, out) != NULL &&
                (shown != NULL || put_object(run, hit, out)) &&
                json_set_text(arena, out, "vaultName", hit->place->name) != NULL &&
                json_set_text(arena, out, "vault", hit->place->id) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    return run->show == NULL ? RF_OK : run->show(run, hit, out, err);
}

/* The matches in order: those behind the position, as many as go on a page, and how many there are in all. */
static enum rf_kind walk(struct page *page, const struct found *behind, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    const struct search_query *query = page->query;
    int (*compare)(const void *, const void *) =
        query->descending ? compare_reverse : compare_found;
    const struct found *last = NULL;
    rf_arena_init(&scratch, 1 << 20);
    for (uint32_t i = 0; i < page->found_count; i++) {
        const struct found *found = &page->found[i];
        if (!may_see(page->run, found->hit.record, found->hit.place, page->sights, &scratch))
            continue;
        if (page->run->wants != NULL) {
            rf_arena_reset(&scratch);
            if (!page->run->wants(page->run, &found->hit, &scratch)) continue;
        }
        bool is_behind = behind == NULL || compare(found, behind) > 0;
        if (is_behind && page->value->count < query->top) {
            RF_TRY(show(page, &found->hit, err));
            last = found;
        } else if (is_behind && page->next.len == 0 && last != NULL) {
            page->next = position_of(page->run->request->arena, last);
            if (page->next.ptr == NULL) return rf_fail_memory(err, page->run->request->arena);
        }
        if (page->total < SEARCH_TOTAL_MAX) {
            page->total++;
        } else {
            page->is_exact = false;
            if (page->next.len > 0) return RF_OK;
        }
    }
    return RF_OK;
}

static enum rf_kind prepare(struct page *page, const struct search_view *view, struct rf_err *err)
{
    struct search_run *run = page->run;
    struct rf_arena *arena = run->request->arena;
    page->sights = rf_arena_new(arena, enum sight, (size_t)run->place_count * 4 + 1);
    page->vaults = rf_arena_new(arena, rf_str, run->place_count + 1);
    page->value = json_new(arena, JSON_T_ARRAY);
    page->found =
        malloc(((size_t)view->count + page->query->more_count + 1) * sizeof(struct found));
    if (page->sights == NULL || page->vaults == NULL || page->value == NULL || page->found == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "%u objects", view->count);
    for (uint32_t i = 0; i < run->place_count; i++)
        page->vaults[i] = lower(arena, run->places[i].name);
    for (uint32_t i = 0; i < view->count; i++) consider(page, view->items[i]);
    for (uint32_t i = 0; i < page->query->more_count; i++) consider(page, &page->query->more[i]);
    qsort(page->found, page->found_count, sizeof *page->found,
          page->query->descending ? compare_reverse : compare_found);
    page->is_exact = !view->is_partial;
    return RF_OK;
}

static rf_str next_link(const struct request *request, rf_str next)
{
    struct rf_arena *arena = request->arena;
    struct rf_buf link = rf_buf_in(arena);
    rf_buf_str(&link, request->origin);
    rf_buf_str(&link, request->http->path);
    char sign = '?';
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        const struct route_variable *parameter = &request->parameters[i];
        if (rf_str_eq_nocase(parameter->name, RF_S("$skiptoken"))) continue;
        rf_str name = percent_encode(arena, parameter->name);
        rf_str value = percent_encode(arena, parameter->value);
        if (name.ptr == NULL || value.ptr == NULL) return (rf_str){0};
        rf_buf_printf(&link, "%c%.*s=%.*s", sign, RF_FMT(name), RF_FMT(value));
        sign = '&';
    }
    rf_str token = base64url_encode(arena, next);
    rf_buf_printf(&link, "%c%%24skiptoken=%.*s", sign, RF_FMT(token));
    return link.failed || token.ptr == NULL ? (rf_str){0} : rf_buf_view(&link);
}

static enum rf_kind answer(const struct page *page, struct rf_err *err)
{
    struct request *request = page->run->request;
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    bool good = json_set(arena, body, RF_S("value"), page->value) != NULL &&
                json_set_i64(arena, body, "count", page->total) != NULL &&
                json_set_bool(arena, body, "countIsExact", page->is_exact) != NULL;
    if (good && page->next.len > 0) {
        rf_str link = next_link(request, page->next);
        good = link.ptr != NULL && json_set_text(arena, body, "nextLink", link) != NULL;
    }
    return good ? request_answer(request, 200, body) : rf_fail_memory(err, arena);
}

enum rf_kind search_answer(struct search_run *run, const struct search_query *query,
                           struct rf_err *err)
{
    struct vaults *vaults = run->viewer.vaults;
    struct page page = {.run = run, .query = query};
    struct search_record behind_record;
    struct search_view view;
    struct found behind;
    if (query->position.len > 0 && !read_position(query->position, &behind, &behind_record))
        return RF_FAIL(err, RF_INVALID, "InvalidSkipToken",
                       "The $skiptoken query parameter is not one that was given out. Begin "
                       "without it.");
    if (vaults->search == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the index of the vaults");
    RF_TRY(vault_activity_load(vaults, err));
    RF_TRY(search_index_open(vaults->search, vaults->options.state, &view, err));
    enum rf_kind kind = prepare(&page, &view, err);
    if (kind == RF_OK) kind = walk(&page, query->position.len > 0 ? &behind : NULL, err);
    search_index_close(vaults->search);
    free(page.found);
    return kind == RF_OK ? answer(&page, err) : kind;
}

enum rf_kind search_load(struct search_run *run, const struct search_hit *hit,
                         struct vault_call *call, struct vault_item *item,
                         struct vault_version *version, struct rf_err *err)
{
    *call = (struct vault_call){.vaults = run->viewer.vaults,
                                .request = run->request,
                                .arena = run->request->arena,
                                .place = *hit->place,
                                .api = VAULT_API_2025,
                                .now = run->now};
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(run->viewer.vaults->options.state, &txn, err));
    RF_TRY(vault_item_get(call, txn, hit->record->kind, hit->record->name, item, err));
    if (item->latest.len == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "it has no version yet");
    return vault_version_get(call, txn, item, (rf_str){0}, version, err);
}
