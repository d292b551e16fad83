/* keys_rotation.c - rotation policies (contract 5.3), rotation by hand and on time.
 *
 * The policy is item->more: {"lifetimeActions":[...],"expiryTime":"P2Y","created":n,"updated":n,"notified":"VERSION","ended":"VERSION"}; the last two say of
 * which version it was told that it ends soon, and that it has ended. */
#include <time.h>

#include "base/log.h"
#include "vault/audit_int.h"
#include "vault/keys_int.h"

enum {
    DAY = 86400,
    LEAST_DAYS = 7,
    LEAST_EXPIRY_DAYS = 28,
    DIGITS_MAX = 5,
    DAYS_OF_MONTH = 30,
    DAYS_OF_YEAR = 365
};
static const char default_notice[] = "P30D";

/* ---- spans ------------------------------------------------------------------------------------------------------------ */

bool vault_span_read(rf_str text, struct key_span *out)
{
    static const char units[] = "YMD";
    int *const places[] = {&out->years, &out->months, &out->days};
    size_t at = 1, unit = 0;
    *out = (struct key_span){0};
    if (text.len < 3 || text.ptr[0] != 'P') return false;
    while (at < text.len) {
        size_t from = at;
        int number = 0;
        while (at < text.len && rf_is_digit(text.ptr[at]) && at - from < DIGITS_MAX)
            number = number * 10 + (text.ptr[at++] - '0');
        if (at == from || at == text.len) return false;
        while (unit < 3 && units[unit] != (char)text.ptr[at]) unit++;
        if (unit == 3) return false;
        *places[unit++] = number;
        at++;
    }
    return true;
}

int64_t vault_span_add(int64_t time, const struct key_span *span, int sign)
{
    time_t seconds = (time_t)time;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) return time;
    int day = tm.tm_mday;
    tm.tm_mday = 1;
    tm.tm_year += sign * span->years;
    tm.tm_mon += sign * span->months;
    int64_t month = (int64_t)timegm(&tm);
    /* A month that is too short ends with its last day: 31 January and a month is 28 February. */
    struct tm next;
    seconds = (time_t)month;
    if (gmtime_r(&seconds, &next) == NULL) return time;
    next.tm_mon++;
    int64_t days = ((int64_t)timegm(&next) - month) / DAY;
    return month + (RF_MIN((int64_t)day, days) - 1 + (int64_t)sign * span->days) * DAY;
}

/* For comparisons: a month counts 30 days, a year 365. */
static int64_t days_of(const struct key_span *span)
{
    return (int64_t)span->years * DAYS_OF_YEAR + (int64_t)span->months * DAYS_OF_MONTH + span->days;
}

/* ---- a policy ----------------------------------------------------------------------------------------------------------- */

struct action {
    bool there, after_create; /* else before the end */
    rf_str text;              /* of the span */
    struct key_span span;
};
struct policy {
    struct action rotate, notify;
    rf_str expiry_text; /* empty: none */
    struct key_span expiry;
    int64_t created, updated; /* 0: it was never set */
};

static enum rf_kind bad(struct vault_call *call, struct rf_err *err, const char *what)
{
    return vault_bad(call, err, "The key rotation policy is not valid: %s", what);
}

static enum rf_kind read_span(struct vault_call *call, rf_str text, struct key_span *out,
                              struct rf_err *err)
{
    if (vault_span_read(text, out)) return RF_OK;
    return bad(call, err, "times are ISO 8601 durations of years, months, days, such as P90D.");
}

static enum rf_kind read_action(struct vault_call *call, const struct json_node *node,
                                struct policy *policy, struct rf_err *err)
{
    const struct json_node *trigger = json_get(node, "trigger");
    struct json_node *later, *earlier;
    rf_str type = json_text_at(node, "action.type");
    bool rotates = rf_str_eq_nocase(type, RF_S("Rotate"));
    if (!rotates && !rf_str_eq_nocase(type, RF_S("Notify")))
        return bad(call, err, "an action's type is Rotate or Notify.");
    if (!json_is(trigger, JSON_T_OBJECT)) return bad(call, err, "an action has a trigger.");
    RF_TRY(vault_member(call, trigger, "timeAfterCreate", JSON_T_STRING, &later, err));
    RF_TRY(vault_member(call, trigger, "timeBeforeExpiry", JSON_T_STRING, &earlier, err));
    rf_str after = later == NULL ? (rf_str){0} : later->text,
           before = earlier == NULL ? (rf_str){0} : earlier->text;
    if ((after.len > 0) == (before.len > 0))
        return bad(call, err, "a trigger has either timeAfterCreate or timeBeforeExpiry.");
    if (after.len > 0 && !rotates) return bad(call, err, "timeAfterCreate goes with Rotate only.");
    struct action *action = rotates ? &policy->rotate : &policy->notify;
    if (action->there) return bad(call, err, "there may be one Rotate and one Notify.");
    *action = (struct action){
        .there = true, .after_create = after.len > 0, .text = after.len > 0 ? after : before};
    RF_TRY(read_span(call, action->text, &action->span, err));
    if (days_of(&action->span) >= LEAST_DAYS) return RF_OK;
    return bad(call, err, "a trigger's time is at least P7D.");
}

static enum rf_kind check_policy(struct vault_call *call, const struct policy *policy,
                                 struct rf_err *err)
{
    int64_t expiry = days_of(&policy->expiry), rotate = days_of(&policy->rotate.span);
    bool ends = policy->expiry_text.len > 0;
    if (ends && expiry < LEAST_EXPIRY_DAYS) return bad(call, err, "expiryTime is at least P28D.");
    if (policy->rotate.there && !policy->rotate.after_create && !ends)
        return bad(call, err, "Rotate by timeBeforeExpiry needs an expiryTime.");
    /* After creation, or before the end: the rest up to the other one is as long in both cases. */
    if (policy->rotate.there && ends && expiry - rotate < LEAST_DAYS)
        return bad(call, err,
                   "a key is rotated at least 7 days after it was made and 7 days before it ends.");
    if (policy->notify.there && ends && days_of(&policy->notify.span) >= expiry)
        return bad(call, err, "the notice would come before the key is made.");
    return RF_OK;
}

static enum rf_kind read_actions(struct vault_call *call, const struct json_node *actions,
                                 struct policy *out, struct rf_err *err)
{
    for (const struct json_node *n = actions == NULL ? NULL : actions->first; n != NULL;
         n = n->next) {
        if (!json_is(n, JSON_T_OBJECT)) return bad(call, err, "an action is an object.");
        RF_TRY(read_action(call, n, out, err));
    }
    return RF_OK;
}

/* Of a body, or of what is kept, where the same members lie one step higher. */
static enum rf_kind read_policy(struct vault_call *call, const struct json_node *from,
                                rf_str expiry, struct policy *out, struct rf_err *err)
{
    *out = (struct policy){.expiry_text = expiry};
    RF_TRY(read_actions(call, json_get(from, "lifetimeActions"), out, err));
    if (expiry.len > 0) RF_TRY(read_span(call, expiry, &out->expiry, err));
    return check_policy(call, out, err);
}

/* What counts for an item; one that nobody has set tells 30 days before the end. */
static void policy_of(const struct vault_item *item, struct policy *out)
{
    struct vault_call nobody = {.vaults = NULL};
    bool there = json_get(item->more, "updated") != NULL &&
                 read_policy(&nobody, item->more, json_text_at(item->more, "expiryTime"), out,
                             NULL) == RF_OK;
    if (!there) *out = (struct policy){.created = 0};
    if (!there || (!out->rotate.there && !out->notify.there)) {
        out->notify = (struct action){.there = true, .text = rf_str_of(default_notice)};
        (void)vault_span_read(out->notify.text, &out->notify.span);
    }
    if (!there) return;
    (void)json_i64_at(item->more, "created", &out->created);
    (void)json_i64_at(item->more, "updated", &out->updated);
}

/* ---- showing and setting ---------------------------------------------------------------------------------------------- */

static bool put_action(struct rf_arena *arena, struct json_node *list, const struct action *action,
                       const char *type)
{
    if (!action->there) return true;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    struct json_node *trigger = json_object_in(arena, out, "trigger");
    return trigger != NULL &&
           json_set_text(arena, trigger,
                         action->after_create ? "timeAfterCreate" : "timeBeforeExpiry",
                         action->text) != NULL &&
           json_set_text(arena, json_object_in(arena, out, "action"), "type", rf_str_of(type)) !=
               NULL &&
           json_append(list, out) != NULL;
}

static struct json_node *actions_of(struct rf_arena *arena, const struct policy *policy)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    bool good = list != NULL && put_action(arena, list, &policy->rotate, "Rotate") &&
                put_action(arena, list, &policy->notify, "Notify");
    return good ? list : NULL;
}

static enum rf_kind answer(struct vault_call *call, const struct vault_item *item,
                           struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct policy policy;
    policy_of(item, &policy);
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *list = actions_of(arena, &policy),
                     *attributes;
    rf_str id = rf_arena_printf(arena, "%.*s/keys/%.*s/rotationpolicy", RF_FMT(call->base),
                                RF_FMT(item->name));
    bool good = out != NULL && list != NULL && id.ptr != NULL &&
                json_set_text(arena, out, "id", id) != NULL &&
                json_set(arena, out, RF_S("lifetimeActions"), list) != NULL;
    attributes = good ? json_object_in(arena, out, "attributes") : NULL;
    if (attributes == NULL) return rf_fail_memory(err, arena);
    good =
        policy.expiry_text.len > 0
            ? json_set_text(arena, attributes, "expiryTime", policy.expiry_text) != NULL
            : json_set(arena, attributes, RF_S("expiryTime"), json_new(arena, JSON_T_NULL)) != NULL;
    if (policy.updated != 0)
        good = good && json_set_i64(arena, attributes, "created", policy.created) != NULL &&
               json_set_i64(arena, attributes, "updated", policy.updated) != NULL;
    call->audit_id = id;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

static enum rf_kind need_item(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return vault_item_need(call, txn, SEAL_KEY, call->name, item, err);
}

enum rf_kind vault_key_policy_get(struct vault_call *call, struct rf_err *err)
{
    struct vault_item item;
    RF_TRY(need_item(call, &item, err));
    return answer(call, &item, err);
}

static enum rf_kind keep_policy(struct vault_call *call, struct vault_item *item,
                                const struct policy *policy, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *more = item->more == NULL ? json_new(arena, JSON_T_OBJECT)
                                                : json_clone(arena, item->more),
                     *list = actions_of(arena, policy);
    int64_t created = call->now;
    (void)json_i64_at(more, "created", &created);
    bool good = more != NULL && list != NULL &&
                json_set(arena, more, RF_S("lifetimeActions"), list) != NULL &&
                json_set_text(arena, more, "expiryTime", policy->expiry_text) != NULL &&
                json_set_i64(arena, more, "created", created) != NULL &&
                json_set_i64(arena, more, "updated", call->now) != NULL;
    if (good && policy->expiry_text.len == 0) json_remove(more, RF_S("expiryTime"));
    item->more = more;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

struct setting {
    struct policy policy;
    struct vault_item item;
};

static enum rf_kind try_put(struct vault_call *call, void *ctx, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct setting *set = ctx;
    struct vault_version latest;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_KEY, call->name, &set->item, err));
    if (set->item.managed) return vault_is_managed(call, &set->item, err);
    RF_TRY(vault_version_get(call, txn, &set->item, (rf_str){0}, &latest, err));
    RF_TRY(keep_policy(call, &set->item, &set->policy, err));
    set->item.due = vault_key_next(&set->item, &latest, call->now);
    RF_TRY(vault_item_put(call, txn, &set->item, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_key_policy_put(struct vault_call *call, struct rf_err *err)
{
    struct setting set = {0};
    struct json_node *actions, *attributes, *expiry = NULL;
    RF_TRY(vault_member(call, call->body, "lifetimeActions", JSON_T_ARRAY, &actions, err));
    RF_TRY(vault_member(call, call->body, "attributes", JSON_T_OBJECT, &attributes, err));
    if (attributes != NULL)
        RF_TRY(vault_member(call, attributes, "expiryTime", JSON_T_STRING, &expiry, err));
    RF_TRY(read_policy(call, call->body, expiry == NULL ? (rf_str){0} : expiry->text, &set.policy,
                       err));
    RF_TRY(vault_retry(call, try_put, &set, err));
    return answer(call, &set.item, err);
}

/* ---- rotating -------------------------------------------------------------------------------------------------------------- */

/* A new version like the latest one. */
static enum rf_kind begin_rotation(struct vault_call *call, struct key_making *making,
                                   struct vault_version *latest, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct policy policy;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, SEAL_KEY, call->name, &making->item, err));
    if (making->item.managed) return vault_is_managed(call, &making->item, err);
    RF_TRY(vault_version_get(call, txn, &making->item, (rf_str){0}, latest, err));
    if (seal_head_get(latest->sealed, &making->head, err) != RF_OK)
        return vault_seal_error(call, err);
    RF_TRY(vault_version_init(call, &making->version, err));
    policy_of(&making->item, &policy);
    if (policy.expiry_text.len > 0)
        making->version.expires = vault_span_add(call->now, &policy.expiry, 1);
    making->version.tags = latest->tags;
    making->version.more = latest->more;
    return RF_OK;
}

static enum rf_kind try_rotate(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct key_making *making = ctx;
    struct vault_version latest;
    RF_TRY(begin_rotation(call, making, &latest, err));
    RF_TRY(vault_key_seal(call, making, err));
    return vault_key_store(call, making, true, err);
}

enum rf_kind vault_key_rotate(struct vault_call *call, struct rf_err *err)
{
    struct key_making making = {.material = {0}};
    RF_TRY(vault_retry(call, try_rotate, &making, err));
    struct json_node *out = vault_key_show(call, &making.item, &making.version);
    call->audit_id = vault_object_id(call, "keys", making.item.name, making.version.version);
    if (out == NULL || call->audit_id.ptr == NULL) return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, out);
}

/* ---- on time ------------------------------------------------------------------------------------------------------------------ */

struct times {
    int64_t rotate, notify, end; /* 0: never */
};

static struct times times_of(const struct vault_item *item, const struct vault_version *latest)
{
    struct policy policy;
    struct times times = {0};
    rf_str version = latest->version;
    /* Of one that has ended nobody needs to hear any more that it soon will. */
    bool ends = latest->expires != SEAL_NO_TIME,
         tells = ends && !rf_str_eq(json_text_at(item->more, "ended"), version);
    policy_of(item, &policy);
    /* Who has disabled a key wants no new one; to enable it brings the item here again. */
    if (!latest->enabled) policy.rotate.there = false;
    if (policy.rotate.there && policy.rotate.after_create)
        times.rotate = vault_span_add(latest->created, &policy.rotate.span, 1);
    if (policy.rotate.there && !policy.rotate.after_create && ends)
        times.rotate = vault_span_add(latest->expires, &policy.rotate.span, -1);
    if (policy.notify.there && tells && !rf_str_eq(json_text_at(item->more, "notified"), version))
        times.notify = vault_span_add(latest->expires, &policy.notify.span, -1);
    if (tells) times.end = latest->expires;
    return times;
}

/* The earliest that is left, not before now: a job that comes late does all of it. */
static int64_t earliest(const struct times *times, int64_t now)
{
    int64_t next = 0, all[] = {times->rotate, times->notify, times->end};
    for (size_t i = 0; i < RF_COUNT(all); i++)
        if (all[i] != 0 && (next == 0 || all[i] < next)) next = all[i];
    return next == 0 ? 0 : RF_MAX(next, now);
}

int64_t vault_key_next(const struct vault_item *item, const struct vault_version *latest,
                       int64_t now)
{
    if (item->managed) return 0;
    struct times times = times_of(item, latest);
    return earliest(&times, now);
}

/* What the program did by itself leaves a row, too; what it did stays done when there is no memory for that. */
static void note_row(struct vault_call *call, const char *operation, const struct vault_item *item,
                     const struct vault_version *version)
{
    const struct vaults_options *options = &call->vaults->options;
    struct rf_err err;
    const struct vault_row row = {.time = call->now * RF_USEC_PER_SECOND,
                                  .end = rf_clock_now(options->clock),
                                  .vault_id = call->place.id,
                                  .operation = operation,
                                  .id = vault_object_id(call, "keys", item->name, version->version),
                                  .status = 200};
    if (vault_row_write(&row, options->audit, call->arena, &err) != RF_OK)
        rf_log(RF_WARN, "vault.row_lost", RF_KV_STR("operation", rf_str_of(operation)),
               RF_KV_STR("why", rf_str_of(err.text)));
}

/* Rotates the item as it was seen. When somebody has changed it since, the next round looks again: a second rotation would follow one by hand. */
static enum rf_kind rotate_due(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    struct key_making making = {.material = {0}};
    struct vault_version latest;
    call->name = item->name;
    call->version = (rf_str){0};
    RF_TRY(begin_rotation(call, &making, &latest, err));
    if (making.item.etag != item->etag)
        return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "the key was changed meanwhile");
    RF_TRY(vault_key_seal(call, &making, err));
    RF_TRY(vault_key_store(call, &making, true, err));
    *item = making.item;
    note_row(call, "KeyRotateIfDue", item, &making.version);
    return RF_OK;
}

/* Tells of this version (`event` NULL: nothing) and notes that, as `what`, and when the job comes next. */
static enum rf_kind tell(struct vault_call *call, struct vault_item *item,
                         const struct vault_version *latest, const char *what, const char *event,
                         struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = call->arena;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, true, item, err));
    struct json_node *more =
        item->more == NULL ? json_new(arena, JSON_T_OBJECT) : json_clone(arena, item->more);
    if (more == NULL || (what != NULL && json_set_text(arena, more, what, latest->version) == NULL))
        return rf_fail_memory(err, arena);
    item->more = more;
    item->due = vault_key_next(item, latest, call->now + 1);
    RF_TRY(vault_item_put(call, txn, item, err));
    if (event != NULL) RF_TRY(vault_publish(call, txn, event, SEAL_KEY, item->name, latest, err));
    return state_finish(&txn, err);
}

static enum rf_kind read_latest(struct vault_call *call, const struct vault_item *item,
                                struct vault_version *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return vault_version_get(call, txn, item, (rf_str){0}, out, err);
}

enum rf_kind vault_key_due(struct vault_call *call, struct vault_item *item, struct rf_err *err)
{
    struct vault_version latest;
    if (item->latest.len == 0 || item->managed) {
        latest = (struct vault_version){.expires = SEAL_NO_TIME};
        return tell(call, item, &latest, NULL, NULL, err);
    }
    RF_TRY(read_latest(call, item, &latest, err));
    struct times times = times_of(item, &latest);
    if (times.rotate != 0 && times.rotate <= call->now) return rotate_due(call, item, err);
    bool ended = times.end != 0 && times.end <= call->now,
         notify = !ended && times.notify != 0 && times.notify <= call->now;
    if (!ended && !notify) return tell(call, item, &latest, NULL, NULL, err);
    RF_TRY(tell(call, item, &latest, ended ? "ended" : "notified",
                ended ? "Microsoft.KeyVault.KeyExpired" : "Microsoft.KeyVault.KeyNearExpiry", err));
    note_row(call, ended ? "KeyExpiredEventGridNotification" : "KeyNearExpiryEventGridNotification",
             item, &latest);
    return RF_OK;
}
