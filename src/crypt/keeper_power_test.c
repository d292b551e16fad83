/* The power goes while the keeper works, between any two operations on its files: what it has answered stays so, what it destroyed stays destroyed, its log
 * holds from the first line to the last, and its root opens by the seal before or the one that comes. */
#define _GNU_SOURCE
#include "crypt/keeper_desk.h"
#include "test/rf_power.h"
#include "test/vault_seal_rig.h"

enum { ITEMS_MAX = 220, ACKS_MAX = 600, SEALS_MAX = 24, WHY_BYTES = 1400, ROUNDS = 3, IMAGES = 14 };
#define NEVER SIZE_MAX

struct thing { /* a version that the keeper has sealed; others keep it */
    struct seal_ring ring;
    rf_str sealed, value;
    size_t done;               /* known from here on, in operations of the round */
    size_t newer;              /* from here on a higher generation of it has been answered; NEVER */
    size_t ends_from, ends_by; /* destroyed; NEVER */
    int before;                /* the one that it takes the place of, -1 */
};
struct ack { /* what had been answered by then */
    size_t at;
    uint64_t lines, records;
    rf_str chain; /* certificates for TLS */
};
struct seal_way {
    enum root_lock_kind kind; /* 0: the key file that never was re-sealed */
    char shares[2][SHARE_TEXT_BYTES];
    size_t from, by; /* opens at the earliest, and alone from here on */
};
struct story {
    struct seal_rig rig;
    char home[64], image[80];
    struct thing things[ITEMS_MAX];
    int thing_count;
    struct ack acks[ACKS_MAX];
    int ack_count;
    struct seal_way seals[SEALS_MAX];
    int seal_count, opened_by; /* the last image */
    uint8_t heads_key[KEEPER_SECRET_BYTES];
    int next_item;
    unsigned images;
    char why[WHY_BYTES];
};
static struct story the_story;
static char
    stencil[64]; /* a keeper's files as they are behind its first start, which makes an RSA key */

#define BROKEN(s, ...)                                                                             \
    do {                                                                                           \
        (void)snprintf((s)->why, sizeof(s)->why, __VA_ARGS__);                                     \
        return false;                                                                              \
    } while (0)

/* ---- starting --------------------------------------------------------------------------------------------------------- */

/* Which of the seals opens it: the newest first, so that the older ones only get a try when it is not there. */
static enum rf_kind unseal(void *ctx, struct root_seal *seal, struct rf_err *err)
{
    struct story *s = ctx;
    for (int i = s->seal_count - 1; i >= 0; i--) {
        const struct seal_way *way = &s->seals[i];
        enum rf_kind kind = RF_CONFLICT;
        for (int share = 0; share < 2 && way->kind == ROOT_LOCK_SHARES; share++)
            kind = root_seal_enter(seal, true, rf_str_of(way->shares[share]), err);
        s->opened_by = i;
        if (kind == RF_OK) return RF_OK;
    }
    return RF_FAIL(err, RF_DENIED, "NoSealOpens", "none of %d seals opens it", s->seal_count);
}

/* With one thread that serves unless `all`. */
static void *serve_one(void *ctx)
{
    struct seal_rig *r = ctx;
    return keeper_core_work(r->core, r->served, &r->served_err) == RF_OK ? NULL : r;
}

static bool start(struct story *s, struct seal_rig *r, const char *folder, bool all)
{
    int pair[2];
    struct keeper_core_options options = {.folder = folder,
                                          .domain = RF_S("ringfort.localhost"),
                                          .clock = &r->clock.clock,
                                          .unseal = unseal,
                                          .unseal_ctx = s};
    s->opened_by = -1;
    if (keeper_core_new(&options, &r->core, &r->err) != RF_OK)
        BROKEN(s, "it does not start: %s %s", r->err.code, r->err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    r->served = pair[1];
    cr_assert(pthread_create(&r->thread, NULL, all ? seal_rig_serve : serve_one, r) == 0);
    cr_assert(keeper_connect(pair[0], &r->keeper, &r->err) == RF_OK);
    keeper_set_patience(r->keeper, 120 * RF_USEC_PER_SECOND);
    return true;
}

/* ---- what is answered ---------------------------------------------------------------------------------------------------- */

static void answered(struct story *s)
{
    struct seal_rig *r = &s->rig;
    struct keeper_keys *keys = keeper_core_keys(r->core);
    cr_assert(s->ack_count < ACKS_MAX);
    struct ack *ack = &s->acks[s->ack_count++];
    rf_str ca;
    pthread_mutex_lock(&keys->audit.lock);
    *ack = (struct ack){.lines = keys->audit.synced};
    pthread_mutex_unlock(&keys->audit.lock);
    ack->records = keys->file.head.count;
    seal_must(r, keeper_tls_chain(r->keeper, &r->arena, &ack->chain, &ca, &r->err));
    ack->at = power_now();
}

static struct thing *new_thing(struct story *s, rf_str value)
{
    cr_assert(s->thing_count < ITEMS_MAX);
    struct thing *t = &s->things[s->thing_count++];
    *t = (struct thing){.value = value,
                        .done = NEVER,
                        .newer = NEVER,
                        .ends_from = NEVER,
                        .ends_by = NEVER,
                        .before = -1};
    return t;
}

static void put(struct story *s, struct rf_prng *prng)
{
    struct seal_rig *r = &s->rig;
    uint8_t raw[2000];
    rf_str value = rf_test_bytes(prng, raw, sizeof raw, "abcdef");
    if (value.len == 0) value = RF_S("x");
    struct thing *t = new_thing(s, rf_str_make(seal_rig_copy(r, value), value.len));
    t->ring = seal_rig_ring(r, 1, 0, SEAL_SECRET);
    rf_put_u32le(t->ring.item_id + 4, (uint32_t)++s->next_item);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    struct sealed sealed;
    seal_must(
        r, seal_put(r->keeper, r->token, &t->ring, &head, t->value, &r->arena, &sealed, &r->err));
    t->ring.item_key = sealed.item_key;
    t->sealed = sealed.version;
    t->done = power_now();
}

static struct thing *pick(struct story *s, struct rf_prng *prng)
{
    for (int tries = 0; tries < 20 && s->thing_count > 0; tries++) {
        struct thing *t = &s->things[rf_test_below(prng, (uint64_t)s->thing_count)];
        if (t->ends_from == NEVER && t->newer == NEVER && t->done != NEVER) return t;
    }
    return NULL;
}

static void change(struct story *s, struct rf_prng *prng)
{
    struct seal_rig *r = &s->rig;
    struct thing *old = pick(s, prng);
    if (old == NULL) return;
    struct thing *t = new_thing(s, old->value);
    struct seal_head head;
    struct sealed sealed;
    t->ring = old->ring;
    t->before = (int)(old - s->things);
    cr_assert(seal_head_get(old->sealed, &head, &r->err) == RF_OK);
    head.generation++;
    seal_must(r, seal_change(r->keeper, r->token, &t->ring, old->sealed, &head, &r->arena, &sealed,
                             &r->err));
    t->sealed = sealed.version;
    t->done = old->newer = power_now();
}

static void read_one(struct story *s, struct rf_prng *prng)
{
    struct seal_rig *r = &s->rig;
    const struct thing *t = pick(s, prng);
    rf_str value;
    if (t == NULL) return;
    seal_must(r, seal_open(r->keeper, r->token, &t->ring, t->sealed, &r->arena, &value, &r->err));
    cr_assert(rf_str_eq(value, t->value));
}

static void destroy(struct story *s, struct rf_prng *prng)
{
    struct seal_rig *r = &s->rig;
    const struct thing *one = pick(s, prng);
    rf_str proof;
    if (one == NULL) return;
    struct seal_ring ring = one->ring;
    size_t from = power_now();
    seal_must(r, seal_destroy(r->keeper, &ring, &r->arena, &proof, &r->err));
    size_t by = power_now();
    for (int i = 0; i < s->thing_count; i++) {
        struct thing *t = &s->things[i];
        if (memcmp(t->ring.item_id, ring.item_id, SEAL_ID_BYTES) != 0) continue;
        t->ends_from = from;
        t->ends_by = by;
    }
}

/* Several threads at a time, whose answers share syncs. */
static void *burst_one(void *ctx)
{
    struct story *s = ctx;
    struct seal_rig *r = &s->rig;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (int i = 0; i < 3; i++) {
        struct rf_err err;
        rf_str value;
        const struct thing *t = &s->things[s->thing_count - 1];
        if (seal_open(r->keeper, r->token, &t->ring, t->sealed, &arena, &value, &err) != RF_OK)
            return ctx;
    }
    return NULL;
}

static void burst(struct story *s, struct rf_prng *prng)
{
    pthread_t threads[4];
    put(s, prng);
    for (size_t i = 0; i < RF_COUNT(threads); i++)
        cr_assert(pthread_create(&threads[i], NULL, burst_one, s) == 0);
    for (size_t i = 0; i < RF_COUNT(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_assert(failed == NULL);
    }
}

static bool talk(struct story *s, const char *text, char reply[ROOT_REPLY_BYTES])
{
    struct root_talk way = keeper_core_talk(s->rig.core);
    way.token_fd = -1;
    root_talk(&way, rf_str_of(text), reply);
    return strncmp(reply, "ok", 2) == 0;
}

static void rotate(struct story *s)
{
    char reply[ROOT_REPLY_BYTES];
    struct seal_rig *r = &s->rig;
    /* A root that never was re-sealed goes under a seal first, of the same kind. */
    if (!talk(s, "rotate", reply)) cr_assert(strstr(reply, "RootsMax") != NULL, "%s", reply);
    r->vault_key = seal_rig_vault(r, 1);
}

static void reseal(struct story *s, struct rf_prng *prng)
{
    char reply[ROOT_REPLY_BYTES];
    if (s->seal_count == SEALS_MAX) return;
    struct seal_way way = {.kind = rf_test_bool(prng) ? ROOT_LOCK_FILE : ROOT_LOCK_SHARES};
    const char *text = way.kind == ROOT_LOCK_FILE ? "reseal file 0 0 0 0" : "reseal shares 2 3 0 0";
    cr_assert(talk(s, text, reply), "%s", reply);
    const char *line = strchr(reply, '\n');
    for (int i = 0; i < 2 && line != NULL; i++, line = strchr(line, '\n')) {
        size_t len = strcspn(++line, "\n");
        (void)snprintf(way.shares[i], sizeof way.shares[i], "%.*s", (int)len, line);
    }
    way.from = power_now();
    cr_assert(talk(s, "commit", reply), "%s", reply);
    way.by = power_now();
    s->seals[s->seal_count++] = way;
}

static void renew(struct story *s)
{
    char reply[ROOT_REPLY_BYTES];
    rf_clock_fixed_pass(&s->rig.clock, 20 * 60 * RF_USEC_PER_SECOND);
    cr_assert(talk(s, "renew-certificate", reply), "%s", reply);
}

static void again(struct story *s)
{
    char folder[96];
    (void)snprintf(folder, sizeof folder, "%s/keeper", s->rig.folder);
    seal_rig_stop(&s->rig);
    cr_assert(start(s, &s->rig, folder, true), "%s", s->why);
}

static void act(struct story *s, struct rf_prng *prng)
{
    rf_str der;
    switch (rf_test_below(prng, 16)) {
    case 0:
        rotate(s);
        break;
    case 1:
        reseal(s, prng);
        break;
    case 2:
        renew(s);
        break;
    case 3:
        again(s);
        break;
    case 4:
        burst(s, prng);
        break;
    case 5:
        seal_must(&s->rig,
                  keeper_device_authority(s->rig.keeper, &s->rig.arena, &der, &s->rig.err));
        break;
    case 6:
    case 7:
        destroy(s, prng);
        break;
    case 8:
    case 9:
    case 10:
        change(s, prng);
        break;
    case 11:
        read_one(s, prng);
        break;
    default:
        put(s, prng);
        break;
    }
    answered(s);
}

/* ---- looking at an image --------------------------------------------------------------------------------------------------- */

/* The last that had been answered by then. */
static const struct ack *ack_at(const struct story *s, size_t cut)
{
    const struct ack *found = NULL;
    for (int i = 0; i < s->ack_count; i++)
        if (s->acks[i].at <= cut) found = &s->acks[i];
    return found;
}

/* Heads tell of all that was answered: else a cut of that much would not be seen. */
static bool check_heads(struct story *s, const struct ack *ack)
{
    char path[128];
    struct keeper_heads heads;
    struct rf_err err;
    (void)snprintf(path, sizeof path, "%s/heads", s->image);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ack == NULL) {
        if (fd >= 0) close(fd);
        return true;
    }
    if (fd < 0) BROKEN(s, "heads is gone");
    cr_assert(keeper_heads_open(&heads, fd, s->heads_key, &err) == RF_OK);
    uint64_t lines = heads.audit.count, records = heads.keys.count;
    keeper_heads_done(&heads);
    if (lines < ack->lines || records < ack->records)
        BROKEN(s, "heads tell of %llu lines and %llu records, answered were %llu and %llu",
               (unsigned long long)lines, (unsigned long long)records,
               (unsigned long long)ack->lines, (unsigned long long)ack->records);
    return true;
}

static rf_str slurp(const char *path, struct rf_arena *arena)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return (rf_str){0};
    cr_assert(fstat(fd, &status) == 0);
    uint8_t *bytes = rf_arena_alloc(arena, (size_t)status.st_size + 1);
    cr_assert(bytes != NULL);
    cr_assert(read(fd, bytes, (size_t)status.st_size) == status.st_size);
    close(fd);
    return rf_str_make(bytes, (size_t)status.st_size);
}

/* Each line's mac, reckoned by itself. */
static bool check_chain(struct story *s, const struct keeper_keys *keys, rf_str log,
                        uint64_t *lines)
{
    uint8_t text[2048] = {0}, mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1], begin[40];
    rf_str key = rf_str_make(keys->audit.key, sizeof keys->audit.key);
    *lines = 0;
    for (size_t at = 0, end; at < log.len; at = end + 1) {
        end = rf_str_find(log, RF_S("\n"), at);
        if (end == SIZE_MAX) BROKEN(s, "the log ends within a line");
        rf_str line = rf_slice(log, at, end);
        size_t head = rf_str_find(line, RF_S(",\"mac\":\""), 0);
        (void)snprintf(begin, sizeof begin, "{\"seq\":%llu,", (unsigned long long)++*lines);
        if (head == SIZE_MAX || !rf_str_starts(line, rf_str_of(begin)))
            BROKEN(s, "line %llu of the log is none", (unsigned long long)*lines);
        memcpy(text + SHA256_BYTES, line.ptr, head);
        digest_hmac_sha256(key, rf_str_make(text, SHA256_BYTES + head), mac);
        memcpy(text, mac, sizeof mac);
        keeper_hex(mac, sizeof mac, hex);
        if (!rf_str_starts(rf_slice(line, head + 8, line.len), rf_str_of(hex)))
            BROKEN(s, "the chain does not hold at line %llu", (unsigned long long)*lines);
    }
    return true;
}

static size_t bytes_of_lines(rf_str log, uint64_t lines)
{
    size_t at = 0;
    for (; lines > 0; lines--) at = rf_str_find(log, RF_S("\n"), at) + 1;
    return at;
}

static bool check_log(struct story *s, const struct keeper_keys *keys, const struct ack *ack)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    char path[128], last[KEEPER_ALARM_BYTES];
    uint64_t alarms, lines;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    (void)snprintf(path, sizeof path, "%s/audit.log", s->image);
    rf_str log = slurp(path, &arena);
    if (!check_chain(s, keys, log, &lines)) return false;
    cr_assert(keeper_audit_alarms(path, &alarms, last, &err) == RF_OK);
    if (alarms > 0) BROKEN(s, "a false alarm: %s", last);
    if (ack == NULL) return true;
    (void)snprintf(path, sizeof path, "%s/keeper/audit.log", s->rig.folder);
    rf_str whole = slurp(path, &arena);
    size_t known = bytes_of_lines(whole, ack->lines);
    if (lines < ack->lines || memcmp(whole.ptr, log.ptr, known) != 0)
        BROKEN(s, "%llu lines were answered, of %llu that are there",
               (unsigned long long)ack->lines, (unsigned long long)lines);
    return true;
}

static bool check_thing(struct story *s, struct seal_rig *r, const struct thing *t, int number,
                        size_t cut)
{
    rf_str value;
    if (t->done == NEVER || t->done > cut) return true;
    rf_clock_fixed_pass(&r->clock, RF_USEC_PER_SECOND);
    enum rf_kind kind =
        seal_open(r->keeper, r->token, &t->ring, t->sealed, &r->arena, &value, &r->err);
    bool gone = kind != RF_OK && strcmp(r->err.code, "SealDestroyed") == 0;
    bool older = kind != RF_OK && strcmp(r->err.code, "SealRolledBack") == 0;
    if (t->ends_by <= cut && !gone) BROKEN(s, "version %d was destroyed and is back", number);
    if (t->ends_from >= cut && gone) BROKEN(s, "version %d is destroyed by nobody", number);
    if (gone || (older && t->newer != NEVER)) return true;
    if (kind != RF_OK) BROKEN(s, "version %d: %s %s", number, r->err.code, r->err.text);
    if (!rf_str_eq(value, t->value)) BROKEN(s, "version %d has another value", number);
    return true;
}

/* Newer ones first: then the older ones of the same version are refused, as floors say. Of many a part is enough. */
static bool check_things(struct story *s, struct seal_rig *r, size_t cut, struct rf_prng *prng)
{
    rf_str value;
    for (int i = s->thing_count - 1; i >= 0; i--) {
        const struct thing *t = &s->things[i];
        if (t->ends_from == NEVER && s->thing_count > 16 && !rf_test_one_in(prng, 4)) continue;
        if (!check_thing(s, r, t, i, cut)) return false;
        if (t->done == NEVER || t->done > cut || t->before < 0 || t->ends_from <= cut) continue;
        const struct thing *old = &s->things[t->before];
        if (seal_open(r->keeper, r->token, &old->ring, old->sealed, &r->arena, &value, &r->err) ==
            RF_OK)
            BROKEN(s, "version %d opens although a newer one was", t->before);
    }
    return true;
}

/* The seal that opened is the last that was answered, or one that was on its way. */
static bool check_seal(struct story *s, const struct keeper_keys *keys, size_t cut)
{
    int newest = 0;
    for (int i = 0; i < s->seal_count; i++)
        if (s->seals[i].by <= cut) newest = i;
    for (int i = newest; i < s->seal_count && s->seals[i].from <= cut; i++) {
        bool file = s->seals[i].kind != ROOT_LOCK_SHARES;
        if (s->opened_by == i) return true;
        if (s->opened_by < 0 && file &&
            (keys->seal.slot.counter == 0 || keys->seal.slot.locks[0].kind == ROOT_LOCK_FILE)) {
            s->opened_by = i;
            return true;
        }
    }
    BROKEN(s, "an old seal opens it (%d, not %d)", s->opened_by, newest);
}

static bool check_certificate(struct story *s, struct seal_rig *r, size_t cut)
{
    rf_str chain, ca;
    const struct ack *ack = ack_at(s, cut);
    if (ack == NULL) return true;
    if (keeper_tls_chain(r->keeper, &r->arena, &chain, &ca, &r->err) != RF_OK)
        BROKEN(s, "no certificate: %s", r->err.text);
    for (; ack < s->acks + s->ack_count; ack++) {
        if (rf_str_eq(ack->chain, chain)) return true;
        if (ack->at > cut && !rf_str_eq(ack->chain, ack_at(s, cut)->chain)) break;
    }
    BROKEN(s, "another certificate than was shown");
}

/* Whether the keeper is as it must be when the power went after `cut` operations. */
static bool check_image(struct story *s, size_t cut, struct rf_prng *prng)
{
    const char *targets[] = {s->image};
    struct seal_rig r = {.clock = s->rig.clock, .token = s->rig.token};
    const struct ack *ack = ack_at(s, cut);
    s->images++;
    power_image(cut, prng, targets);
    r.clock.clock = s->rig.clock.clock;
    rf_arena_init(&r.arena, 16 << 20);
    bool good = check_heads(s, ack);
    if (good && start(s, &r, s->image, false)) {
        const struct keeper_keys *keys = keeper_core_keys(r.core);
        good = check_seal(s, keys, cut) && check_log(s, keys, ack) &&
               (ack == NULL || check_things(s, &r, cut, prng)) && check_certificate(s, &r, cut);
        seal_rig_stop(&r);
    } else {
        good = false;
    }
    rf_arena_done(&r.arena);
    if (!good && getenv("POWER_SHOW") != NULL) power_show(cut);
    return good;
}

/* ---- the story ----------------------------------------------------------------------------------------------------------------- */

static void story_begin(struct story *s)
{
    memset(s, 0, sizeof *s);
    power_home(s->home);
    (void)snprintf(s->image, sizeof s->image, "%s/image", s->home);
    (void)snprintf(s->rig.folder, sizeof s->rig.folder, "%s", s->home);
    rf_clock_fixed_init(&s->rig.clock, RIG_START * RF_USEC_PER_SECOND, 0);
    rf_arena_init(&s->rig.arena, 64 << 20);
    s->seal_count = 1;
    if (*stencil != '\0') power_run("cp -a %s/keeper %s", stencil, s->home);
    power.clean = "vault"; /* garbage there is told of, as nothing says where it was synced last */
}

/* Starts in the folder, and does some things. */
static void round_begin(struct story *s, struct rf_prng *prng)
{
    char folder[96];
    const char *folders[] = {folder};
    struct seal_rig *r = &s->rig;
    (void)snprintf(folder, sizeof folder, "%s/keeper", s->home);
    (void)mkdir(folder, 0700);
    power_watch(folders, 1);
    cr_assert(start(s, r, folder, true), "%s", s->why);
    memcpy(s->heads_key, keeper_core_keys(r->core)->heads.key, sizeof s->heads_key);
    r->token = seal_rig_token(r, &(struct rig_token){.from = 0, .to = 20 * 3600});
    r->vault_key = seal_rig_vault(r, 1);
    answered(s);
    for (uint32_t i = 0; i < 2 + prng->size / 4; i++) act(s, prng);
}

/* What is left of what is known when the power went there. */
static void round_end(struct story *s, size_t cut)
{
    int kept = 0, places[ITEMS_MAX];
    for (int i = 0; i < s->thing_count; i++) {
        struct thing t = s->things[i];
        places[i] = -1;
        /* Of what was on its way to destruction nothing is known. */
        if (t.done == NEVER || t.done > cut || (t.ends_from <= cut && t.ends_by > cut)) continue;
        t.done = 0;
        t.newer = t.newer <= cut ? 0 : NEVER;
        t.ends_from = t.ends_by = t.ends_by <= cut ? 0 : NEVER;
        if (t.before >= 0) t.before = places[t.before];
        places[i] = kept;
        s->things[kept++] = t;
    }
    s->thing_count = kept;
    s->seals[0] = s->seals[RF_MAX(s->opened_by, 0)];
    s->seals[0].from = s->seals[0].by = 0;
    s->seal_count = 1;
    s->ack_count = 0;
}

static bool story_run(struct story *s, struct rf_prng *prng)
{
    bool good = true, first = *stencil == '\0';
    story_begin(s);
    for (int round = 0; round < ROUNDS && good; round++) {
        size_t cut = 0;
        round_begin(s, prng);
        seal_rig_stop(&s->rig);
        for (int i = 0; i < IMAGES && good; i++) {
            cut = power_cut(prng);
            /* Of the first start a part, as each of those images has to make keys too. */
            if (first && round == 0 && i > IMAGES / 2) cut = RF_MAX(cut, s->acks[0].at);
            struct rf_prng same = *prng;
            good = check_image(s, cut, prng);
            if (!good || i < IMAGES - 1) continue;
            /* It goes on from this one, as it was before it was opened. */
            char folder[96];
            const char *targets[] = {folder};
            (void)snprintf(folder, sizeof folder, "%s/next", s->home);
            power_image(cut, &same, targets);
        }
        power_forget();
        if (!good) break;
        power_run("cd %s && rm -rf keeper && mv next keeper", s->home);
        round_end(s, cut);
    }
    return good;
}

static void story_end(struct story *s)
{
    rf_arena_done(&s->rig.arena);
    power_run("rm -rf %s", s->home);
}

/* From now on stories begin with a keeper that is there. */
static void begin_with_keys(struct story *s)
{
    char folder[96];
    story_begin(s);
    (void)snprintf(folder, sizeof folder, "%s/keeper", s->home);
    cr_assert(start(s, &s->rig, folder, true), "%s", s->why);
    seal_rig_stop(&s->rig);
    rf_arena_done(&s->rig.arena);
    memcpy(stencil, s->home, sizeof stencil);
}

static void forget_keys(void)
{
    power_run("rm -rf %s", stencil);
    *stencil = '\0';
}

/* RF_PROP_MORE=n in the environment: n times as many. */
Test(keeper_power, it_keeps_its_word_when_the_power_goes, .timeout = 100000)
{
    enum { RUNS = 14, FROM_NOTHING = 1 };
    uint64_t runs = RUNS * rf_prop_number("RF_PROP_MORE", 1);
    unsigned images = 0;
    bool good = true;
    for (uint64_t run = 0; run < runs && good; run++) {
        struct rf_prng prng = {.state = rf_prop_seed_of("keeper_power", run),
                               .size = (uint32_t)(1 + run % RUNS * RF_TEST_SIZE_MAX / RUNS)};
        if (run % RUNS == 0 && run > 0) forget_keys();
        if (run % RUNS == FROM_NOTHING) begin_with_keys(&the_story);
        good = story_run(&the_story, &prng);
        images += the_story.images;
        cr_expect(good, "run %llu: %s", (unsigned long long)run, the_story.why);
        story_end(&the_story);
    }
    forget_keys();
    cr_log_info("%u images", images);
}

/* The model sees it when a sync is missing: each file's, in turn. */
static const char *const deaf_files[] = {"audit.log", "heads",     "keys",
                                         "vault",     "root.seal", "root.key"};

static bool is_seen(const char *file)
{
    bool seen = false;
    for (uint64_t seed = 1; seed < 40 && !seen; seed++) {
        struct rf_prng prng = {.state = rf_hash(file, strlen(file), seed),
                               .size = RF_TEST_SIZE_MAX};
        power.deaf = file;
        seen = !story_run(&the_story, &prng);
        power.deaf = NULL;
        story_end(&the_story);
    }
    return seen;
}

Test(keeper_power, a_missing_sync_is_seen, .timeout = 200)
{
    begin_with_keys(&the_story);
    for (size_t i = 0; i < RF_COUNT(deaf_files); i++) {
        if (strcmp(deaf_files[i], "root.key") == 0) forget_keys(); /* it is made but once */
        cr_expect(is_seen(deaf_files[i]), "%s", deaf_files[i]);
        cr_log_info("%s: %s", deaf_files[i], the_story.why);
    }
}
