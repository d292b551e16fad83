/* The power goes while a vault is worked with, between any two operations on the files of state and keeper: each version that was answered is there with its
 * value and its tags, what was deleted is deleted, what was purged never comes back, and what was on its way has happened or has not. */
#define _GNU_SOURCE
#include <sqlite3.h>

#include "test/rf_power.h"
#include "vault/vault_world.h"

enum { NAMES = 6, DEEDS_MAX = 400, VERSIONS_MAX = 400, ROUNDS = 6, IMAGES = 36, WHY_BYTES = 1400 };

enum what { PUT, MARK, DELETE, RECOVER, PURGE };
struct deed {
    enum what what;
    int name, version, mark;
    size_t from, by; /* operations before it was asked for, and before it was answered */
};
struct version {
    int name;
    char id[40];
    uint32_t bytes;
};
/* How things stand. */
struct view {
    enum { NONE, LIVE, DELETED } names[NAMES];
    bool has[VERSIONS_MAX];
    int marks[VERSIONS_MAX];
};
struct story {
    struct vault_world worlds[2], look, *world; /* the one of this round; of an image */
    char home[64];
    struct deed deeds[DEEDS_MAX];
    int deed_count;
    struct version versions[VERSIONS_MAX];
    int version_count;
    struct view view, base; /* as the program sees it; when the round began */
    unsigned images;
    char why[WHY_BYTES];
};
static struct story the_story;

#define BROKEN(s, ...)                                                                             \
    do {                                                                                           \
        (void)snprintf((s)->why, sizeof(s)->why, __VA_ARGS__);                                     \
        return false;                                                                              \
    } while (0)

/* ---- what is done -------------------------------------------------------------------------------------------------------- */

static void apply(struct view *view, const struct version *versions, int version_count,
                  const struct deed *deed)
{
    switch (deed->what) {
    case PUT:
        view->names[deed->name] = LIVE;
        view->has[deed->version] = true;
        view->marks[deed->version] = deed->mark;
        break;
    case MARK:
        view->marks[deed->version] = deed->mark;
        break;
    case DELETE:
        view->names[deed->name] = DELETED;
        break;
    case RECOVER:
        view->names[deed->name] = LIVE;
        break;
    case PURGE:
        view->names[deed->name] = NONE;
        for (int i = 0; i < version_count; i++)
            if (versions[i].name == deed->name) view->has[i] = false;
        break;
    }
}

static const char *target(struct vault_world *w, const char *format, int name, const char *rest)
{
    rf_str text =
        rf_arena_printf(&w->site.arena, "%s/n%d%s%s", format, name, *rest == '\0' ? "" : "/", rest);
    return rf_arena_cstr(&w->site.arena, text);
}

/* A version's value tells which it is. */
static rf_str value_of(struct vault_world *w, int version, uint32_t bytes)
{
    char *text = rf_arena_alloc(&w->site.arena, bytes + 32);
    cr_assert(text != NULL);
    int len = snprintf(text, 32, "value %d ", version);
    memset(text + len, 'a' + version % 26, bytes);
    return rf_str_make(text, (size_t)len + bytes);
}

static void put(struct story *s, struct rf_prng *prng, struct deed *deed)
{
    struct vault_world *w = s->world;
    cr_assert(s->version_count < VERSIONS_MAX);
    struct version *v = &s->versions[s->version_count];
    *v = (struct version){.name = deed->name, .bytes = (uint32_t)rf_test_below(prng, 3000)};
    rf_str body =
        rf_arena_printf(&w->site.arena, "{\"value\":\"%.*s\",\"tags\":{\"mark\":\"%d\"}}%c",
                        RF_FMT(value_of(w, s->version_count, v->bytes)), deed->mark, '\0');
    v_expect(w, "PUT", target(w, "/secrets", deed->name, ""), (const char *)body.ptr, 200);
    rf_str id = json_text_at(w->answer, "id");
    size_t at = id.len;
    while (at > 0 && id.ptr[at - 1] != '/') at--;
    (void)snprintf(v->id, sizeof v->id, "%.*s", RF_FMT(rf_slice(id, at, id.len)));
    deed->version = s->version_count++;
}

/* A version of this name; -1: none. */
static int any_version(const struct story *s, struct rf_prng *prng, int name)
{
    int found = -1, count = 0;
    for (int i = 0; i < s->version_count; i++)
        if (s->versions[i].name == name && s->view.has[i] &&
            rf_test_one_in(prng, (uint64_t)++count))
            found = i;
    return found;
}

static void mark(struct story *s, struct rf_prng *prng, struct deed *deed)
{
    struct vault_world *w = s->world;
    deed->version = any_version(s, prng, deed->name);
    rf_str body = rf_arena_printf(
        &w->site.arena, "{\"attributes\":{\"enabled\":true},\"tags\":{\"mark\":\"%d\"}}%c",
        deed->mark, '\0');
    v_expect(w, "PATCH", target(w, "/secrets", deed->name, s->versions[deed->version].id),
             (const char *)body.ptr, 200);
}

static void act(struct story *s, struct rf_prng *prng)
{
    struct vault_world *w = s->world;
    struct deed deed = {.name = (int)rf_test_below(prng, NAMES), .mark = s->deed_count};
    unsigned way = (unsigned)rf_test_below(prng, 8);
    deed.from = power_now();
    if (s->view.names[deed.name] == DELETED) {
        deed.what = way < 4 ? RECOVER : PURGE;
        if (way < 4)
            v_expect(w, "POST", target(w, "/deletedsecrets", deed.name, "recover"), "{}", 200);
        else
            v_expect(w, "DELETE", target(w, "/deletedsecrets", deed.name, ""), NULL, 204);
    } else if (s->view.names[deed.name] == LIVE && way < 3) {
        deed.what = DELETE;
        v_expect(w, "DELETE", target(w, "/secrets", deed.name, ""), NULL, 200);
    } else if (s->view.names[deed.name] == LIVE && way < 5) {
        deed.what = MARK;
        mark(s, prng, &deed);
    } else {
        deed.what = PUT;
        put(s, prng, &deed);
    }
    deed.by = power_now();
    apply(&s->view, s->versions, s->version_count, &deed);
    cr_assert(s->deed_count < DEEDS_MAX);
    s->deeds[s->deed_count++] = deed;
    if (rf_test_one_in(prng, 12)) vaults_tick(w->vaults, rf_clock_now(&w->site.clock.clock));
    v_pass(w, 1);
}

/* ---- a world on files that are there --------------------------------------------------------------------------------------- */

/* Takes the keys and the clock of another one. `home` holds the folders site and keeper. */
static bool open_world(struct story *s, struct vault_world *w, const struct vault_world *like,
                       const char *home)
{
    memset(w, 0, sizeof *w);
    w->site = like->site;
    w->api = like->api;
    rf_arena_init(&w->site.arena, (size_t)1 << 30);
    w->site.directory.ctx = w->site.audit.ctx = &w->site;
    (void)snprintf(w->folder, sizeof w->folder, "%s", home);
    (void)snprintf(w->site.folder, sizeof w->site.folder, "%s/site", home);
    cr_assert(rf_arena_str(&w->site.arena, like->token, &w->token));
    cr_assert(rf_arena_str(&w->site.arena, like->site.cert, &w->site.cert));
    rf_str path = rf_arena_printf(&w->site.arena, "%s/state%c", w->site.folder, '\0');
    struct state_options options = {.path = (const char *)path.ptr};
    if (state_open(&options, &w->site.state, &w->err) != RF_OK)
        BROKEN(s, "the state does not open: %s", w->err.text);
    cr_assert(authz_new(w->site.state, w->site.site.tenant_id, &w->site.authz, &w->err) == RF_OK);
    v_open_keeper(w);
    v_open(w);
    return true;
}

static void close_world(struct vault_world *w, bool state)
{
    if (state) {
        v_close(w);
        v_close_keeper(w);
        authz_free(w->site.authz);
        state_close(w->site.state);
    }
    rf_arena_done(&w->site.arena);
}

/* ---- looking at an image ------------------------------------------------------------------------------------------------------ */

static bool fits_version(struct story *s, struct vault_world *w, const struct view *view,
                         int number)
{
    const struct version *v = &s->versions[number];
    bool wanted = view->names[v->name] == LIVE && view->has[number];
    char mark_text[16];
    int status = v_call(w, "GET", target(w, "/secrets", v->name, v->id), NULL);
    if (status != (wanted ? 200 : 404))
        BROKEN(s, "version %d of n%d: %d %.*s", number, v->name, status,
               (int)RF_MIN(w->last.body.len, 500), (const char *)w->last.body.ptr);
    if (!wanted) return true;
    (void)snprintf(mark_text, sizeof mark_text, "%d", view->marks[number]);
    if (!rf_str_eq(json_text_at(w->answer, "value"), value_of(w, number, v->bytes)))
        BROKEN(s, "version %d of n%d has another value", number, v->name);
    if (!rf_str_is(json_text_at(w->answer, "tags.mark"), mark_text))
        BROKEN(s, "version %d of n%d is marked %.*s, not %s", number, v->name,
               RF_FMT(json_text_at(w->answer, "tags.mark")), mark_text);
    return true;
}

static bool fits(struct story *s, struct vault_world *w, const struct view *view, int name)
{
    for (int i = 0; i < s->version_count; i++)
        if (s->versions[i].name == name && !fits_version(s, w, view, i)) return false;
    int status = v_call(w, "GET", target(w, "/deletedsecrets", name, ""), NULL);
    if (status != (view->names[name] == DELETED ? 200 : 404))
        BROKEN(s, "n%d among the deleted ones: %d", name, status);
    return true;
}

static bool check_files(struct story *s, const char *home)
{
    char path[200], last[KEEPER_ALARM_BYTES];
    uint64_t alarms;
    struct rf_err err;
    (void)snprintf(path, sizeof path, "%s/keeper/audit.log", home);
    cr_assert(keeper_audit_alarms(path, &alarms, last, &err) == RF_OK, "%s", err.text);
    if (alarms > 0) BROKEN(s, "a false alarm: %s", last);
    (void)snprintf(path, sizeof path, "%s/site/state", home);
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
    cr_assert(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK);
    bool good = sqlite3_step(statement) == SQLITE_ROW &&
                strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    if (!good) BROKEN(s, "SQLite's own check of the state fails");
    return true;
}

/* How things stood at the cut, in *after with what was on its way just then; which name that was, -1: none. */
static int views_at(const struct story *s, size_t cut, struct view *before, struct view *after)
{
    *before = s->base;
    int i = 0;
    for (; i < s->deed_count && s->deeds[i].by <= cut; i++)
        apply(before, s->versions, s->version_count, &s->deeds[i]);
    *after = *before;
    if (i == s->deed_count || s->deeds[i].from > cut) return -1;
    apply(after, s->versions, s->version_count, &s->deeds[i]);
    return s->deeds[i].name;
}

/* *seen: how things stand. */
static bool check_world(struct story *s, struct vault_world *w, size_t cut, struct view *seen)
{
    static struct view after;
    int under_way = views_at(s, cut, seen, &after);
    vaults_tick(w->vaults, rf_clock_now(&w->site.clock.clock));
    for (int name = 0; name < NAMES; name++) {
        if (fits(s, w, seen, name)) continue;
        if (name != under_way || !fits(s, w, &after, name)) return false;
        *seen = after;
        s->why[0] = '\0';
        under_way = -1;
    }
    return true;
}

static void folder_in(const struct story *s, const char *name, const char *part, char out[128])
{
    (void)snprintf(out, 128, "%s/%s%s", s->home, name, part);
}

static void make_image(struct story *s, size_t cut, struct rf_prng *prng, const char *name)
{
    char home[128], site[128], keeper[128];
    const char *targets[] = {site, keeper};
    folder_in(s, name, "", home);
    folder_in(s, name, "/site", site);
    folder_in(s, name, "/keeper", keeper);
    (void)mkdir(home, 0700);
    power_clear(site); /* the shared memory that is not watched too */
    power_image(cut, prng, targets);
}

static bool check_image(struct story *s, size_t cut, struct rf_prng *prng, struct view *seen)
{
    char home[128];
    folder_in(s, "image", "", home);
    make_image(s, cut, prng, "image");
    s->images++;
    bool open = open_world(s, &s->look, s->world, home);
    bool good = open && check_world(s, &s->look, cut, seen);
    close_world(&s->look, open);
    return good && check_files(s, home);
}

/* ---- the story -------------------------------------------------------------------------------------------------------------------- */

static void watch(struct story *s)
{
    char keeper[80];
    const char *folders[] = {s->world->site.folder, keeper};
    (void)snprintf(keeper, sizeof keeper, "%s/keeper", s->world->folder);
    power_watch(folders, 2);
    s->base = s->view;
    s->deed_count = 0;
}

/* The next round goes on from this image. */
static void go_on(struct story *s, size_t cut, struct rf_prng *prng, const struct view *seen,
                  int round)
{
    struct vault_world *before = s->world;
    char name[16], home[128];
    (void)snprintf(name, sizeof name, "round%d", round);
    folder_in(s, name, "", home);
    make_image(s, cut, prng, name);
    power_forget();
    s->view = *seen;
    s->world = before == s->worlds ? s->worlds + 1 : s->worlds;
    cr_assert(open_world(s, s->world, before, home), "%s", s->why);
    rf_arena_done(&before->site.arena);
    vaults_tick(s->world->vaults, rf_clock_now(&s->world->site.clock.clock));
    v_be(s->world, V_ADMIN);
}

static bool story_run(struct story *s, struct rf_prng *prng)
{
    static struct view seen;
    bool good = true;
    memset(s, 0, sizeof *s);
    power_home(s->home);
    power.clean = "vault"; /* as in crypt/keeper_power_test.c */
    s->world = s->worlds;
    v_init(s->world);
    EVP_PKEY *keys[] = {s->world->site.key, s->world->site.foreign};
    char made[64], site[64];
    memcpy(made, s->world->folder, sizeof made);
    memcpy(site, s->world->site.folder, sizeof site);
    for (int round = 0; round < ROUNDS && good; round++) {
        size_t cut = 0;
        struct rf_prng same = *prng;
        watch(s);
        for (uint32_t i = 0; i < 4 + prng->size / 4; i++) act(s, prng);
        v_close(s->world);
        v_close_keeper(s->world);
        authz_free(s->world->site.authz);
        state_close(s->world->site.state);
        for (int i = 0; i < IMAGES && good; i++) {
            cut = power_cut(prng);
            same = *prng;
            good = check_image(s, cut, prng, &seen);
        }
        if (good && round + 1 < ROUNDS) go_on(s, cut, &same, &seen, round);
    }
    power_forget();
    rf_arena_done(&s->world->site.arena);
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
    power_run("rm -rf %s %s %s", made, site, s->home);
    return good;
}

/* RF_PROP_MORE=n in the environment: n times as many. */
Test(vault_power, it_keeps_its_word_when_the_power_goes, .timeout = 100000)
{
    enum { RUNS = 2 }; /* each begins with making keys, which takes longer than its images */
    uint64_t runs = RUNS * rf_prop_number("RF_PROP_MORE", 1);
    unsigned images = 0;
    bool good = true;
    for (uint64_t run = 0; run < runs && good; run++) {
        struct rf_prng prng = {.state = rf_prop_seed_of("vault_power", run),
                               .size = run % 2 == 0 ? RF_TEST_SIZE_MAX / 4 : RF_TEST_SIZE_MAX};
        good = story_run(&the_story, &prng);
        images += the_story.images;
        cr_expect(good, "run %llu: %s", (unsigned long long)run, the_story.why);
    }
    cr_log_info("%u images", images);
}

/* The model sees it when a sync is missing. */
Test(vault_power, a_missing_sync_is_seen, .timeout = 200)
{
    static const char *const files[] = {"state-wal", "state"};
    for (size_t i = 0; i < RF_COUNT(files); i++) {
        bool seen = false;
        for (uint64_t seed = 1; seed < 12 && !seen; seed++) {
            struct rf_prng prng = {.state = rf_hash(files[i], strlen(files[i]), seed),
                                   .size = RF_TEST_SIZE_MAX / 2};
            power.deaf = files[i];
            seen = !story_run(&the_story, &prng);
            power.deaf = NULL;
        }
        cr_expect(seen, "%s", files[i]);
        cr_log_info("%s: %s", files[i], the_story.why);
    }
}
