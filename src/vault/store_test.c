#include "authz/route_walk.h"
#include "test/rf_prop.h"
#include "vault/store_int.h"

/* Calls without a request, on a state of their own. */
struct store_world {
    struct walk_site site;
    struct vaults vaults;
    struct vault_call call;
    struct state_txn *txn;
    struct rf_err err;
};

static void begin(struct store_world *w)
{
    walk_site_init(&w->site);
    w->vaults = (struct vaults){.options = {.state = w->site.state}};
    w->call = (struct vault_call){
        .vaults = &w->vaults,
        .arena = &w->site.arena,
        .place = {.guid = RF_S("01234567-89ab-cdef-0123-456789abcdef"), .guid_bytes = {1, 2, 3}},
        .now = WALK_NOW};
    w->txn = NULL;
}

static void done(struct store_world *w)
{
    state_end(w->txn);
    walk_site_done(&w->site);
}

static void write_begin(struct store_world *w)
{
    cr_assert(state_begin_write(w->site.state, &w->txn, &w->err) == RF_OK);
}

static void write_end(struct store_world *w)
{
    cr_assert(state_finish(&w->txn, &w->err) == RF_OK, "%s", w->err.text);
}

static struct vault_item make(struct store_world *w, enum seal_kind kind, const char *name)
{
    struct vault_item item;
    cr_assert(vault_item_new(&w->call, kind, rf_str_of(name), &item, &w->err) == RF_OK);
    return item;
}

static enum rf_kind get(struct store_world *w, enum seal_kind kind, const char *name,
                        struct vault_item *out)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    return vault_item_get(&w->call, txn, kind, rf_str_of(name), out, &w->err);
}

static void put(struct store_world *w, struct vault_item *item)
{
    write_begin(w);
    cr_assert(vault_item_put(&w->call, w->txn, item, &w->err) == RF_OK, "%s", w->err.text);
    write_end(w);
}

/* ---- items -------------------------------------------------------------------------------------------------------------- */

Test(vault_store, gives_back_what_it_was_given)
{
    struct store_world w;
    struct vault_item got;
    uint8_t key[WRAPPED_KEY_BYTES] = {1, 0, 255};
    begin(&w);
    struct vault_item item = make(&w, SEAL_KEY, "My-Key-1");
    cr_assert(item.etag == 0 && item.created == WALK_NOW && item.updated == WALK_NOW);
    item.key = rf_str_make(key, sizeof key);
    item.latest = RF_S("0123456789abcdef0123456789abcdef");
    item.deleted = 7, item.purge_at = 8, item.due = 9, item.managed = true, item.purging = true;
    cr_assert(json_parse(RF_S("{\"a\":[1,{\"b\":null}]}"), w.call.arena, &item.more, &w.err) ==
              RF_OK);
    put(&w, &item);
    cr_assert(item.etag != 0);
    cr_assert(get(&w, SEAL_KEY, "my-KEY-1", &got) == RF_OK, "%s", w.err.text);
    cr_assert(got.kind == SEAL_KEY && rf_str_is(got.name, "My-Key-1"));
    cr_assert(memcmp(got.id, item.id, sizeof got.id) == 0 && rf_str_eq(got.key, item.key));
    cr_assert(rf_str_eq(got.latest, item.latest) && got.etag == item.etag);
    cr_assert(got.created == WALK_NOW && got.updated == WALK_NOW);
    cr_assert(got.deleted == 7 && got.purge_at == 8 && got.due == 9 && got.managed && got.purging);
    cr_assert(json_equal(got.more, item.more));
    cr_assert(get(&w, SEAL_SECRET, "My-Key-1", &got) == RF_NOT_FOUND);
    done(&w);
}

Test(vault_store, keeps_vaults_apart)
{
    struct store_world w;
    struct vault_item got;
    begin(&w);
    struct vault_item item = make(&w, SEAL_SECRET, "a");
    put(&w, &item);
    w.call.place.guid = RF_S("01234567-89ab-cdef-0123-456789abcde0");
    cr_assert(get(&w, SEAL_SECRET, "a", &got) == RF_NOT_FOUND);
    done(&w);
}

Test(vault_store, knows_names)
{
    char longest[129];
    memset(longest, 'a', sizeof longest);
    cr_assert(vault_name_is(rf_str_make(longest, 127)));
    cr_assert(!vault_name_is(rf_str_make(longest, 128)));
    cr_assert(!vault_name_is(RF_S("")));
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[] = {'a', (uint8_t)c, '1'};
        bool wanted =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        cr_assert(vault_name_is(rf_str_make(text, 3)) == wanted, "%u", c);
    }
}

/* A name with a slash would be a key of something else. */
Test(vault_store, refuses_names_before_they_are_keys)
{
    struct store_world w;
    struct vault_item item;
    begin(&w);
    cr_assert(get(&w, SEAL_SECRET, "a/b", &item) == RF_INVALID);
    cr_assert_str_eq(w.err.code, "BadParameter");
    cr_assert(vault_item_new(&w.call, SEAL_SECRET, RF_S("a/b"), &item, &w.err) == RF_INVALID);
    done(&w);
}

Test(vault_store, writes_only_over_what_was_read)
{
    struct store_world w;
    struct vault_item item, first, second;
    begin(&w);
    item = make(&w, SEAL_SECRET, "a");
    struct vault_item twin = make(&w, SEAL_SECRET, "A");
    put(&w, &item);
    write_begin(&w);
    cr_assert(vault_item_put(&w.call, w.txn, &twin, &w.err) == RF_CONFLICT);
    cr_assert_str_eq(w.err.code, "ObjectExists");
    write_end(&w);
    cr_assert(get(&w, SEAL_SECRET, "a", &first) == RF_OK);
    cr_assert(get(&w, SEAL_SECRET, "a", &second) == RF_OK);
    put(&w, &first);
    write_begin(&w);
    cr_assert(vault_item_put(&w.call, w.txn, &second, &w.err) == RF_CONFLICT);
    cr_assert_str_eq(w.err.code, "EtagMismatch");
    cr_assert(vault_item_remove(&w.call, w.txn, &first, &w.err) == RF_OK);
    cr_assert(vault_item_put(&w.call, w.txn, &first, &w.err) == RF_CONFLICT, "it is gone");
    cr_assert_str_eq(w.err.code, "EtagMismatch");
    write_end(&w);
    done(&w);
}

Test(vault_store, reads_an_item_again)
{
    struct store_world w;
    begin(&w);
    struct vault_item item = make(&w, SEAL_SECRET, "a"), seen = item, fresh = item;
    write_begin(&w);
    cr_assert(vault_item_again(&w.call, w.txn, true, &fresh, &w.err) == RF_OK, "still absent");
    cr_assert(vault_item_put(&w.call, w.txn, &item, &w.err) == RF_OK);
    cr_assert(vault_item_again(&w.call, w.txn, false, &fresh, &w.err) == RF_CONFLICT,
              "made meanwhile");
    seen = item;
    item.latest = RF_S("0123456789abcdef0123456789abcdef");
    cr_assert(vault_item_put(&w.call, w.txn, &item, &w.err) == RF_OK);
    struct vault_item strict = seen;
    cr_assert(vault_item_again(&w.call, w.txn, true, &strict, &w.err) == RF_CONFLICT);
    cr_assert(vault_item_again(&w.call, w.txn, false, &seen, &w.err) == RF_OK);
    cr_assert(seen.etag == item.etag && rf_str_eq(seen.latest, item.latest), "as it is now");
    item.deleted = 1;
    cr_assert(vault_item_put(&w.call, w.txn, &item, &w.err) == RF_OK);
    struct vault_item dead = seen;
    cr_assert(vault_item_again(&w.call, w.txn, false, &dead, &w.err) == RF_CONFLICT, "deleted");
    cr_assert(vault_item_remove(&w.call, w.txn, &item, &w.err) == RF_OK);
    dead = seen;
    cr_assert(vault_item_again(&w.call, w.txn, false, &dead, &w.err) == RF_CONFLICT, "gone");
    struct vault_item other = make(&w, SEAL_SECRET, "a");
    cr_assert(vault_item_put(&w.call, w.txn, &other, &w.err) == RF_OK);
    dead = seen;
    cr_assert(vault_item_again(&w.call, w.txn, false, &dead, &w.err) == RF_CONFLICT,
              "another one of the name");
    write_end(&w);
    done(&w);
}

/* ---- versions ------------------------------------------------------------------------------------------------------------- */

static struct vault_version version_of(struct store_world *w)
{
    struct vault_version version;
    cr_assert(vault_version_init(&w->call, &version, &w->err) == RF_OK);
    return version;
}

Test(vault_store, gives_back_versions)
{
    struct store_world w;
    struct vault_version got;
    uint8_t sealed[200];
    begin(&w);
    memset(sealed, 0xfe, sizeof sealed);
    struct vault_item item = make(&w, SEAL_SECRET, "a");
    struct vault_version version = version_of(&w), plain = version_of(&w);
    version.created = 1, version.updated = 2, version.enabled = false, version.managed = true;
    version.not_before = 0, version.expires = 5;
    version.content_type = RF_S("t\n\"");
    version.sealed = rf_str_make(sealed, sizeof sealed);
    cr_assert(json_parse(RF_S("{\"k\":\"v\"}"), w.call.arena, &version.tags, &w.err) == RF_OK);
    cr_assert(json_parse(RF_S("{\"n\":1}"), w.call.arena, &version.more, &w.err) == RF_OK);
    item.latest = plain.version;
    write_begin(&w);
    cr_assert(vault_item_put(&w.call, w.txn, &item, &w.err) == RF_OK);
    cr_assert(vault_version_put(&w.call, w.txn, &item, &version, &w.err) == RF_OK);
    cr_assert(vault_version_put(&w.call, w.txn, &item, &plain, &w.err) == RF_OK);
    cr_assert(vault_version_put(&w.call, w.txn, &item, &plain, &w.err) == RF_CONFLICT,
              "it is there already");
    cr_assert(vault_version_get(&w.call, w.txn, &item, version.version, &got, &w.err) == RF_OK);
    cr_assert(rf_str_eq(got.version, version.version) && got.created == 1 && got.updated == 2);
    cr_assert(!got.enabled && got.managed && got.not_before == 0 && got.expires == 5);
    cr_assert(rf_str_eq(got.content_type, version.content_type));
    cr_assert(rf_str_eq(got.sealed, version.sealed));
    cr_assert(json_equal(got.tags, version.tags) && json_equal(got.more, version.more));
    struct vault_version stale = got;
    cr_assert(vault_version_put(&w.call, w.txn, &item, &got, &w.err) == RF_OK);
    cr_assert(vault_version_put(&w.call, w.txn, &item, &stale, &w.err) == RF_CONFLICT);
    cr_assert(vault_version_get(&w.call, w.txn, &item, (rf_str){0}, &got, &w.err) == RF_OK);
    cr_assert(rf_str_eq(got.version, plain.version), "the latest");
    cr_assert(got.enabled && got.not_before == SEAL_NO_TIME && got.expires == SEAL_NO_TIME);
    cr_assert(got.tags == NULL && got.more == NULL && got.sealed.len == 0);
    cr_assert(vault_version_get(&w.call, w.txn, &item, RF_S("latest"), &got, &w.err) ==
              RF_NOT_FOUND);
    cr_assert_str_eq(w.err.code, "SecretNotFound");
    write_end(&w);
    done(&w);
}

Test(vault_store, orders_versions_by_their_making)
{
    struct store_world w;
    struct vault_versions list;
    rf_str made[40], after = {0};
    begin(&w);
    struct vault_item item = make(&w, SEAL_SECRET, "ab"), longer = make(&w, SEAL_SECRET, "ab-1");
    write_begin(&w);
    for (int i = 0; i < 40; i++) {
        struct vault_version version = version_of(&w), other = version_of(&w);
        made[i] = version.version;
        cr_assert(vault_version_put(&w.call, w.txn, &item, &version, &w.err) == RF_OK);
        cr_assert(vault_version_put(&w.call, w.txn, &longer, &other, &w.err) == RF_OK);
    }
    int seen = 0;
    do {
        cr_assert(vault_versions_list(&w.call, w.txn, &item, after, 7, &list, &w.err) == RF_OK);
        cr_assert(list.count == 7 || !list.more);
        for (uint32_t i = 0; i < list.count; i++)
            cr_assert(seen < 40 && rf_str_eq(list.items[i].version, made[seen++]), "%d", seen);
        after = list.items[list.count - 1].version;
    } while (list.more);
    cr_assert(seen == 40);
    cr_assert(vault_item_put(&w.call, w.txn, &item, &w.err) == RF_OK);
    cr_assert(vault_item_remove(&w.call, w.txn, &item, &w.err) == RF_OK);
    cr_assert(vault_versions_list(&w.call, w.txn, &item, (rf_str){0}, 0, &list, &w.err) == RF_OK);
    cr_assert(list.count == 0);
    cr_assert(vault_versions_list(&w.call, w.txn, &longer, (rf_str){0}, 0, &list, &w.err) == RF_OK);
    cr_assert(list.count == 40, "those of another name stay");
    cr_assert(vault_store_forget(w.txn, w.call.place.guid, w.call.arena, &w.err) == RF_OK);
    cr_assert(vault_versions_list(&w.call, w.txn, &longer, (rf_str){0}, 0, &list, &w.err) == RF_OK);
    cr_assert(list.count == 0);
    write_end(&w);
    done(&w);
}

Test(vault_store, makes_versions_that_never_meet)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    rf_str last = {0};
    for (int i = 0; i < 2000; i++) {
        rf_str next = vault_version_new(&arena);
        cr_assert(vault_version_is(next));
        /* Within a microsecond chance decides. */
        cr_assert(i == 0 || rf_str_cmp(rf_slice(last, 0, 14), rf_slice(next, 0, 14)) <= 0);
        cr_assert(!rf_str_eq(last, next));
        last = next;
    }
}

/* ---- what does not belong there -------------------------------------------------------------------------------------------- */

Test(vault_store, says_what_is_broken)
{
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"{}", "name"},
        {"{\"kind\":\"secrets\",\"name\":\"a\",\"id\":\"00\"}", "id"},
        {"{\"kind\":\"things\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\"}",
         "kind"},
        {"{\"kind\":\"keys\",\"name\":\"a b\",\"id\":\"00000000000000000000000000000000\"}",
         "name"},
        {"{\"kind\":\"keys\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\",\"latest\":"
         "\"1\"}",
         "latest"},
        {"{\"kind\":\"keys\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\",\"key\":"
         "\"AAAA\"}",
         "key"},
        {"{\"kind\":\"keys\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\",\"due\":"
         "\"1\"}",
         "due"},
        {"{\"kind\":\"keys\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\",\"more\":[]"
         "}",
         "more"},
        {"{\"kind\":\"keys\",\"name\":\"a\",\"id\":\"00000000000000000000000000000000\","
         "\"managed\":1}",
         "managed"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct json_node *node;
        struct vault_item item;
        struct rf_err err;
        cr_assert(json_parse(rf_str_of(cases[i].text), &arena, &node, &err) == RF_OK);
        cr_assert(vault_item_of(node, &arena, &item, &err) == RF_CORRUPT, "%s", cases[i].text);
        cr_assert(strstr(err.text, cases[i].wrong) != NULL, "%s: %s", cases[i].text, err.text);
    }
}

/* ---- trying again ---------------------------------------------------------------------------------------------------------------- */

struct beating {
    int beaten, tries;
    const char *code;
};

static enum rf_kind attempt(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct beating *b = ctx;
    (void)call;
    return b->tries++ < b->beaten ? RF_FAIL(err, RF_CONFLICT, b->code, "x") : RF_OK;
}

Test(vault_store, tries_again_when_beaten)
{
    struct store_world w;
    begin(&w);
    struct beating some = {.beaten = 5, .code = "EtagMismatch"};
    struct beating exists = {.beaten = 1, .code = "ObjectExists"};
    struct beating told = {.beaten = 1, .code = "Conflict"};
    struct beating ever = {.beaten = 1000, .code = "EtagMismatch"};
    cr_assert(vault_retry(&w.call, attempt, &some, &w.err) == RF_OK && some.tries == 6);
    cr_assert(vault_retry(&w.call, attempt, &exists, &w.err) == RF_OK && exists.tries == 2);
    cr_assert(vault_retry(&w.call, attempt, &told, &w.err) == RF_CONFLICT && told.tries == 1);
    cr_assert(vault_retry(&w.call, attempt, &ever, &w.err) == RF_AGAIN && ever.tries == 100);
    done(&w);
}

/* ---- for the keeper ------------------------------------------------------------------------------------------------------------------ */

Test(vault_store, tells_the_keeper_where_an_item_stands)
{
    struct store_world w;
    struct seal_ring ring;
    struct seal_head head;
    begin(&w);
    struct vault_item item = make(&w, SEAL_CERTIFICATE, "Ab-1");
    cr_assert(vault_ring(&w.call, &item, &ring, &w.err) == RF_OK);
    cr_assert(ring.kind == SEAL_CERTIFICATE && rf_str_is(ring.name, "ab-1"));
    cr_assert(memcmp(ring.item_id, item.id, sizeof item.id) == 0);
    cr_assert(ring.vault_id[0] == 1 && ring.vault_id[2] == 3 && ring.item_key.len == 0);
    struct vault_version version = {.version = RF_S("00112233445566778899aabbccddeeff"),
                                    .enabled = true,
                                    .not_before = SEAL_NO_TIME,
                                    .expires = 7,
                                    .managed = true};
    vault_head(&version, &head);
    cr_assert(head.enabled && head.managed && head.generation == 1 && head.expires == 7);
    for (int i = 0; i < 16; i++) cr_assert(head.version[i] == 0x11 * i);
    done(&w);
}
