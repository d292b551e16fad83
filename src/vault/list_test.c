#include "vault/vault_world.h"

#include "vault/store_int.h"

#define HOST "https://localhost:8443"

static const char *text(struct vault_world *w, const char *fmt, ...) RF_PRINTF(2, 3);
static const char *text(struct vault_world *w, const char *fmt, ...)
{
    char out[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out, sizeof out, fmt, args);
    va_end(args);
    return rf_arena_cstr(&w->site.arena, rf_str_of(out));
}

static void put(struct vault_world *w, const char *name)
{
    v_expect(w, "PUT", text(w, "/secrets/%s", name), "{\"value\":\"v\"}", 200);
}

/* The path of nextLink; NULL at the end, where it must be null. */
static const char *next_of(struct vault_world *w)
{
    const struct json_node *link = json_get(w->answer, "nextLink");
    cr_assert(link != NULL);
    if (link->type == JSON_T_NULL) return NULL;
    cr_assert(rf_str_starts(link->text, RF_S(HOST "/")), "%.*s", RF_FMT(link->text));
    cr_assert(rf_str_find(link->text, RF_S("api-version=7.6"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(link->text, RF_S("$skiptoken="), 0) != SIZE_MAX);
    cr_assert(rf_str_find(link->text, RF_S("maxresults="), 0) != SIZE_MAX);
    return rf_arena_cstr(&w->site.arena, rf_slice(link->text, strlen(HOST), link->text.len));
}

enum { NAMES_MAX = 200 };
struct walk {
    rf_str names[NAMES_MAX];
    uint32_t count, pages, largest;
};

/* All pages; `between` runs behind the first. */
static struct walk walk_list(struct vault_world *w, const char *target,
                             void (*between)(struct vault_world *w))
{
    struct walk walk = {0};
    while (target != NULL) {
        v_expect(w, "GET", target, NULL, 200);
        const struct json_node *value = json_get(w->answer, "value");
        cr_assert(json_is(value, JSON_T_ARRAY));
        for (struct json_node *item = value->first; item != NULL; item = item->next) {
            rf_str id = json_text_at(item, "id");
            size_t slash = id.len;
            while (id.ptr[slash - 1] != '/') slash--;
            cr_assert(walk.count < NAMES_MAX);
            walk.names[walk.count++] = rf_slice(id, slash, id.len);
        }
        walk.pages++;
        walk.largest = RF_MAX(walk.largest, value->count);
        target = next_of(w);
        if (walk.pages == 1 && between != NULL) between(w);
    }
    return walk;
}

static bool has(const struct walk *walk, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < walk->count; i++)
        count += rf_str_eq_nocase(walk->names[i], rf_str_of(name));
    cr_assert(count <= 1, "%s %u times", name, count);
    return count == 1;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------- */

Test(vault_list, is_empty_at_first)
{
    struct vault_world w;
    v_init(&w);
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0 && next_of(&w) == NULL);
    v_expect(&w, "GET", "/deletedsecrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0 && next_of(&w) == NULL);
    v_expect_error(&w, "GET", "/secrets/none/versions", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

Test(vault_list, shows_the_latest_without_its_value)
{
    struct vault_world w;
    v_init(&w);
    put(&w, "Foo");
    v_expect(&w, "PUT", "/secrets/foo",
             "{\"value\":\"2\",\"contentType\":\"t\",\"tags\":{\"a\":\"b\"},"
             "\"attributes\":{\"enabled\":false,\"exp\":2000000000}}",
             200);
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    struct json_node *item = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(item, "id"), HOST "/secrets/Foo"));
    cr_assert(rf_str_is(json_text_at(item, "contentType"), "t"));
    cr_assert(rf_str_is(json_text_at(item, "tags.a"), "b"));
    cr_assert(json_get(item, "value") == NULL && json_get(item, "recoveryId") == NULL);
    cr_assert(!json_bool_at(item, "attributes.enabled", true));
    cr_assert(json_at(item, "attributes.recoveryLevel") != NULL);
    v_expect(&w, "GET", "/secrets/FOO/versions", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    item = json_get(w.answer, "value")->first;
    cr_assert(json_text_at(item, "id").len == strlen(HOST "/secrets/Foo/") + 32);
    cr_assert(json_get(item, "contentType") == NULL, "the older one is first");
    v_expect(&w, "DELETE", "/secrets/foo", NULL, 200);
    v_expect(&w, "GET", "/secrets", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 0);
    v_expect(&w, "GET", "/deletedsecrets", NULL, 200);
    item = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(item, "id"), HOST "/secrets/Foo"));
    cr_assert(rf_str_is(json_text_at(item, "recoveryId"), HOST "/deletedsecrets/Foo"));
    int64_t deleted, purge;
    cr_assert(json_i64_at(item, "deletedDate", &deleted) && deleted == WALK_NOW);
    cr_assert(json_i64_at(item, "scheduledPurgeDate", &purge));
    cr_assert(purge == WALK_NOW + 90 * 86400);
    v_expect_error(&w, "GET", "/secrets/foo/versions", NULL, 404, "SecretNotFound", NULL);
    v_done(&w);
}

Test(vault_list, turns_pages_at_each_boundary)
{
    struct vault_world w;
    static const uint32_t sizes[] = {1, 2, 6, 7, 12, 24, 25};
    v_init(&w);
    for (uint32_t count = 1; count <= 51; count++) {
        put(&w, text(&w, "%s-%02u", count % 2 == 0 ? "Name" : "name", count));
        if (count % 25 > 1 && count != 12) continue; /* 1, 12, 25, 26, 50, 51 */
        struct walk all = walk_list(&w, "/secrets", NULL);
        cr_assert(all.count == count && all.pages == (count + 24) / 25);
        for (uint32_t i = 0; i < count; i++)
            cr_assert(rf_str_eq_nocase(all.names[i], rf_str_of(text(&w, "name-%02u", i + 1))));
        for (size_t i = 0; i < RF_COUNT(sizes); i++) {
            struct walk pages = walk_list(&w, text(&w, "/secrets?maxresults=%u", sizes[i]), NULL);
            cr_assert(pages.count == count && pages.largest <= sizes[i]);
            cr_assert(pages.pages == (count + sizes[i] - 1) / sizes[i]);
        }
    }
    v_done(&w);
}

static void disturb(struct vault_world *w)
{
    v_expect(w, "DELETE", "/secrets/n-02", NULL, 200); /* seen */
    v_expect(w, "DELETE", "/secrets/n-05", NULL, 200); /* where the page ended */
    v_expect(w, "DELETE", "/secrets/n-06", NULL, 200); /* where the next begins */
    v_expect(w, "DELETE", "/deletedsecrets/n-05", NULL, 204);
    put(w, "n-00");
    put(w, "n-07x");
}

Test(vault_list, loses_and_repeats_nothing)
{
    struct vault_world w;
    v_init(&w);
    for (int i = 1; i <= 12; i++) put(&w, text(&w, "n-%02d", i));
    struct walk walk = walk_list(&w, "/secrets?maxresults=5", disturb);
    for (int i = 1; i <= 12; i++) cr_assert(has(&walk, text(&w, "n-%02d", i)) == (i != 6), "%d", i);
    cr_assert(has(&walk, "n-07x") && !has(&walk, "n-00"));
    v_done(&w);
}

Test(vault_list, pages_versions)
{
    struct vault_world w;
    rf_str made[30];
    v_init(&w);
    put(&w, "foo-bar");
    for (int i = 0; i < 30; i++) {
        put(&w, "foo");
        rf_str id = json_text_at(w.answer, "id");
        made[i] = rf_slice(id, id.len - 32, id.len);
    }
    for (int size = 1; size <= 25; size += 8) {
        struct walk walk =
            walk_list(&w, text(&w, "/secrets/foo/versions?maxresults=%d", size), NULL);
        cr_assert(walk.count == 30 && walk.largest == (uint32_t)size);
        for (int i = 0; i < 30; i++) cr_assert(rf_str_eq(walk.names[i], made[i]), "%d", i);
    }
    v_done(&w);
}

/* Keys and secrets of deleted certificates are passed over; a page that would be long in coming ends early. */
Test(vault_list, ends_pages_that_find_little)
{
    struct vault_world w;
    struct state_txn *txn;
    v_init(&w);
    put(&w, "zz");
    v_expect(&w, "DELETE", "/secrets/zz", NULL, 200);
    struct vault_call call = {.vaults = w.vaults, .arena = &w.site.arena, .now = WALK_NOW};
    cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(vault_place_find(w.vaults, txn, (rf_str){0}, call.arena, &call.place, &w.err) ==
              RF_OK);
    for (int i = 0; i < 1100; i++) {
        struct vault_item item;
        rf_str name = rf_arena_printf(call.arena, "m-%04d", i);
        cr_assert(vault_item_new(&call, SEAL_SECRET, name, &item, &w.err) == RF_OK);
        item.managed = true;
        item.deleted = item.purge_at = WALK_NOW;
        cr_assert(vault_item_put(&call, txn, &item, &w.err) == RF_OK);
    }
    cr_assert(state_finish(&txn, &w.err) == RF_OK);
    struct walk walk = walk_list(&w, "/deletedsecrets", NULL);
    cr_assert(walk.count == 1 && has(&walk, "zz") && walk.pages == 2);
    v_done(&w);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------------------- */

Test(vault_list, refuses_sizes_and_tokens_that_are_none)
{
    static const char *const bad[] = {
        "maxresults=26",
        "maxresults=0",
        "maxresults=-1",
        "maxresults=x",
        "maxresults=",
        "maxresults=1x",
        "maxresults=99999999999999999999",
        "$skiptoken=AAAA",
        "$skiptoken=%20",
        "$skiptoken=AAAAAAAAAAAAAAAAAAAA",
        "%24skiptoken=AAAAAAAAAAAAAAAAAAAA",
    };
    struct vault_world w;
    v_init(&w);
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        v_expect_error(&w, "GET", text(&w, "/secrets?%s", bad[i]), NULL, 400, "BadParameter", NULL);
    put(&w, "a");
    put(&w, "b");
    v_expect(&w, "GET", "/secrets?maxresults=1", NULL, 200);
    const char *next = next_of(&w);
    v_expect(&w, "GET", next, NULL, 200);
    /* Of another list, or changed. */
    const char *at = strstr(next, "$skiptoken=");
    v_expect(&w, "GET", text(&w, "/deletedsecrets?%s", at), NULL, 400);
    v_expect(&w, "GET", text(&w, "/secrets/a/versions?%s", at), NULL, 400);
    char *changed = rf_arena_cstr(&w.site.arena, rf_str_of(next));
    char *byte = strstr(changed, "$skiptoken=") + strlen("$skiptoken=");
    *byte = *byte == 'A' ? 'B' : 'A';
    v_expect(&w, "GET", changed, NULL, 400);
    v_done(&w);
}

Test(vault_list, reads_the_tokens_it_made)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    uint8_t name[127];
    rf_str list = RF_S("g/secrets/live"), last;
    memset(name, 'z', sizeof name);
    for (size_t len = 1; len <= sizeof name; len++) {
        rf_str token = vault_skip_token(&arena, list, rf_str_make(name, len));
        cr_assert(vault_skip_read(&arena, list, token, &last) && last.len == len);
        cr_assert(!vault_skip_read(&arena, RF_S("g/keys/live"), token, &last));
        for (size_t i = 0; i < token.len; i++) {
            rf_str other;
            cr_assert(rf_arena_str(&arena, token, &other));
            ((uint8_t *)(uintptr_t)other.ptr)[i] ^= 1;
            cr_assert(!vault_skip_read(&arena, list, other, &last));
            cr_assert(!vault_skip_read(&arena, list, rf_slice(token, 0, i), &last));
        }
        rf_arena_reset(&arena);
    }
}
