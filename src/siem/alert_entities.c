/* alert_entities.c - the entities of an alert: those that the mappings find in its rows, each once.
 *
 * Entities that others refer to come first in a row: an account that only its host can tell apart refers to the host of
 * the same row, a value of the registry to its key. */
#include "siem/alert_int.h"
#include "siem/entity_int.h"

enum { SLOTS = 2048 }; /* a power of two, well above ALERT_ENTITIES_MAX */
_Static_assert(SLOTS >= 2 * ALERT_ENTITIES_MAX, "the table of keys must have free slots");

struct collector {
    const struct alert_maker *maker;
    struct rf_arena row; /* of one row */
    struct alert_entity *items;
    uint32_t count;
    size_t bytes; /* of their JSON */
    bool full, failed;
    uint32_t *taken, quota; /* by mapping */
    uint32_t mapping_count;
    uint16_t slots[SLOTS]; /* index + 1 */
    /* Of the present row: what others may refer to, as index + 1; more than one host is none. */
    uint32_t host, key;
    bool many_hosts;
};

/* ---- one entity ----------------------------------------------------------------------------------------------------- */

/* The index of the entity with this key, or UINT32_MAX and its slot. */
static uint32_t look_up(const struct collector *c, rf_str key, uint32_t *slot)
{
    uint32_t at = (uint32_t)rf_hash(key.ptr, key.len, 0) & (SLOTS - 1);
    for (; c->slots[at] != 0; at = (at + 1) & (SLOTS - 1))
        if (rf_str_eq(c->items[c->slots[at] - 1].key, key)) return c->slots[at] - 1u;
    *slot = at;
    return UINT32_MAX;
}

/* "$id" comes first, "Type" last, as readers of such rows are used to. */
static struct json_node *finish(struct collector *c, const struct entity_type *type,
                                const struct json_node *entity, uint32_t host, uint32_t key)
{
    struct rf_arena *arena = c->maker->arena;
    struct json_node *made = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, made, "$id", rf_arena_printf(arena, "%u", c->count + 1));
    for (const struct json_node *m = entity->first; made != NULL && m != NULL; m = m->next)
        if (json_set(arena, made, m->name, json_clone(arena, m)) == NULL) return NULL;
    if (host > 0)
        json_set_text(arena, json_object_in(arena, made, "Host"), "$ref",
                      rf_arena_printf(arena, "%u", host));
    if (key > 0)
        json_set_text(arena, json_object_in(arena, made, "Key"), "$ref",
                      rf_arena_printf(arena, "%u", key));
    return json_set_text(arena, made, "Type", rf_str_of(type->type)) == NULL ? NULL : made;
}

/* The key of what an entity refers to by its index + 1; empty for 0. */
static rf_str key_at(const struct collector *c, uint32_t number)
{
    if (number == 0) return (rf_str){NULL, 0};
    return c->items[number - 1].key;
}

/* Takes the entity unless it is there already or passes a limit. Gives its index + 1, 0: it was left out. */
static uint32_t take(struct collector *c, const struct entity_type *type,
                     const struct json_node *entity, uint32_t mapping, uint32_t host, uint32_t key)
{
    const struct entity_refs refs = {.host = key_at(c, host), .key = key_at(c, key)};
    rf_str text = entity_key_of(type, entity, &refs, &c->row);
    uint32_t slot = 0;
    c->failed = c->failed || text.ptr == NULL;
    if (c->failed) return 0;
    uint32_t there = look_up(c, text, &slot);
    if (there != UINT32_MAX) return there + 1;
    if (c->taken[mapping] == c->quota || c->count == ALERT_ENTITIES_MAX) return 0;
    struct json_node *body = finish(c, type, entity, host, key);
    rf_str json = {NULL, 0};
    if (body != NULL) json = json_to_text(&c->row, body);
    struct alert_entity made = {.type = rf_str_of(type->type), .body = body};
    c->failed = json.ptr == NULL || !rf_arena_str(c->maker->arena, text, &made.key);
    if (c->failed) return 0;
    if (c->bytes + json.len + 1 > ALERT_ENTITIES_BYTES_MAX) {
        c->full = true;
        return 0;
    }
    c->bytes += json.len + 1;
    c->taken[mapping]++;
    c->items[c->count++] = made;
    c->slots[slot] = (uint16_t)c->count;
    return c->count;
}

/* ---- what refers to what ------------------------------------------------------------------------------------------------- */

static bool is_local_domain(rf_str domain, const struct json_node *host)
{
    return domain.len == 0 || rf_str_eq_nocase(domain, json_text_at(host, "HostName")) ||
           rf_str_eq_nocase(domain, json_text_at(host, "NetBiosName")) ||
           rf_str_eq_nocase(domain, RF_S("NT AUTHORITY")) ||
           rf_str_eq_nocase(domain, RF_S("NT SERVICE")) ||
           rf_str_eq_nocase(domain, RF_S("BUILTIN"));
}

/* Accounts that exist on every machine, and those of one machine only. Domains have S-1-5-21. */
static bool is_local_account(const struct json_node *account, const struct json_node *host)
{
    static const char *const global[] = {"UPNSuffix", "AadUserId", "DnsDomain", "PUID",
                                         "ObjectGuid"};
    rf_str sid = json_text_at(account, "Sid");
    for (size_t i = 0; i < RF_COUNT(global); i++)
        if (json_get(account, global[i]) != NULL) return false;
    if (sid.len > 0 && rf_str_starts(sid, RF_S("S-1-5-21-"))) return false;
    return is_local_domain(json_text_at(account, "NTDomain"), host);
}

static bool is_type(const struct entity_type *type, const char *mapping)
{
    return strcmp(type->mapping, mapping) == 0;
}

static uint32_t host_for(const struct collector *c, const struct entity_type *type,
                         const struct json_node *entity)
{
    if (c->host == 0 || c->many_hosts) return 0;
    if (is_type(type, "Account"))
        return is_local_account(entity, c->items[c->host - 1].body) ? c->host : 0;
    return is_type(type, "Process") || is_type(type, "File") ? c->host : 0;
}

/* Whether others may refer to entities of this type. */
static bool is_first(const struct entity_type *type)
{
    return is_type(type, "Host") || is_type(type, "RegistryKey");
}

static void add(struct collector *c, const struct entity_type *type, struct json_node *entity,
                uint32_t mapping)
{
    if (entity->count == 0 || entity_is_generic(type, entity)) return;
    uint32_t host = host_for(c, type, entity);
    uint32_t key = is_type(type, "RegistryValue") ? c->key : 0;
    uint32_t number = take(c, type, entity, mapping, host, key);
    if (number == 0) return;
    if (is_type(type, "Host")) {
        c->many_hosts = c->many_hosts || (c->host != 0 && c->host != number);
        c->host = number;
    }
    if (is_type(type, "RegistryKey")) c->key = number;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

static void add_mapped(struct collector *c, uint32_t mapping, uint64_t row, bool first)
{
    const struct rule_entity *mapped = &c->maker->rule->entities[mapping];
    const struct entity_type *type = entity_type_of_mapping(mapped->type);
    if (type == NULL || is_first(type) != first) return;
    struct json_node *entity = json_new(&c->row, JSON_T_OBJECT);
    c->failed = c->failed || entity == NULL;
    for (uint32_t f = 0; f < mapped->field_count && !c->failed; f++) {
        rf_str text = alert_cell(c->maker, mapped->fields[f].column, row, &c->row, &c->failed);
        if (!c->failed)
            c->failed = !entity_set(type, entity, mapped->fields[f].identifier, text, &c->row);
    }
    if (!c->failed) add(c, type, entity, mapping);
}

/* One object {"Type":"ip","Address":...} of a column that holds such. */
static void add_given(struct collector *c, const struct json_node *given, uint32_t mapping)
{
    const struct entity_type *type = entity_type_of_alert(json_text_at(given, "Type"));
    if (type == NULL) type = entity_type_of_mapping(json_text_at(given, "Type"));
    if (type == NULL) return;
    struct json_node *entity = json_new(&c->row, JSON_T_OBJECT);
    c->failed = c->failed || entity == NULL;
    for (const struct entity_field *f = type->fields; f->name != NULL && !c->failed; f++) {
        const struct json_node *member = json_get(given, f->name);
        if (member == NULL || member->type == JSON_T_NULL || member->type == JSON_T_OBJECT)
            continue;
        c->failed =
            json_set(&c->row, entity, rf_str_of(f->name), json_clone(&c->row, member)) == NULL;
    }
    if (!c->failed) add(c, type, entity, mapping);
}

static void add_column(struct collector *c, rf_str column, uint64_t row, uint32_t mapping)
{
    rf_str text = alert_cell(c->maker, column, row, &c->row, &c->failed);
    struct json_node *given;
    if (c->failed || text.len == 0 || json_parse(text, &c->row, &given, NULL) != RF_OK) return;
    if (given->type == JSON_T_OBJECT) add_given(c, given, mapping);
    if (given->type != JSON_T_ARRAY) return;
    for (const struct json_node *item = given->first; item != NULL && !c->failed; item = item->next)
        add_given(c, item, mapping);
}

static void add_row(struct collector *c, uint64_t row)
{
    const struct rule *rule = c->maker->rule;
    rf_arena_reset(&c->row);
    c->host = c->key = 0;
    c->many_hosts = false;
    for (uint32_t m = 0; m < rule->entity_count; m++) add_mapped(c, m, row, true);
    for (uint32_t m = 0; m < rule->entity_count; m++) add_mapped(c, m, row, false);
    for (uint32_t m = 0; m < rule->sentinel_entity_count; m++)
        add_column(c, rule->sentinel_entity_columns[m], row, rule->entity_count + m);
}

static bool is_full(const struct collector *c)
{
    if (c->full || c->failed) return true;
    for (uint32_t m = 0; m < c->mapping_count; m++)
        if (c->taken[m] < c->quota) return false;
    return true;
}

enum rf_kind alert_make_entities(const struct alert_maker *maker, const struct alert_span *span,
                                 struct alert *alert)
{
    const struct rule *rule = maker->rule;
    uint32_t mappings = rule->entity_count + rule->sentinel_entity_count;
    if (mappings == 0) return RF_OK;
    struct collector *c = rf_arena_new(maker->arena, struct collector, 1);
    if (c == NULL) return rf_fail_memory(maker->err, maker->arena);
    c->maker = maker;
    c->mapping_count = mappings;
    c->quota = RF_MAX(1u, ALERT_ENTITIES_MAX / mappings);
    c->taken = rf_arena_new(maker->arena, uint32_t, mappings);
    c->items = rf_arena_new(maker->arena, struct alert_entity, ALERT_ENTITIES_MAX);
    if (c->taken == NULL || c->items == NULL) return rf_fail_memory(maker->err, maker->arena);
    rf_arena_init_shared(&c->row, maker->arena->budget);
    for (uint64_t row = span->from; row < span->to && !is_full(c); row++) add_row(c, row);
    rf_arena_done(&c->row);
    if (c->failed) return rf_fail_memory(maker->err, maker->arena);
    alert->entities = c->items;
    alert->entity_count = c->count;
    return RF_OK;
}
