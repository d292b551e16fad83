/* database_lease.c - leases as they are kept, how one is ended, and what ends them on time.
 *
 * A lease is stored before its login is made, and forgotten after its login is gone, so that no login is there that no lease knows. What ends it asks for
 * nothing that could not be asked twice. */
#include "vault/database_int.h"

#include "base/log.h"
#include "net/postgres_wire.h"
#include "vault/audit_int.h"

enum {
    WAITS_MAX = 40,       /* of a twentieth of a second each, for sessions to end */
    CREATE_SECONDS = 120, /* longer than any call of ours waits */
    UNSURE_SECONDS = 60,  /* what a server was told is done by then, or never */
    FIRST_WAIT = 5,
    LONGEST_WAIT = 900,
    FAILED_TRIES = 8,
    FAILED_WAIT = 3600,
    ROUND_SECONDS = 20,
    DUE_PAGE = 32,
    DOWN_MAX = 16,
    WHY_BYTES = 200,
    LEASE_BYTES_MAX = 4 << 20
};
const char vault_lease_space[] = "vault.lease";
static const char due_space[] = "vault.lease_due";
static const char *const states[] = {[LEASE_CREATING] = "creating",
                                     [LEASE_LIVE] = "live",
                                     [LEASE_REVOKING] = "revoking",
                                     [LEASE_FAILED] = "failed"};

/* ---- in the state ------------------------------------------------------------------------------------------------------------- */

static rf_str key_of(struct rf_arena *arena, rf_str guid, rf_str database, rf_str id)
{
    return rf_arena_printf(arena, "%.*s/%.*s/%.*s", RF_FMT(guid), RF_FMT(database), RF_FMT(id));
}

static rf_str due_key(struct rf_arena *arena, int64_t due, rf_str key)
{
    return rf_arena_printf(arena, "%012lld/%.*s", (long long)due, RF_FMT(key));
}

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t number = 0;
    return json_i64_at(node, name, &number) ? number : 0;
}

static bool set_text(struct rf_arena *arena, struct json_node *node, const char *name, rf_str text)
{
    return text.len == 0 || json_set_text(arena, node, name, text) != NULL;
}

static rf_str body_of(struct rf_arena *arena, const struct lease *lease)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    bool good = set_text(arena, node, "id", lease->id) &&
                set_text(arena, node, "vaultId", lease->vault_id) &&
                set_text(arena, node, "vault", lease->vault) &&
                set_text(arena, node, "role", lease->role) &&
                set_text(arena, node, "username", lease->user) &&
                set_text(arena, node, "byId", lease->by_id) &&
                set_text(arena, node, "byName", lease->by_name) &&
                set_text(arena, node, "state", rf_str_of(states[lease->state])) &&
                set_text(arena, node, "boot", lease->boot) &&
                set_text(arena, node, "why", lease->why) &&
                json_set_i64(arena, node, "created", lease->created) != NULL &&
                json_set_i64(arena, node, "expires", lease->expires) != NULL &&
                json_set_i64(arena, node, "ends", lease->ends) != NULL &&
                json_set_i64(arena, node, "due", lease->due) != NULL &&
                json_set_i64(arena, node, "tries", lease->tries) != NULL &&
                json_set_bool(arena, node, "unsure", lease->unsure) != NULL;
    return good ? json_to_text(arena, node) : (rf_str){0};
}

enum rf_kind vault_lease_of(const struct state_object *object, struct rf_arena *arena,
                            struct lease *out, struct rf_err *err)
{
    struct json_node *node;
    size_t first = rf_str_find(object->key, RF_S("/"), 0);
    size_t second = first == SIZE_MAX ? first : rf_str_find(object->key, RF_S("/"), first + 1);
    RF_TRY(json_parse(object->body, arena, &node, err));
    if (second == SIZE_MAX) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a lease");
    *out = (struct lease){.guid = rf_slice(object->key, 0, first),
                          .database = rf_slice(object->key, first + 1, second),
                          .id = rf_slice(object->key, second + 1, object->key.len),
                          .vault_id = json_text_at(node, "vaultId"),
                          .vault = json_text_at(node, "vault"),
                          .role = json_text_at(node, "role"),
                          .user = json_text_at(node, "username"),
                          .by_id = json_text_at(node, "byId"),
                          .by_name = json_text_at(node, "byName"),
                          .state = LEASE_REVOKING,
                          .created = number_at(node, "created"),
                          .expires = number_at(node, "expires"),
                          .ends = number_at(node, "ends"),
                          .due = number_at(node, "due"),
                          .tries = number_at(node, "tries"),
                          .unsure = json_bool_at(node, "unsure", false),
                          .boot = json_text_at(node, "boot"),
                          .why = json_text_at(node, "why"),
                          .etag = object->etag};
    for (size_t i = 0; i < RF_COUNT(states); i++)
        if (rf_str_is(json_text_at(node, "state"), states[i])) out->state = (enum lease_state)i;
    return RF_OK;
}

enum rf_kind vault_lease_get(struct vaults *vaults, struct state_txn *txn, rf_str guid,
                             rf_str database, rf_str id, struct rf_arena *arena, struct lease *out,
                             struct rf_err *err)
{
    struct state_object object;
    rf_str low = vault_database_lower(arena, database), name = vault_database_lower(arena, id);
    rf_str key = key_of(arena, guid, low, name);
    if (low.ptr == NULL || name.ptr == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(txn == NULL
               ? state_peek(vaults->options.state, vault_lease_space, key, arena, &object, err)
               : state_get(txn, vault_lease_space, key, arena, &object, err));
    return vault_lease_of(&object, arena, out, err);
}

/* The entry that says when the lease as it is stored is due. */
static enum rf_kind drop_due(struct state_txn *txn, struct rf_arena *arena, rf_str key,
                             struct rf_err *err)
{
    struct state_object object;
    struct lease before;
    enum rf_kind kind = state_get(txn, vault_lease_space, key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    if (kind != RF_OK) return kind;
    RF_TRY(vault_lease_of(&object, arena, &before, err));
    rf_str due = due_key(arena, before.due, key);
    if (due.ptr == NULL) return rf_fail_memory(err, arena);
    kind = state_delete(txn, due_space, due, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind vault_lease_put(struct state_txn *txn, struct rf_arena *arena, struct lease *lease,
                             struct rf_err *err)
{
    rf_str key = key_of(arena, lease->guid, lease->database, lease->id);
    rf_str role = key_of(arena, lease->guid, lease->database, lease->role);
    rf_str due = due_key(arena, lease->due, key), body = body_of(arena, lease);
    if (key.ptr == NULL || role.ptr == NULL || due.ptr == NULL || body.ptr == NULL)
        return rf_fail_memory(err, arena);
    const struct state_index index = {"role", role};
    struct state_put put = {.space = vault_lease_space,
                            .key = key,
                            .body = body,
                            .indexes = &index,
                            .index_count = 1,
                            .condition = lease->etag == 0 ? STATE_ABSENT : STATE_ETAG,
                            .etag = lease->etag};
    if (lease->etag != 0) RF_TRY(drop_due(txn, arena, key, err));
    RF_TRY(state_put(txn, &put, &lease->etag, NULL, err));
    struct state_put entry = {.space = due_space, .key = due, .body = RF_S("{}")};
    return state_put(txn, &entry, NULL, NULL, err);
}

enum rf_kind vault_lease_delete(struct state_txn *txn, struct rf_arena *arena,
                                const struct lease *lease, struct rf_err *err)
{
    rf_str key = key_of(arena, lease->guid, lease->database, lease->id);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(drop_due(txn, arena, key, err));
    enum rf_kind kind = state_delete(txn, vault_lease_space, key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind vault_lease_count(struct state_txn *txn, struct rf_arena *arena, rf_str guid,
                               rf_str database, rf_str role, uint32_t limit, uint32_t *out,
                               struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = vault_lease_space, .limit = limit};
    rf_str text = key_of(arena, guid, database, role);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    if (role.len == 0) {
        scan.prefix = text;
    } else {
        scan.index = "role";
        scan.value = text;
    }
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    *out = list.count;
    return RF_OK;
}

static enum rf_kind store(struct vault_call *call, struct lease *lease, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_lease_put(txn, call->arena, lease, err));
    return state_finish(&txn, err);
}

/* ---- at the server ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind is_there(struct postgres *pg, rf_str user, struct rf_arena *arena, bool *out,
                             struct rf_err *err)
{
    struct postgres_rows rows;
    RF_TRY(postgres_query(pg, RF_S("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1"), &user,
                          1, arena, &rows, err));
    *out = rows.rows > 0;
    return RF_OK;
}

/* To look at its sessions and end them one must be a member of it, or more. */
static enum rf_kind lock(struct postgres *pg, rf_str user, struct rf_arena *arena,
                         struct rf_err *err)
{
    struct rf_buf sql = rf_buf_in(arena);
    rf_buf_str(&sql, RF_S("ALTER ROLE "));
    RF_TRY(pg_quote_name(&sql, user, err));
    rf_buf_str(&sql, RF_S(" NOLOGIN; GRANT "));
    RF_TRY(pg_quote_name(&sql, user, err));
    rf_buf_str(&sql, RF_S(" TO CURRENT_USER"));
    if (sql.failed) return rf_fail_memory(err, arena);
    return postgres_run(pg, rf_buf_view(&sql), false, err);
}

static enum rf_kind end_sessions(struct postgres *pg, rf_str user, struct rf_arena *arena,
                                 struct rf_err *err)
{
    static const rf_str kill =
        RF_S("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE "
             "usename = $1 AND pid <> pg_catalog.pg_backend_pid()");
    static const rf_str look =
        RF_S("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE usename = $1 LIMIT 1");
    struct postgres_rows rows;
    RF_TRY(postgres_query(pg, kill, &user, 1, arena, &rows, err));
    for (int i = 0; i < WAITS_MAX && rows.rows > 0; i++) {
        RF_TRY(postgres_query(pg, look, &user, 1, arena, &rows, err));
        if (rows.rows > 0)
            RF_TRY(postgres_run(pg, RF_S("SELECT pg_catalog.pg_sleep(0.05)"), false, err));
    }
    if (rows.rows == 0) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "PostgresBusy", "sessions of the login do not end");
}

/* Without its role, whose deletion was forced in between, the login is dropped as any. */
static enum rf_kind statements(struct vault_call *call, const struct lease *lease, rf_str *out,
                               struct rf_err *err)
{
    struct database_role role = {.node = NULL};
    const struct sql_words words = {.name = lease->user};
    enum rf_kind kind = vault_role_get(call->vaults, NULL, lease->guid, lease->database,
                                       lease->role, call->arena, &role, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return vault_sql_of_role(role.node, SQL_REVOKE, &words, call->arena, out, err);
}

static enum rf_kind drop(struct vault_call *call, const struct lease *lease, struct postgres *pg,
                         struct rf_err *err)
{
    bool there;
    rf_str sql;
    RF_TRY(is_there(pg, lease->user, call->arena, &there, err));
    if (!there) return RF_OK;
    RF_TRY(statements(call, lease, &sql, err));
    RF_TRY(lock(pg, lease->user, call->arena, err));
    RF_TRY(end_sessions(pg, lease->user, call->arena, err));
    return postgres_run(pg, sql, false, err);
}

static enum rf_kind drop_login(struct vault_call *call, const struct lease *lease,
                               struct rf_err *err)
{
    struct database db;
    struct postgres *pg;
    enum rf_kind kind =
        vault_database_get(call->vaults, NULL, lease->guid, lease->database, call->arena, &db, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_INVALID, "DatabaseGone", "the database is not known any more");
    if (kind != RF_OK) return kind;
    RF_TRY(vault_database_open(call->vaults, &db, call->arena, &pg, err));
    kind = drop(call, lease, pg, err);
    postgres_close(pg);
    return kind;
}

/* ---- ending ------------------------------------------------------------------------------------------------------------------- */

bool vault_lease_is_made(const struct vault_call *call, const struct lease *lease)
{
    return lease->state == LEASE_CREATING && call->now < lease->created + CREATE_SECONDS &&
           rf_str_eq(lease->boot, vault_databases_boot(call->vaults->databases));
}

/* What stopped an end: noted, with the time of the next one. */
static enum rf_kind note_failure(struct vault_call *call, struct lease *lease,
                                 const struct rf_err *why, struct rf_err *err)
{
    int64_t wait = RF_MIN((int64_t)LONGEST_WAIT, (int64_t)FIRST_WAIT << RF_MIN(lease->tries, 8));
    /* A keeper that is away, or sealed, is no matter of the database's. */
    bool counts = strncmp(why->code, "Keeper", 6) != 0 && strcmp(why->code, "VaultSealed") != 0;
    lease->tries += counts;
    lease->unsure |= lease->state == LEASE_CREATING;
    if (lease->state != LEASE_FAILED) lease->state = LEASE_REVOKING;
    if (lease->tries >= FAILED_TRIES) {
        if (lease->state != LEASE_FAILED)
            rf_log(RF_ERROR, "vault.lease_failed", RF_KV_STR("vault", lease->vault),
                   RF_KV_STR("database", lease->database), RF_KV_STR("lease", lease->id),
                   RF_KV_STR("login", lease->user), RF_KV_STR("why", rf_str_of(why->text)));
        lease->state = LEASE_FAILED;
        wait = FAILED_WAIT;
    }
    lease->due = call->now + wait;
    lease->why = vault_database_clean(call->arena, rf_str_of(why->text), WHY_BYTES);
    return store(call, lease, err);
}

/* What ended by itself leaves a row, too. */
static void note_row(struct vault_call *call, const struct lease *lease)
{
    const struct vaults_options *options = &call->vaults->options;
    struct rf_err err;
    if (call->request != NULL) return;
    const struct vault_row row = {
        .time = call->now * RF_USEC_PER_SECOND,
        .end = rf_clock_now(options->clock),
        .vault_id = lease->vault_id,
        .operation = "DatabaseLeaseEnd",
        .id = rf_arena_printf(call->arena, "%.*s/databases/%.*s/leases/%.*s", RF_FMT(call->base),
                              RF_FMT(lease->database), RF_FMT(lease->id)),
        .status = 200};
    if (vault_row_write(&row, options->audit, call->arena, &err) != RF_OK)
        rf_log(RF_WARN, "vault.row_lost", RF_KV_STR("operation", RF_S("DatabaseLeaseEnd")),
               RF_KV_STR("why", rf_str_of(err.text)));
}

/* From here on nobody renews it. *go false: it lives on. */
static enum rf_kind claim(struct vault_call *call, struct lease *lease, bool asked, bool *go,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_lease_get(call->vaults, txn, lease->guid, lease->database, lease->id, call->arena,
                           lease, err));
    *go = !vault_lease_is_made(call, lease) &&
          (asked || lease->state != LEASE_LIVE || lease->expires <= call->now);
    if (!*go) {
        int64_t due = lease->state == LEASE_LIVE ? lease->expires : call->now + FIRST_WAIT;
        if (lease->due > call->now) return RF_OK;
        lease->due = due;
    } else if (lease->state == LEASE_CREATING || lease->state == LEASE_LIVE) {
        lease->unsure |= lease->state == LEASE_CREATING;
        lease->state = LEASE_REVOKING;
        lease->due = call->now;
        lease->tries = 0;
    } else {
        return RF_OK;
    }
    RF_TRY(vault_lease_put(txn, call->arena, lease, err));
    return state_finish(&txn, err);
}

/* A login that may come yet is looked for once more before its lease is forgotten. */
static enum rf_kind finish(struct vault_call *call, struct lease *lease, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    if (lease->unsure && call->now < lease->created + UNSURE_SECONDS) {
        lease->due = lease->created + UNSURE_SECONDS;
        lease->why = (rf_str){0};
        return store(call, lease, err);
    }
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_lease_delete(txn, call->arena, lease, err));
    RF_TRY(state_finish(&txn, err));
    note_row(call, lease);
    return RF_OK;
}

enum rf_kind vault_lease_end(struct vault_call *call, struct lease *lease, bool asked, bool *done,
                             struct rf_err *err)
{
    struct rf_err why;
    RF_TRY(claim(call, lease, asked, done, err));
    if (!*done) return RF_OK;
    enum rf_kind kind = drop_login(call, lease, &why);
    if (kind == RF_OK) return finish(call, lease, err);
    /* When somebody else has ended it meanwhile there is nothing left to note. */
    struct rf_err noting;
    enum rf_kind noted = note_failure(call, lease, &why, &noting);
    if (noted == RF_CONFLICT || noted == RF_NOT_FOUND) return RF_OK;
    if (err != NULL) *err = noted == RF_OK ? why : noting;
    return noted == RF_OK ? kind : noted;
}

/* ---- on time ------------------------------------------------------------------------------------------------------------------ */

struct due_round {
    struct vaults *vaults;
    int64_t now;
    rf_usec begun;
    struct rf_arena arena;
    rf_str down[DOWN_MAX]; /* databases that failed in this round: the others of theirs wait */
    struct rf_err why[DOWN_MAX];
    uint32_t down_count;
    rf_str first; /* of the page before */
};

static struct rf_err *down_of(struct due_round *round, rf_str place)
{
    for (uint32_t i = 0; i < round->down_count; i++)
        if (rf_str_eq(round->down[i], place)) return &round->why[i];
    return NULL;
}

static void note_down(struct due_round *round, rf_str place, const struct rf_err *why)
{
    /* What the server said of this login says nothing of the next. */
    if (round->down_count == DOWN_MAX || strcmp(why->code, "PostgresFailed") == 0) return;
    if (!rf_arena_str(&round->arena, place, &round->down[round->down_count])) return;
    round->why[round->down_count++] = *why;
}

static rf_str place_of(rf_str key)
{
    size_t end = key.len;
    while (end > 0 && key.ptr[end - 1] != '/') end--;
    return rf_slice(key, 0, end == 0 ? 0 : end - 1);
}

/* An entry whose lease is not there, or is due at another time, is a remnant. */
static enum rf_kind drop_entry(struct vaults *vaults, rf_str entry, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    enum rf_kind kind = state_delete(txn, due_space, entry, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    return kind == RF_OK ? state_finish(&txn, err) : kind;
}

static enum rf_kind do_lease(struct due_round *round, rf_str entry, int64_t due, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_object object;
    struct lease lease;
    bool done;
    rf_str key = rf_slice(entry, 13, entry.len), place = place_of(key);
    rf_arena_init(&arena, LEASE_BYTES_MAX);
    struct vault_call call = {
        .vaults = round->vaults, .arena = &arena, .now = round->now, .api = VAULT_API_2025};
    enum rf_kind kind =
        state_peek(round->vaults->options.state, vault_lease_space, key, &arena, &object, err);
    if (kind == RF_NOT_FOUND) return drop_entry(round->vaults, entry, err);
    RF_TRY(kind);
    RF_TRY(vault_lease_of(&object, &arena, &lease, err));
    if (lease.due != due) return drop_entry(round->vaults, entry, err);
    const struct site *site = round->vaults->options.site;
    call.base = rf_arena_printf(&arena, "https://%.*s.vault.%.*s:%u", RF_FMT(lease.vault),
                                RF_FMT(site->domain), site->port);
    if (call.base.ptr == NULL) return rf_fail_memory(err, &arena);
    const struct rf_err *down = down_of(round, place);
    if (down != NULL && !vault_lease_is_made(&call, &lease))
        return note_failure(&call, &lease, down, err);
    struct rf_err why;
    kind = vault_lease_end(&call, &lease, false, &done, &why);
    if (kind == RF_OK || kind == RF_NOT_FOUND || kind == RF_CONFLICT) return RF_OK;
    rf_log(RF_WARN, "vault.lease_waits", RF_KV_STR("vault", lease.vault),
           RF_KV_STR("database", lease.database), RF_KV_STR("lease", lease.id),
           RF_KV_STR("why", rf_str_of(why.text)));
    note_down(round, place, &why);
    return RF_OK;
}

/* False: nothing more is due now, *next says what is. */
static enum rf_kind do_page(struct due_round *round, bool *more, int64_t *next, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = due_space, .limit = DUE_PAGE};
    rf_arena_init(&arena, LEASE_BYTES_MAX);
    RF_TRY(state_begin_read(round->vaults->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, &arena, &list, err);
    state_end(txn);
    RF_TRY(kind);
    *more = list.count > 0;
    if (*more && rf_str_eq(list.items[0].key, round->first)) { /* it does not move: later */
        *next = round->now + FIRST_WAIT;
        *more = false;
        return RF_OK;
    }
    if (*more && !rf_arena_str(&round->arena, list.items[0].key, &round->first))
        return rf_fail_memory(err, &round->arena);
    for (uint32_t i = 0; i < list.count; i++) {
        int64_t due = 0;
        rf_str key = list.items[i].key;
        for (size_t c = 0; c < 12 && c < key.len; c++) due = due * 10 + (key.ptr[c] - '0');
        if (due > round->now) {
            *next = due;
            *more = false;
            return RF_OK;
        }
        RF_TRY(do_lease(round, key, due, err));
        *more =
            !vault_jobs_stopping(round->vaults) &&
            rf_clock_elapsed(rf_clock_real()) - round->begun < ROUND_SECONDS * RF_USEC_PER_SECOND;
        if (!*more) *next = round->now + 1;
        if (!*more) return RF_OK;
    }
    return RF_OK;
}

enum rf_kind vault_leases_due(struct vaults *vaults, int64_t now, int64_t *next, struct rf_err *err)
{
    struct due_round round = {
        .vaults = vaults, .now = now, .begun = rf_clock_elapsed(rf_clock_real())};
    enum rf_kind kind = RF_OK;
    *next = 0;
    rf_arena_init(&round.arena, 1 << 20);
    for (bool more = true; more && kind == RF_OK;) kind = do_page(&round, &more, next, err);
    rf_arena_done(&round.arena);
    return kind == RF_OK ? vault_databases_sweep(vaults, err) : kind;
}
