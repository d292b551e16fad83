#include "hub/hub_int.h"

#include <stdlib.h>

static int cmp_nocase(rf_str a, rf_str b)
{
    size_t len = RF_MIN(a.len, b.len);
    for (size_t i = 0; i < len; i++) {
        int d = rf_lower(a.ptr[i]) - rf_lower(b.ptr[i]);
        if (d != 0) return d;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

int hub_name_cmp(rf_str a, rf_str b) { return cmp_nocase(a, b); }

bool hub_names_find(const struct hub_names *names, rf_str name, uint32_t *at)
{
    uint32_t low = 0, high = names->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int d = cmp_nocase(rf_str_of(names->items[mid]), name);
        if (d == 0) {
            *at = mid;
            return true;
        }
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
    return false;
}

char *hub_text(rf_str text)
{
    char *copy = malloc(text.len + 1);
    if (copy == NULL) return NULL;
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return copy;
}

bool hub_names_add(struct hub_names *names, rf_str name)
{
    uint32_t at;
    if (hub_names_find(names, name, &at)) return true;
    if (names->count == names->cap) {
        uint32_t cap = RF_MAX(names->cap * 2, 4u);
        char **items = realloc(names->items, cap * sizeof *items);
        if (items == NULL) return false;
        names->items = items, names->cap = cap;
    }
    char *copy = hub_text(name);
    if (copy == NULL) return false;
    memmove(names->items + at + 1, names->items + at, (names->count - at) * sizeof *names->items);
    names->items[at] = copy;
    names->count++;
    return true;
}

void hub_names_remove(struct hub_names *names, rf_str name)
{
    uint32_t at;
    if (!hub_names_find(names, name, &at)) return;
    free(names->items[at]);
    names->count--;
    memmove(names->items + at, names->items + at + 1, (names->count - at) * sizeof *names->items);
}

void hub_names_done(struct hub_names *names)
{
    for (uint32_t i = 0; i < names->count; i++) free(names->items[i]);
    free(names->items);
    *names = (struct hub_names){0};
}

/* ---- rules ------------------------------------------------------------------------------------------------------------ */

void hub_rules_done(struct hub_rules *rules)
{
    if (rules->items != NULL) explicit_bzero(rules->items, rules->count * sizeof *rules->items);
    free(rules->items);
    *rules = (struct hub_rules){0};
}

static struct hub_rule_entry *find_rule(const struct hub_rules *rules, rf_str name)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        struct hub_rule_entry *e = &rules->items[i];
        if (rf_str_eq_nocase(rf_str_make(e->name, e->name_len), name)) return e;
    }
    return NULL;
}

/* Not realloc(): it would leave keys behind in what it frees. */
static struct hub_rule_entry *add_rule(struct hub_rules *rules)
{
    struct hub_rule_entry *items = calloc(rules->count + 1, sizeof *items);
    if (items == NULL) return NULL;
    uint32_t count = rules->count;
    if (count > 0) memcpy(items, rules->items, count * sizeof *items);
    hub_rules_done(rules);
    *rules = (struct hub_rules){.items = items, .count = count + 1};
    return &items[count];
}

static bool is_same(const struct hub_rule_entry *e, const struct hub_rule *rule)
{
    return e->rights == rule->rights &&
           rf_str_eq(rf_str_make(e->primary, e->primary_len), rule->primary) &&
           rf_str_eq(rf_str_make(e->secondary, e->secondary_len), rule->secondary);
}

static void put_text(char *to, size_t cap, uint16_t *len, rf_str text)
{
    explicit_bzero(to, cap);
    if (text.len > 0) memcpy(to, text.ptr, text.len);
    *len = (uint16_t)text.len;
}

/* The rules of the namespace or of a hub; the registry is held, and for a hub *locked, which the caller unlocks. */
static struct hub_rules *rules_of(struct hub_namespace *space, rf_str hub, struct hub **locked)
{
    *locked = NULL;
    if (hub.len == 0) return &space->rules;
    struct hub *h = hub_in(space, hub, NULL);
    if (h == NULL) return NULL;
    (void)pthread_mutex_lock(&h->lock);
    *locked = h;
    return &h->rules;
}

enum rf_kind hubs_set_rule(struct hub_namespace *space, rf_str hub, const struct hub_rule *rule,
                           struct rf_err *err)
{
    struct hub_rule_entry *e = NULL;
    if (rule->name.len == 0 || rule->name.len > sizeof e->name ||
        rule->primary.len > sizeof e->primary || rule->secondary.len > sizeof e->secondary)
        return RF_FAIL(err, RF_INVALID, "BadRule", "a name has 1 to %zu bytes, a key at most %d",
                       sizeof e->name, HUB_KEY_BYTES_MAX);
    struct hubs *hubs = space->hubs;
    struct hub *locked;
    bool is_found, changes = false;
    (void)pthread_rwlock_wrlock(&hubs->registry);
    struct hub_rules *rules = rules_of(space, hub, &locked);
    is_found = rules != NULL;
    if (is_found) {
        e = find_rule(rules, rule->name);
        changes = e == NULL || !is_same(e, rule);
        if (e == NULL) e = add_rule(rules);
    }
    if (e != NULL && changes) {
        put_text(e->name, sizeof e->name, &e->name_len, rule->name);
        put_text(e->primary, sizeof e->primary, &e->primary_len, rule->primary);
        put_text(e->secondary, sizeof e->secondary, &e->secondary_len, rule->secondary);
        e->rights = rule->rights;
        e->version = ++hubs->rule_version;
    }
    if (locked != NULL) (void)pthread_mutex_unlock(&locked->lock);
    (void)pthread_rwlock_unlock(&hubs->registry);
    if (!is_found) return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "no hub %.*s", RF_FMT(hub));
    if (e == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a rule");
    if (changes) hubs_changed(hubs);
    return RF_OK;
}

void hubs_drop_rule(struct hub_namespace *space, rf_str hub, rf_str rule)
{
    struct hub *locked;
    (void)pthread_rwlock_wrlock(&space->hubs->registry);
    struct hub_rules *rules = rules_of(space, hub, &locked);
    struct hub_rule_entry *e = rules == NULL ? NULL : find_rule(rules, rule);
    if (e != NULL) {
        struct hub_rule_entry *last = &rules->items[rules->count - 1];
        if (e != last) *e = *last;
        explicit_bzero(last, sizeof *last);
        rules->count--;
    }
    if (locked != NULL) (void)pthread_mutex_unlock(&locked->lock);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    if (e != NULL) hubs_changed(space->hubs);
}

static bool copy_rule(const struct hub_rule_entry *e, struct rf_arena *arena, struct hub_rule *out)
{
    struct hub_rule copy = {.rights = e->rights, .version = e->version};
    bool fits = rf_arena_str(arena, rf_str_make(e->name, e->name_len), &copy.name) &&
                rf_arena_str(arena, rf_str_make(e->primary, e->primary_len), &copy.primary) &&
                rf_arena_str(arena, rf_str_make(e->secondary, e->secondary_len), &copy.secondary);
    if (fits) *out = copy;
    return fits;
}

enum rf_kind hubs_find_rule(struct hub_namespace *space, rf_str hub, rf_str rule,
                            struct rf_arena *arena, struct hub_rule *out, struct rf_err *err)
{
    struct hub *locked;
    (void)pthread_rwlock_rdlock(&space->hubs->registry);
    struct hub_rules *rules = rules_of(space, hub, &locked);
    struct hub_rule_entry *e = rules == NULL ? NULL : find_rule(rules, rule);
    bool is_found = e != NULL, fits = is_found && copy_rule(e, arena, out);
    if (locked != NULL) (void)pthread_mutex_unlock(&locked->lock);
    (void)pthread_rwlock_unlock(&space->hubs->registry);
    if (!is_found) return RF_FAIL(err, RF_NOT_FOUND, "UnknownRule", "no rule %.*s", RF_FMT(rule));
    return fits ? RF_OK : rf_fail_memory(err, arena);
}
