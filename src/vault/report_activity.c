/* report_activity.c - who used an object last, and how often within 1, 7 and 30 days; objects that nobody has used for long. Days are those of UTC. */
#include "vault/search_int.h"

enum { DAY = 86400, SPANS = 3, DAYS_MAX = 3650, DAYS_DEFAULT = 90 };
static const int spans[SPANS] = {1, 7, 30};
static const char *const span_names[SPANS] = {"1", "7", "30"};

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t number = 0;
    return json_i64_at(node, name, &number) ? number : 0;
}

static void add_days(const struct json_node *user, int64_t today, int64_t sums[SPANS])
{
    const struct json_node *days = json_get(user, "days");
    for (const struct json_node *d = days == NULL ? NULL : days->first; d != NULL; d = d->next) {
        int64_t day = 0, count = 0;
        for (size_t i = 0; i < RF_MIN(d->name.len, (size_t)8); i++)
            day = day * 10 + (d->name.ptr[i] - '0');
        for (size_t i = 0; i < d->text.len && i < 18; i++)
            count = count * 10 + (d->text.ptr[i] - '0');
        for (int s = 0; s < SPANS; s++)
            if (day > today - spans[s]) sums[s] += count;
    }
}

static bool put_sums(struct rf_arena *arena, struct json_node *out, const int64_t sums[SPANS])
{
    struct json_node *node = json_object_in(arena, out, "counts");
    for (int s = 0; s < SPANS; s++)
        if (json_set_i64(arena, node, span_names[s], sums[s]) == NULL) return false;
    return true;
}

static bool put_user(struct rf_arena *arena, struct json_node *list, const struct json_node *user,
                     int64_t today, int64_t totals[SPANS])
{
    int64_t sums[SPANS] = {0};
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    add_days(user, today, sums);
    for (int s = 0; s < SPANS; s++) totals[s] += sums[s];
    return json_append(list, out) != NULL &&
           json_set_text(arena, out, "id", json_text_at(user, "id")) != NULL &&
           json_set_text(arena, out, "name", json_text_at(user, "name")) != NULL &&
           json_set_i64(arena, out, "last", number_at(user, "last")) != NULL &&
           json_set_text(arena, out, "operation", json_text_at(user, "operation")) != NULL &&
           put_sums(arena, out, sums);
}

static enum rf_kind show(struct vault_call *call, const struct vault_item *item,
                         const struct json_node *doc, int64_t since, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *list = json_get(doc, "by"), *latest = NULL;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *by = json_new(arena, JSON_T_ARRAY);
    int64_t totals[SPANS] = {0};
    rf_str id = vault_object_id(call, vault_collection(item->kind), item->name, (rf_str){0});
    bool good = id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL;
    for (const struct json_node *u = list->first; u != NULL; u = u->next)
        if (latest == NULL || number_at(u, "last") > number_at(latest, "last")) latest = u;
    good = json_set(arena, out, RF_S("lastRead"),
                    latest == NULL ? json_new(arena, JSON_T_NULL)
                                   : json_new_i64(arena, number_at(latest, "last"))) != NULL &&
           good;
    if (latest != NULL) {
        struct json_node *who = json_object_in(arena, out, "lastReadBy");
        good = json_set_text(arena, who, "id", json_text_at(latest, "id")) != NULL &&
               json_set_text(arena, who, "name", json_text_at(latest, "name")) != NULL && good;
    }
    for (const struct json_node *u = list->first; u != NULL && good; u = u->next)
        good = put_user(arena, by, u, call->now / DAY, totals);
    good = good && put_sums(arena, out, totals) &&
           json_set(arena, out, RF_S("principals"), by) != NULL &&
           (since == 0 || json_set_i64(arena, out, "countedSince", since) != NULL);
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

static enum rf_kind run(struct vault_call *call, enum seal_kind kind, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct vault_item item;
    struct json_node *doc;
    int64_t since;
    RF_TRY(vault_item_need(call, NULL, kind, call->name, &item, err));
    rf_str key = rf_arena_printf(arena, "%.*s/%s/%.*s", RF_FMT(call->place.guid),
                                 vault_collection(kind), RF_FMT(item.name));
    uint8_t *low = key.ptr == NULL ? NULL : rf_arena_alloc(arena, key.len);
    if (low == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < key.len; i++) low[i] = rf_lower(key.ptr[i]);
    key = rf_str_make(low, key.len);
    RF_TRY(vault_activity_get(call->vaults, key, item.created, arena, &doc, err));
    RF_TRY(vault_activity_since(call->vaults, arena, &since, err));
    return show(call, &item, doc, since, err);
}

enum rf_kind vault_secret_activity(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_SECRET, err);
}
enum rf_kind vault_key_activity(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_KEY, err);
}
enum rf_kind vault_cert_activity(struct vault_call *call, struct rf_err *err)
{
    return run(call, SEAL_CERTIFICATE, err);
}

/* ---- what nobody uses ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind add_age(struct search_run *run, const struct search_hit *hit,
                            struct json_node *out, struct rf_err *err)
{
    struct rf_arena *arena = run->request->arena;
    int64_t from = RF_MAX(hit->last_read, hit->record->born);
    bool good =
        json_set_bool(arena, out, "neverRead", hit->last_read == 0) != NULL &&
        json_set_i64(arena, out, "unusedDays", RF_MAX(run->now - from, INT64_C(0)) / DAY) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind vault_run_unused(struct request *request, struct rf_err *err)
{
    struct search_run run;
    struct search_query query = {
        .enabled = -1, .without_managed = true, .order = SEARCH_BY_READ, .top = SEARCH_TOP_DEFAULT};
    int64_t days;
    RF_TRY(search_days(request, "days", DAYS_DEFAULT, DAYS_MAX, &days, err));
    RF_TRY(search_window(request, &query, err));
    RF_TRY(search_begin(request, &run, err));
    query.unused_since = run.now - days * DAY + 1;
    run.show = add_age;
    return search_answer(&run, &query, err);
}
