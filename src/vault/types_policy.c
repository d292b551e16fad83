/* types_policy.c - access policies: who may do what, word by word (contracts/keyvault.md, 7.3). */
#include "base/encode.h"
#include "vault/types_int.h"

static const struct {
    const char *name;
    const char *words;
} kinds[] = {
    {"keys", " all encrypt decrypt wrapkey unwrapkey sign verify get list create update import "
             "delete backup "
             "restore recover purge release rotate getrotationpolicy setrotationpolicy "},
    {"secrets", " all get list set delete backup restore recover purge "},
    {"certificates",
     " all get list delete create import update managecontacts getissuers listissuers "
     "setissuers deleteissuers manageissuers recover purge backup restore "},
    {"storage", " all get list delete set update regeneratekey recover purge backup restore setsas "
                "listsas getsas deletesas "},
    {"databases", " all get list set delete credentials revoke "},
};

/* ---- checks --------------------------------------------------------------------------------------------------------------- */

static bool is_word_of(const char *words, rf_str word)
{
    char wanted[40];
    if (word.len == 0 || word.len + 3 > sizeof wanted) return false;
    wanted[0] = ' ';
    for (size_t i = 0; i < word.len; i++) {
        if (!rf_is_alpha(word.ptr[i])) return false;
        wanted[i + 1] = (char)rf_lower(word.ptr[i]);
    }
    wanted[word.len + 1] = ' ';
    wanted[word.len + 2] = 0;
    return strstr(words, wanted) != NULL;
}

static enum rf_kind check_words(const struct json_node *list, size_t kind, uint32_t index,
                                struct rf_err *err)
{
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY)
        return BAD_VAULT(err, "accessPolicies[%u].permissions.%s must be a list of words.", index,
                         kinds[kind].name);
    for (const struct json_node *word = list->first; word != NULL; word = word->next)
        if (word->type != JSON_T_STRING || !is_word_of(kinds[kind].words, word->text))
            return BAD_VAULT(err, "Invalid value found at accessPolicies[%u].permissions.%s: %.*s",
                             index, kinds[kind].name, (int)RF_MIN(word->text.len, (size_t)60),
                             (const char *)word->text.ptr);
    return RF_OK;
}

static enum rf_kind check_entry(const struct json_node *entry, rf_str tenant_id, uint32_t index,
                                struct rf_err *err)
{
    const struct json_node *permissions = json_get(entry, "permissions");
    const struct json_node *app = json_get(entry, "applicationId");
    bool has_app = app != NULL && app->type != JSON_T_NULL;
    if (!rf_str_eq_nocase(json_text_at(entry, "tenantId"), tenant_id))
        return BAD_VAULT(err, "accessPolicies[%u].tenantId must be the tenant of the vault, %.*s.",
                         index, RF_FMT(tenant_id));
    if (!guid_is(json_text_at(entry, "objectId")))
        return BAD_VAULT(err,
                         "accessPolicies[%u].objectId must be the id of a user, a group or a "
                         "service principal.",
                         index);
    if (has_app && (app->type != JSON_T_STRING || !guid_is(app->text)))
        return BAD_VAULT(err, "accessPolicies[%u].applicationId must be the id of an application.",
                         index);
    if (!json_is(permissions, JSON_T_OBJECT))
        return BAD_VAULT(err, "accessPolicies[%u].permissions must be an object.", index);
    for (size_t k = 0; k < RF_COUNT(kinds); k++)
        RF_TRY(check_words(json_get(permissions, kinds[k].name), k, index, err));
    return RF_OK;
}

enum rf_kind vault_policies_check(const struct json_node *list, rf_str tenant_id,
                                  struct rf_err *err)
{
    if (!json_is(list, JSON_T_ARRAY))
        return BAD_VAULT(err, "'properties.accessPolicies' must be a list.");
    if (list->count > VAULT_POLICIES_MAX)
        return BAD_VAULT(err, "A vault has at most %d access policies, and %u are given.",
                         VAULT_POLICIES_MAX, list->count);
    uint32_t index = 0;
    for (const struct json_node *entry = list->first; entry != NULL; entry = entry->next, index++) {
        RF_TRY(check_entry(entry, tenant_id, index, err));
        if (vault_policy_find(list, entry) != entry)
            return BAD_VAULT(err, "accessPolicies[%u] is of a principal that has an entry already.",
                             index);
    }
    return RF_OK;
}

struct json_node *vault_policy_find(const struct json_node *list, const struct json_node *entry)
{
    rf_str oid = json_text_at(entry, "objectId"), app = json_text_at(entry, "applicationId");
    struct json_node *item = list == NULL ? NULL : list->first;
    for (; item != NULL; item = item->next)
        if (rf_str_eq_nocase(json_text_at(item, "objectId"), oid) &&
            rf_str_eq_nocase(json_text_at(item, "applicationId"), app))
            return item;
    return NULL;
}

/* ---- changes -------------------------------------------------------------------------------------------------------------- */

enum vault_policy_change vault_policy_change_of(rf_str word)
{
    if (rf_str_eq_nocase(word, RF_S("add"))) return VAULT_POLICY_ADD;
    if (rf_str_eq_nocase(word, RF_S("replace"))) return VAULT_POLICY_REPLACE;
    if (rf_str_eq_nocase(word, RF_S("remove"))) return VAULT_POLICY_REMOVE;
    return VAULT_POLICY_OTHER;
}

static bool has_word(const struct json_node *list, rf_str word)
{
    const struct json_node *item = list == NULL ? NULL : list->first;
    for (; item != NULL; item = item->next)
        if (rf_str_eq_nocase(item->text, word)) return true;
    return false;
}

/* The words of `a` that `b` lacks. */
static struct json_node *words_without(struct rf_arena *arena, const struct json_node *a,
                                       const struct json_node *b)
{
    struct json_node *out = json_new(arena, JSON_T_ARRAY);
    const struct json_node *item = a == NULL ? NULL : a->first;
    for (; item != NULL && out != NULL; item = item->next)
        if (!has_word(b, item->text) && json_append(out, json_new_text(arena, item->text)) == NULL)
            return NULL;
    return out;
}

static bool add_words(struct rf_arena *arena, struct json_node *into, const struct json_node *from)
{
    for (size_t k = 0; k < RF_COUNT(kinds); k++) {
        const struct json_node *more = json_get(from, kinds[k].name);
        struct json_node *list = json_get(into, kinds[k].name);
        if (more == NULL || more->type != JSON_T_ARRAY) continue;
        if (!json_is(list, JSON_T_ARRAY))
            list = json_set(arena, into, rf_str_of(kinds[k].name), json_new(arena, JSON_T_ARRAY));
        for (const struct json_node *w = more->first; w != NULL && list != NULL; w = w->next)
            if (!has_word(list, w->text) &&
                json_append(list, json_new_text(arena, w->text)) == NULL)
                return false;
        if (list == NULL) return false;
    }
    return true;
}

/* Takes the words of `from` away; *left: whether some are left. No words at all take all of them. */
static bool take_words(struct rf_arena *arena, struct json_node *entry,
                       const struct json_node *from, bool *left)
{
    struct json_node *permissions = json_get(entry, "permissions");
    uint32_t given = 0, kept = 0;
    for (size_t k = 0; k < RF_COUNT(kinds); k++) {
        const struct json_node *words = json_get(from, kinds[k].name);
        const struct json_node *had = json_get(permissions, kinds[k].name);
        if (json_is(words, JSON_T_ARRAY)) given += words->count;
        if (!json_is(had, JSON_T_ARRAY)) continue;
        struct json_node *rest = has_word(words, RF_S("all")) ? json_new(arena, JSON_T_ARRAY)
                                                              : words_without(arena, had, words);
        if (json_set(arena, permissions, rf_str_of(kinds[k].name), rest) == NULL) return false;
        kept += rest->count;
    }
    *left = given > 0 && kept > 0;
    return true;
}

static bool change_entry(enum vault_policy_change change, struct rf_arena *arena,
                         struct json_node *entry, const struct json_node *given, bool *left)
{
    const struct json_node *permissions = json_get(given, "permissions");
    *left = true;
    if (change == VAULT_POLICY_REMOVE) return take_words(arena, entry, permissions, left);
    if (change == VAULT_POLICY_REPLACE)
        return json_set(arena, entry, RF_S("permissions"), json_clone(arena, permissions)) != NULL;
    return add_words(arena, json_object_in(arena, entry, "permissions"), permissions);
}

enum rf_kind vault_policies_change(enum vault_policy_change change, const struct json_node *stored,
                                   const struct json_node *given, struct rf_arena *arena,
                                   struct json_node **out, struct rf_err *err)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (list == NULL) return rf_fail_memory(err, arena);
    const struct json_node *item = stored == NULL ? NULL : stored->first;
    for (; item != NULL; item = item->next) {
        struct json_node *entry = json_clone(arena, item);
        const struct json_node *with = vault_policy_find(given, item);
        bool left = true;
        if (entry == NULL || (with != NULL && !change_entry(change, arena, entry, with, &left)))
            return rf_fail_memory(err, arena);
        if (left) json_append(list, entry);
    }
    item = change == VAULT_POLICY_REMOVE ? NULL : given->first;
    for (; item != NULL; item = item->next)
        if (vault_policy_find(stored, item) == NULL &&
            json_append(list, json_clone(arena, item)) == NULL)
            return rf_fail_memory(err, arena);
    *out = list;
    return RF_OK;
}
