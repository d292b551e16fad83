#include "people/habit.h"

#include "people/agent.h"

static const char space[] = "habit";
#define DAYS(n) ((rf_usec)(n)*86400 * RF_USEC_PER_SECOND)
/* A jet makes 900 km in an hour; near places are no travel, as their points are rough. */
enum { KM_PER_HOUR_MAX = 1000, KM_MIN = 300 };

static enum rf_kind load(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                         struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    *out = NULL;
    enum rf_kind kind = state_get(txn, space, user, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return json_parse(object.body, arena, out, err);
}

static int64_t number_at(const struct json_node *doc, const char *name)
{
    int64_t number = 0;
    (void)json_i64_at(doc, name, &number);
    return number;
}

static rf_str device_of(rf_str agent, struct rf_arena *arena)
{
    const char *system, *browser;
    agent_read(agent, &system, &browser);
    return rf_arena_printf(arena, "%s/%s", browser, system);
}

static void find_unfamiliar(const struct json_node *doc, const struct habit_look *look,
                            rf_str network, rf_str device, struct rf_arena *arena,
                            struct habit_finding *out)
{
    const struct json_node *seen = json_get(doc, "seen");
    out->new_network = out->new_device = true;
    for (const struct json_node *row = seen == NULL ? NULL : seen->first; row != NULL;
         row = row->next) {
        if (look->now - number_at(row, "last") > DAYS(HABIT_DAYS)) continue;
        out->compared += (uint32_t)number_at(row, "count");
        rf_str known = place_network(arena, json_text_at(row, "address"));
        if (rf_str_eq(known, network)) out->new_network = false;
        if (rf_str_eq(json_text_at(row, "device"), device)) out->new_device = false;
    }
    if (out->compared < HABIT_SIGN_INS_MIN || !out->new_network) return;
    out->unfamiliar = out->new_device ? RISK_MEDIUM : RISK_LOW;
}

static void find_travel(const struct json_node *doc, const struct habit_look *look,
                        struct habit_finding *out)
{
    const struct json_node *last = json_get(doc, "last");
    int64_t latitude, longitude;
    struct place before = {.has_point = json_i64_at(last, "latitude", &latitude) &&
                                        json_i64_at(last, "longitude", &longitude)};
    if (last == NULL) return;
    out->before_address = json_text_at(last, "address");
    out->before_place = json_text_at(last, "place");
    out->before_time = number_at(last, "time");
    out->place_known = before.has_point && look->place.has_point;
    if (!out->place_known) return;
    before.latitude = (int32_t)latitude;
    before.longitude = (int32_t)longitude;
    rf_usec took = look->now - out->before_time;
    out->km = place_km(&before, &look->place);
    out->hours = (double)(took > 0 ? took : 0) / (3600.0 * (double)RF_USEC_PER_SECOND);
    if (out->km < KM_MIN || out->km <= out->hours * KM_PER_HOUR_MAX) return;
    out->travel = out->new_device ? RISK_HIGH : RISK_MEDIUM;
}

enum rf_kind habit_find(struct state_txn *txn, const struct habit_look *look,
                        struct rf_arena *arena, struct habit_finding *out, struct rf_err *err)
{
    struct habit_finding finding = {.compared = 0};
    struct json_node *doc;
    RF_TRY(load(txn, look->user, arena, &doc, err));
    rf_str network = place_network(arena, look->address), device = device_of(look->agent, arena);
    if (device.ptr == NULL) return rf_fail_memory(err, arena);
    find_unfamiliar(doc, look, network, device, arena, &finding);
    find_travel(doc, look, &finding);
    *out = finding;
    return RF_OK;
}

/* ---- learning ---------------------------------------------------------------------------------------------------------- */

/* The rows that stay, newest first as they are: those of the last days, without the one that is put in front anew. */
static struct json_node *keep_rows(const struct json_node *doc, const struct habit_look *look,
                                   rf_str device, int64_t *count, struct rf_arena *arena)
{
    struct json_node *kept = json_new(arena, JSON_T_ARRAY);
    const struct json_node *seen = json_get(doc, "seen");
    for (const struct json_node *row = seen == NULL ? NULL : seen->first;
         row != NULL && kept != NULL && kept->count < HABIT_ROWS - 1; row = row->next) {
        if (look->now - number_at(row, "last") > DAYS(HABIT_DAYS)) continue;
        if (rf_str_eq(json_text_at(row, "address"), look->address) &&
            rf_str_eq(json_text_at(row, "device"), device)) {
            *count = number_at(row, "count");
            continue;
        }
        if (json_append(kept, json_clone(arena, row)) == NULL) return NULL;
    }
    return kept;
}

static struct json_node *last_json(const struct habit_look *look, struct rf_arena *arena)
{
    struct json_node *last = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, last, "address", look->address);
    json_set_text(arena, last, "place", look->place.name);
    if (look->place.has_point) {
        json_set_i64(arena, last, "latitude", look->place.latitude);
        json_set_i64(arena, last, "longitude", look->place.longitude);
    }
    return json_set_i64(arena, last, "time", look->now) == NULL ? NULL : last;
}

enum rf_kind habit_learn(struct state_txn *txn, const struct habit_look *look,
                         struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc, *seen = json_new(arena, JSON_T_ARRAY),
                           *row = json_new(arena, JSON_T_OBJECT);
    int64_t count = 0;
    RF_TRY(load(txn, look->user, arena, &doc, err));
    rf_str device = device_of(look->agent, arena);
    if (device.ptr == NULL) return rf_fail_memory(err, arena);
    const struct json_node *kept = keep_rows(doc, look, device, &count, arena);
    json_set_text(arena, row, "address", look->address);
    json_set_text(arena, row, "device", device);
    json_set_i64(arena, row, "last", look->now);
    if (kept == NULL || json_set_i64(arena, row, "count", count + 1) == NULL)
        return rf_fail_memory(err, arena);
    json_append(seen, row);
    for (const struct json_node *k = kept->first; k != NULL; k = k->next)
        if (json_append(seen, json_clone(arena, k)) == NULL) return rf_fail_memory(err, arena);
    doc = json_new(arena, JSON_T_OBJECT);
    json_set(arena, doc, RF_S("seen"), seen);
    if (json_set(arena, doc, RF_S("last"), last_json(look, arena)) == NULL)
        return rf_fail_memory(err, arena);
    const struct state_put put = {
        .space = space, .key = look->user, .body = json_to_text(arena, doc)};
    return put.body.ptr == NULL ? rf_fail_memory(err, arena)
                                : state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind habit_forget(struct state_txn *txn, rf_str user, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space, user, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}
