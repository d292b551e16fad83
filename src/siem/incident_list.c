/* incident_list.c - the list of incidents: newest first unless $orderby says otherwise.
 *
 * Keys put the newest first, so a page of that order ends where it is full; an index gives those that are open or of one
 * status, and numbers and times of creation bound the keys. Any other order looks at all that pass, and keeps the first of them. */
#include "siem/incident_api_int.h"

#include "base/encode.h"
#include "siem/incident_filter.h"
#include "value/text.h"

enum { PAGE = 100, PAGE_MAX = 1000, CHUNK = 200, CHUNK_BYTES_MAX = 256 << 20 };
enum { STATUS_OPEN_MASK = 3 };

struct sorted {
    rf_str key, text; /* of the incident; what it is sorted by */
    double number;
    uint64_t etag;
    struct json_node *body;
};
struct lister {
    struct api_call *call;
    struct incident_filter *filter;
    struct incident_bounds bounds;
    struct state_scan scan;
    uint32_t top;
    struct json_node *list;
    /* Another order than by number. */
    rf_str order; /* path */
    bool descending;
    struct sorted *sorted; /* top + 1 places */
    uint32_t sorted_count;
    const struct sorted *after; /* the last of the page before */
    struct sorted last;
};
/* ---- what to look at ------------------------------------------------------------------------------------------------------ */

static enum rf_kind plan_scan(struct lister *l, struct rf_err *err)
{
    static const char *const words[8] = {[1] = "new", [2] = "active", [3] = "open", [4] = "closed"};
    struct api_call *call = l->call;
    const struct incident_bounds *b = &l->bounds;
    const char *word = words[b->statuses & 7];
    l->scan = (struct state_scan){.space = SPACE_INCIDENT, .limit = CHUNK};
    l->scan.prefix = incident_word(&call->place, RF_S(""), call->arena);
    if (word != NULL) {
        l->scan.index = "status";
        l->scan.value = incident_word(&call->place, rf_str_of(word), call->arena);
    }
    if (b->number_most < INCIDENT_NUMBER_MAX)
        l->scan.after = incident_number_key(&call->place, b->number_most + 1, call->arena);
    bool done = l->scan.prefix.ptr != NULL && (word == NULL || l->scan.value.ptr != NULL) &&
                (b->number_most >= INCIDENT_NUMBER_MAX || l->scan.after.ptr != NULL);
    return done ? RF_OK : rf_fail_memory(err, call->arena);
}

/* Everything behind it is older, too. */
static bool is_past_bounds(const struct lister *l, const struct json_node *body)
{
    int64_t number = INT64_MAX;
    rf_usec created = INT64_MAX;
    (void)json_i64_at(body, "properties.incidentNumber", &number);
    (void)time_parse_iso(json_text_at(body, "properties.createdTimeUtc"), &created);
    return number < l->bounds.number_least || created < l->bounds.created_least;
}

/* ---- newest first ------------------------------------------------------------------------------------------------------------ */

/* *full: a further one passes, so there is another page. */
static enum rf_kind take(struct lister *l, const struct state_object *object,
                         struct rf_arena *scratch, bool *full, bool *past, struct rf_err *err)
{
    struct incident incident;
    RF_TRY(incident_of(object, scratch, &incident, err));
    *past = is_past_bounds(l, incident.body);
    if (*past || !incident_filter_passes(l->filter, incident.body)) return RF_OK;
    *full = l->list->count == l->top;
    if (*full) return RF_OK;
    struct json_node *shown = incident_show(&incident, scratch);
    if (json_append(l->list, json_clone(l->call->arena, shown)) == NULL)
        return rf_fail_memory(err, l->call->arena);
    return RF_OK;
}

static enum rf_kind walk_newest(struct lister *l, rf_str *next, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena chunk;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&chunk, CHUNK_BYTES_MAX);
    rf_arena_init(&scratch, CHUNK_BYTES_MAX);
    bool full = false, past = false;
    rf_str last = {NULL, 0};
    l->scan.limit = RF_MIN((uint32_t)CHUNK, l->top + 1);
    for (;;) {
        struct state_list found;
        rf_arena_reset(&chunk);
        RF_TRY(state_list(l->call->txn, &l->scan, &chunk, &found, err));
        for (uint32_t i = 0; i < found.count && !full && !past; i++) {
            uint32_t before = l->list->count;
            rf_arena_reset(&scratch);
            RF_TRY(take(l, &found.items[i], &scratch, &full, &past, err));
            if (l->list->count == before) continue;
            if (!rf_arena_str(l->call->arena, found.items[i].key, &last))
                return rf_fail_memory(err, l->call->arena);
        }
        if (full || past || !found.more) break;
        if (!rf_arena_str(l->call->arena, found.items[found.count - 1].key, &l->scan.after))
            return rf_fail_memory(err, l->call->arena);
        l->scan.limit = CHUNK;
    }
    *next = full ? rf_slice(last, last.len - 10, last.len) : (rf_str){NULL, 0};
    return RF_OK;
}

/* ---- other orders --------------------------------------------------------------------------------------------------------------- */

static int rank_of(rf_str text)
{
    static const char *const severities[] = {"Informational", "Low", "Medium", "High"};
    for (int i = 0; i < (int)RF_COUNT(severities); i++)
        if (rf_str_is(text, severities[i])) return i;
    return -1;
}

static void sort_value(const struct lister *l, const struct json_node *body, struct sorted *out)
{
    bool known;
    const struct json_node *value = incident_path(body, l->order, &known);
    out->text = value == NULL ? (rf_str){NULL, 0} : value->text;
    out->number = 0;
    if (json_is(value, JSON_T_NUMBER)) (void)text_to_real(value->text, &out->number);
    if (rf_str_eq_nocase(l->order, RF_S("properties/severity"))) out->number = rank_of(out->text);
    if (json_is(value, JSON_T_NUMBER) || rf_str_eq_nocase(l->order, RF_S("properties/severity")))
        out->text = (rf_str){NULL, 0};
}

/* Before 0: a comes first. Of equals the newer one does. */
static int compare(const struct lister *l, const struct sorted *a, const struct sorted *b)
{
    int order =
        a->number != b->number ? (a->number < b->number ? -1 : 1) : rf_str_cmp(a->text, b->text);
    if (order == 0) return rf_str_cmp(a->key, b->key);
    return l->descending ? -order : order;
}

/* Keeps it when it is among the first top + 1. */
static bool insert(struct lister *l, const struct sorted *item)
{
    uint32_t low = 0, high = l->sorted_count;
    struct rf_arena *arena = l->call->arena;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(l, &l->sorted[middle], item) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == l->top + 1) return true;
    struct sorted kept = {.number = item->number, .etag = item->etag};
    kept.body = json_clone(arena, item->body);
    if (kept.body == NULL || !rf_arena_str(arena, item->key, &kept.key) ||
        !rf_arena_str(arena, item->text, &kept.text))
        return false;
    uint32_t end = RF_MIN(l->sorted_count, l->top);
    memmove(&l->sorted[low + 1], &l->sorted[low], (end - low) * sizeof *l->sorted);
    l->sorted[low] = kept;
    l->sorted_count = end + 1;
    return true;
}

static enum rf_kind consider(struct lister *l, const struct state_object *object,
                             struct rf_arena *scratch, bool *past, struct rf_err *err)
{
    struct incident incident;
    RF_TRY(incident_of(object, scratch, &incident, err));
    *past = is_past_bounds(l, incident.body);
    if (*past || !incident_filter_passes(l->filter, incident.body)) return RF_OK;
    struct sorted item = {.key = object->key, .etag = object->etag, .body = incident.body};
    sort_value(l, incident.body, &item);
    if (l->after != NULL && compare(l, l->after, &item) >= 0) return RF_OK;
    return insert(l, &item) ? RF_OK : rf_fail_memory(err, l->call->arena);
}

/* "number|key|text": where the next page begins. */
static rf_str token_of(const struct lister *l, const struct sorted *last)
{
    struct rf_buf buf = rf_buf_in(l->call->arena);
    rf_buf_printf(&buf, "%.17g|%.*s|", last->number,
                  RF_FMT(rf_slice(last->key, last->key.len - 10, last->key.len)));
    rf_buf_str(&buf, last->text);
    return buf.failed ? (rf_str){NULL, 0} : base64url_encode(l->call->arena, rf_buf_view(&buf));
}

static enum rf_kind walk_sorted(struct lister *l, rf_str *next, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena chunk;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    struct rf_arena *arena = l->call->arena;
    rf_arena_init(&chunk, CHUNK_BYTES_MAX);
    rf_arena_init(&scratch, CHUNK_BYTES_MAX);
    bool past = false;
    l->sorted = rf_arena_new(arena, struct sorted, l->top + 2);
    if (l->sorted == NULL) return rf_fail_memory(err, arena);
    for (bool more = true; more && !past;) {
        struct state_list found;
        rf_arena_reset(&chunk);
        RF_TRY(state_list(l->call->txn, &l->scan, &chunk, &found, err));
        for (uint32_t i = 0; i < found.count && !past; i++) {
            rf_arena_reset(&scratch);
            RF_TRY(consider(l, &found.items[i], &scratch, &past, err));
        }
        more = found.more;
        if (more && !rf_arena_str(arena, found.items[found.count - 1].key, &l->scan.after))
            return rf_fail_memory(err, arena);
    }
    uint32_t shown = RF_MIN(l->sorted_count, l->top);
    for (uint32_t i = 0; i < shown; i++) {
        struct incident incident = {.etag = l->sorted[i].etag, .body = l->sorted[i].body};
        if (json_append(l->list, incident_show(&incident, arena)) == NULL)
            return rf_fail_memory(err, arena);
    }
    if (l->sorted_count <= l->top) return RF_OK;
    *next = token_of(l, &l->sorted[shown - 1]);
    return next->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- parameters -------------------------------------------------------------------------------------------------------------------- */

/* True for an order that keys have already. */
static bool is_newest_first(const struct lister *l)
{
    return l->order.len == 0 ||
           (l->descending && (rf_str_eq_nocase(l->order, RF_S("properties/createdTimeUtc")) ||
                              rf_str_eq_nocase(l->order, RF_S("properties/incidentNumber"))));
}

static enum rf_kind read_order(struct lister *l, struct rf_err *err)
{
    rf_str text = rf_str_trim(request_parameter(l->call->request, "$orderby", NULL));
    size_t blank = rf_str_find(text, RF_S(" "), 0);
    bool known = true;
    if (text.len == 0) return RF_OK;
    rf_str word = blank == SIZE_MAX ? RF_S("asc") : rf_str_trim(rf_slice(text, blank, text.len));
    l->order = rf_slice(text, 0, RF_MIN(blank, text.len));
    l->descending = rf_str_eq_nocase(word, RF_S("desc"));
    (void)incident_path(NULL, l->order, &known);
    if (known && (l->descending || rf_str_eq_nocase(word, RF_S("asc")))) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidOrderBy",
                   "$orderby '%.*s' is not a property of incidents with asc or desc behind it.",
                   (int)RF_MIN(text.len, (size_t)200), (const char *)text.ptr);
}

static enum rf_kind bad_token(struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "InvalidSkipToken",
                   "The $skipToken is not one that was given out for this order.");
}

static bool is_key_end(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    return text.len == 10;
}

static rf_str key_of(const struct lister *l, rf_str end)
{
    return rf_arena_printf(l->call->arena, "%.*s%.*s", RF_FMT(l->scan.prefix), RF_FMT(end));
}

static enum rf_kind read_sorted_token(struct lister *l, rf_str token, struct rf_err *err)
{
    rf_str text;
    if (base64url_decode(l->call->arena, token, &text, NULL) != RF_OK) return bad_token(err);
    size_t bar = rf_str_find(text, RF_S("|"), 0);
    if (bar == SIZE_MAX || text.len < bar + 12 || text.ptr[bar + 11] != '|') return bad_token(err);
    rf_str end = rf_slice(text, bar + 1, bar + 11);
    if (!is_key_end(end) || !text_to_real(rf_slice(text, 0, bar), &l->last.number))
        return bad_token(err);
    l->last.text = rf_slice(text, bar + 12, text.len);
    l->last.key = key_of(l, end);
    l->after = &l->last;
    return l->last.key.ptr == NULL ? rf_fail_memory(err, l->call->arena) : RF_OK;
}

static enum rf_kind read_token(struct lister *l, struct rf_err *err)
{
    rf_str token = request_parameter(l->call->request, "$skipToken", NULL);
    if (token.len == 0) return RF_OK;
    if (!is_newest_first(l)) return read_sorted_token(l, token, err);
    if (!is_key_end(token)) return bad_token(err);
    rf_str after = key_of(l, token);
    if (after.ptr == NULL) return rf_fail_memory(err, l->call->arena);
    if (rf_str_cmp(after, l->scan.after) > 0) l->scan.after = after;
    return RF_OK;
}

enum rf_kind incident_api_list(struct api_call *call, struct rf_err *err)
{
    struct lister l = {.call = call, .list = json_new(call->arena, JSON_T_ARRAY)};
    rf_str filter = request_parameter(call->request, "$filter", NULL), next = {NULL, 0};
    if (l.list == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(incident_filter_parse(filter, call->arena, &l.filter, err));
    l.bounds = incident_filter_bounds(l.filter);
    RF_TRY(api_top(call->request, PAGE, PAGE_MAX, &l.top, err));
    RF_TRY(read_order(&l, err));
    RF_TRY(plan_scan(&l, err));
    RF_TRY(read_token(&l, err));
    if (l.bounds.statuses != 0 && is_newest_first(&l))
        RF_TRY(walk_newest(&l, &next, err));
    else if (l.bounds.statuses != 0)
        RF_TRY(walk_sorted(&l, &next, err));
    struct json_node *body = api_page(call->request, l.list, next);
    return body == NULL ? rf_fail_memory(err, call->arena) : api_answer(call, 200, body, err);
}
