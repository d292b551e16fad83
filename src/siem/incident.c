/* incident.c - incidents in state: keys, documents, indexes, and what every change goes through. */
#include "siem/incident_int.h"

#include "base/encode.h"
#include "siem/rule_int.h"

const char *const incident_statuses[] = {"New", "Active", "Closed", NULL};
const char *const incident_classifications[] = {"Undetermined", "TruePositive", "BenignPositive",
                                                "FalsePositive", NULL};
const char *const incident_reasons[] = {"SuspiciousActivity", "SuspiciousButExpected",
                                        "IncorrectAlertLogic", "InaccurateData", NULL};

/* ---- keys --------------------------------------------------------------------------------------------------------------- */

static void put_lower(struct rf_buf *buf, rf_str text)
{
    for (size_t i = 0; i < text.len; i++) rf_buf_byte(buf, rf_lower(text.ptr[i]));
}

static rf_str finish(const struct rf_buf *buf)
{
    return buf->failed ? (rf_str){NULL, 0} : rf_buf_view(buf);
}

rf_str incident_word(const struct incident_place *place, rf_str part, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_lower(&buf, place->workspace);
    rf_buf_byte(&buf, '|');
    put_lower(&buf, part);
    return finish(&buf);
}

rf_str incident_child_key(const struct incident_place *place, rf_str incident, rf_str name,
                          struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_lower(&buf, place->workspace);
    rf_buf_byte(&buf, '|');
    put_lower(&buf, incident);
    rf_buf_byte(&buf, '|');
    put_lower(&buf, name);
    return finish(&buf);
}

rf_str incident_number_key(const struct incident_place *place, int64_t number,
                           struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_lower(&buf, place->workspace);
    rf_buf_printf(&buf, "|%010lld", (long long)(INT64_C(9999999999) - number));
    return finish(&buf);
}

rf_str incident_scope(const struct incident_place *place, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%.*s" PROVIDER_PATH, RF_FMT(place->workspace));
}

rf_str incident_etag(struct rf_arena *arena, uint64_t etag)
{
    return rf_arena_printf(arena, "\"%016llx\"", (unsigned long long)etag);
}

/* ---- lists of texts -------------------------------------------------------------------------------------------------------- */

bool incident_has_text(const struct json_node *list, rf_str text)
{
    const struct json_node *item = json_is(list, JSON_T_ARRAY) ? list->first : NULL;
    for (; item != NULL; item = item->next)
        if (rf_str_eq_nocase(item->text, text)) return true;
    return false;
}

bool incident_add_text(struct json_node *list, rf_str text, struct rf_arena *arena)
{
    if (text.len == 0 || incident_has_text(list, text)) return true;
    rf_str kept;
    return rf_arena_str(arena, text, &kept) &&
           json_append(list, json_new_text(arena, kept)) != NULL;
}

static bool is_mark(uint8_t c) { return c == ',' || c == '[' || c == ']' || c == '"'; }

bool incident_add_words(struct json_node *list, rf_str text, struct rf_arena *arena)
{
    if (list == NULL) return false;
    for (size_t from = 0; from < text.len;) {
        size_t to = from;
        while (to < text.len && !is_mark(text.ptr[to])) to++;
        if (!incident_add_text(list, rf_str_trim(rf_slice(text, from, to)), arena)) return false;
        from = to + 1;
    }
    return true;
}

bool incident_drop_text(struct json_node *list, rf_str text)
{
    struct json_node *before = NULL;
    for (struct json_node *item = list->first; item != NULL; before = item, item = item->next) {
        if (!rf_str_eq_nocase(item->text, text)) continue;
        *(before == NULL ? &list->first : &before->next) = item->next;
        if (list->last == item) list->last = before;
        list->count--;
        return true;
    }
    return false;
}

struct json_node *incident_list_in(struct json_node *object, const char *name,
                                   struct rf_arena *arena)
{
    struct json_node *list = json_get(object, name);
    if (json_is(list, JSON_T_ARRAY)) return list;
    return json_set(arena, object, rf_str_of(name), json_new(arena, JSON_T_ARRAY));
}

struct json_node *incident_private(struct incident *incident, struct rf_arena *arena)
{
    return json_object_in(arena, incident->body, "_");
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------- */

enum rf_kind incident_of(const struct state_object *object, struct rf_arena *arena,
                         struct incident *out, struct rf_err *err)
{
    *out = (struct incident){.key = object->key, .etag = object->etag};
    return json_parse(object->body, arena, &out->body, err);
}

enum rf_kind incident_find(struct state_txn *txn, const struct incident_place *place, rf_str name,
                           struct rf_arena *arena, struct incident *out, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = SPACE_INCIDENT,
                              .index = "name",
                              .value = incident_word(place, name, arena),
                              .limit = 1};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    if (list.count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "IncidentNotFound", "The incident '%.*s' was not found.",
                       (int)RF_MIN(name.len, 100), (const char *)name.ptr);
    return incident_of(&list.items[0], arena, out, err);
}

struct json_node *incident_show(const struct incident *incident, struct rf_arena *arena)
{
    json_remove(incident->body, RF_S("_"));
    if (json_set_text(arena, incident->body, "etag", incident_etag(arena, incident->etag)) == NULL)
        return NULL;
    return incident->body;
}

/* ---- a new one ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind next_number(struct state_txn *txn, const struct incident_place *place,
                                rf_usec now, struct rf_arena *arena, int64_t *number,
                                rf_usec *created, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body = NULL;
    struct rf_buf key = rf_buf_in(arena);
    rf_buf_str(&key, RF_S("incident|"));
    put_lower(&key, place->workspace);
    if (key.failed) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, SPACE_COUNTER, rf_buf_view(&key), arena, &object, err);
    if (kind == RF_OK) RF_TRY(json_parse(object.body, arena, &body, err));
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *number = *created = 0;
    if (body != NULL &&
        (!json_i64_at(body, "number", number) || !json_i64_at(body, "created", created)))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the counter of incidents is damaged");
    if (*number >= INCIDENT_NUMBER_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyIncidents", "the workspace has no number left");
    *number += 1;
    *created = RF_MAX(now, *created);
    rf_str text = rf_arena_printf(arena, "{\"number\":%lld,\"created\":%lld}", (long long)*number,
                                  (long long)*created);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = SPACE_COUNTER, .key = rf_buf_view(&key), .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

static struct json_node *nobody(struct rf_arena *arena)
{
    static const char *const members[] = {"objectId", "email", "assignedTo", "userPrincipalName"};
    struct json_node *owner = json_new(arena, JSON_T_OBJECT);
    for (size_t i = 0; i < RF_COUNT(members); i++)
        if (json_set(arena, owner, rf_str_of(members[i]), json_new(arena, JSON_T_NULL)) == NULL)
            return NULL;
    return owner;
}

static bool put_counts(struct json_node *p, struct rf_arena *arena)
{
    struct json_node *more = json_object_in(arena, p, "additionalData");
    json_set_i64(arena, more, "alertsCount", 0);
    json_set_i64(arena, more, "bookmarksCount", 0);
    json_set_i64(arena, more, "commentsCount", 0);
    return incident_list_in(more, "alertProductNames", arena) != NULL &&
           incident_list_in(more, "tactics", arena) != NULL &&
           incident_list_in(more, "techniques", arena) != NULL;
}

static bool put_first(struct json_node *p, const struct incident_place *place, int64_t number,
                      rf_usec created, struct rf_arena *arena)
{
    rf_str time = time_iso(arena, created);
    rf_str text = rf_arena_printf(arena, "%lld", (long long)number);
    rf_str url = rf_arena_printf(arena, "%.*s/portal/#/incidents/%lld", RF_FMT(place->origin),
                                 (long long)number);
    json_set_text(arena, p, "status", RF_S("New"));
    json_set(arena, p, RF_S("owner"), nobody(arena));
    return time.ptr != NULL && text.ptr != NULL && url.ptr != NULL &&
           incident_list_in(p, "labels", arena) != NULL &&
           json_set_text(arena, p, "lastModifiedTimeUtc", time) != NULL &&
           json_set_text(arena, p, "createdTimeUtc", time) != NULL &&
           json_set_i64(arena, p, "incidentNumber", number) != NULL && put_counts(p, arena) &&
           incident_list_in(p, "relatedAnalyticRuleIds", arena) != NULL &&
           json_set_text(arena, p, "incidentUrl", url) != NULL &&
           json_set_text(arena, p, "providerName", RF_S("Azure Sentinel")) != NULL &&
           json_set_text(arena, p, "providerIncidentId", text) != NULL;
}

enum rf_kind incident_new(struct state_txn *txn, const struct incident_place *place, rf_str name,
                          rf_usec now, struct rf_arena *arena, struct incident *out,
                          struct rf_err *err)
{
    int64_t number;
    rf_usec created;
    RF_TRY(next_number(txn, place, now, arena, &number, &created, err));
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str scope = incident_scope(place, arena);
    rf_str id = rf_arena_printf(arena, "%.*s/incidents/%.*s", RF_FMT(scope), RF_FMT(name));
    *out = (struct incident){.key = incident_number_key(place, number, arena), .body = body};
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", name);
    json_set_text(arena, body, "type", RF_S("Microsoft.SecurityInsights/incidents"));
    struct json_node *p = json_object_in(arena, body, "properties");
    struct json_node *own = incident_private(out, arena);
    bool done = p != NULL && own != NULL && scope.ptr != NULL && id.ptr != NULL &&
                out->key.ptr != NULL && put_first(p, place, number, created, arena) &&
                incident_list_in(own, "alerts", arena) != NULL &&
                incident_list_in(own, "bookmarks", arena) != NULL;
    return done ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- a change ------------------------------------------------------------------------------------------------------------------- */

/* Times of change are told apart to the microsecond, whatever the clock says: rows are known by them. */
static bool stamp(struct incident *incident, const struct json_node *before, rf_usec now,
                  struct rf_arena *arena)
{
    struct json_node *p = json_get(incident->body, "properties");
    struct json_node *own = incident_private(incident, arena);
    rf_usec last = 0, created = 0;
    (void)time_parse_iso(json_text_at(before, "properties.lastModifiedTimeUtc"), &last);
    (void)time_parse_iso(json_text_at(p, "createdTimeUtc"), &created);
    rf_usec time = before == NULL ? RF_MAX(now, created) : RF_MAX(now, last + 1);
    rf_str text = time_iso(arena, time);
    if (text.ptr == NULL || json_set_text(arena, p, "lastModifiedTimeUtc", text) == NULL)
        return false;
    if (before != NULL && json_text_at(own, "firstModified").len == 0 &&
        json_set_text(arena, own, "firstModified", text) == NULL)
        return false;
    if (!rf_str_is(json_text_at(p, "status"), "Closed")) {
        json_remove(own, RF_S("closed"));
        return true;
    }
    if (json_text_at(own, "closed").len > 0) return true;
    return json_set_text(arena, own, "closed", text) != NULL;
}

static bool count(struct incident *incident, struct rf_arena *arena)
{
    struct json_node *more = json_at(incident->body, "properties.additionalData");
    const struct json_node *alerts = json_at(incident->body, "_.alerts");
    const struct json_node *bookmarks = json_at(incident->body, "_.bookmarks");
    json_set_i64(arena, more, "alertsCount", alerts == NULL ? 0 : alerts->count);
    return json_set_i64(arena, more, "bookmarksCount", bookmarks == NULL ? 0 : bookmarks->count) !=
           NULL;
}

static enum rf_kind store(struct state_txn *txn, const struct incident_place *place,
                          struct incident *incident, struct rf_arena *arena, struct rf_err *err)
{
    const struct json_node *body = incident->body;
    rf_str status = json_text_at(body, "properties.status");
    rf_str rule = json_text_at(body, "_.rule"), group = json_text_at(body, "_.group");
    struct state_index indexes[6];
    uint32_t n = 0;
    indexes[n++] =
        (struct state_index){"name", incident_word(place, json_text_at(body, "name"), arena)};
    indexes[n++] = (struct state_index){"status", incident_word(place, status, arena)};
    if (!rf_str_is(status, "Closed"))
        indexes[n++] = (struct state_index){"status", incident_word(place, RF_S("open"), arena)};
    if (rule.len > 0)
        indexes[n++] = (struct state_index){"rule", incident_word(place, rule, arena)};
    if (group.len > 0)
        indexes[n++] = (struct state_index){"group", incident_word(place, group, arena)};
    rf_str text = json_to_text(arena, body);
    for (uint32_t i = 0; i < n; i++)
        if (indexes[i].value.ptr == NULL) return rf_fail_memory(err, arena);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = SPACE_INCIDENT,
                            .key = incident->key,
                            .body = text,
                            .indexes = indexes,
                            .index_count = n};
    return state_put(txn, &put, &incident->etag, NULL, err);
}

enum rf_kind incident_save(struct state_txn *txn, const struct incident_place *place,
                           struct incident *incident, const struct json_node *before,
                           const struct incident_by *by, rf_usec now, struct rf_arena *arena,
                           struct rf_err *err)
{
    if (incident_private(incident, arena) == NULL || !stamp(incident, before, now, arena) ||
        !count(incident, arena))
        return rf_fail_memory(err, arena);
    RF_TRY(store(txn, place, incident, arena, err));
    RF_TRY(incident_write_row(txn, place, incident->body, by, arena, err));
    const struct incident_hook *hook = place->hook;
    if (hook == NULL || hook->changed == NULL) return RF_OK;
    return hook->changed(hook->ctx, txn, place, before, incident->body, by, now, arena, err);
}
