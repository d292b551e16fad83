/* graph_session.c - where a user is signed in, session by session. The cloud can only end all of them at once (revokeSignInSessions). Everybody sees and
 * ends what is one's own. */
#include "identity/graph_int.h"
#include "identity/signin_int.h"
#include "people/grant.h"
#include "people/session.h"

static const char *const readers[] = {"User.RevokeSessions.All", "User.ReadWrite.All",
                                      "Directory.ReadWrite.All", "User.Read.All",
                                      "Directory.Read.All"};
static const char *const writers[] = {"User.RevokeSessions.All", "User.ReadWrite.All",
                                      "Directory.ReadWrite.All"};

/* The user in the path, when the caller may look at him. */
static enum rf_kind find_user(struct graph_call *call, const char *const *roles, size_t count,
                              struct json_node **out, rf_str *id, struct rf_err *err)
{
    const struct principal *who = call->request->principal;
    bool may = false;
    for (size_t i = 0; i < count; i++) may = may || principal_has_role(who, roles[i]);
    /* Who may not look at others is not told who exists. */
    bool self = rf_str_eq_nocase(who->object_id, call->ids[0]) ||
                (who->user_name.len > 0 && rf_str_eq_nocase(who->user_name, call->ids[0]));
    if (!may && !self)
        return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                            "Insufficient privileges to complete the operation.");
    RF_TRY(graph_entity_find(call, &graph_user, 0, out, err));
    *id = json_text_at(*out, "id");
    return RF_OK;
}

/* ---- the list ---------------------------------------------------------------------------------------------------------- */

struct listing {
    struct graph_call *call;
    struct json_node **docs;
    uint32_t count;
    rf_str own_sid; /* of the caller's token; empty: none */
};

static struct json_node *doc_of(const struct listing *l, rf_str sid)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (rf_str_eq(json_text_at(l->docs[i], "id"), sid)) return l->docs[i];
    return NULL;
}

static struct json_node *add_doc(struct listing *l, rf_str sid)
{
    struct rf_arena *arena = l->call->arena;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, doc, "id", sid);
    json_set_bool(arena, doc, "isCurrent", l->own_sid.len > 0 && rf_str_eq(sid, l->own_sid));
    if (json_set(arena, doc, RF_S("applications"), json_new(arena, JSON_T_ARRAY)) == NULL)
        return NULL;
    return l->docs[l->count++] = doc;
}

static void set_time(struct listing *l, struct json_node *doc, const char *name, rf_usec time)
{
    struct rf_arena *arena = l->call->arena;
    if (time == 0)
        json_set(arena, doc, rf_str_of(name), json_new(arena, JSON_T_NULL));
    else
        json_set_text(arena, doc, name, time_graph(arena, time));
}

static struct json_node *methods_of(struct rf_arena *arena, unsigned proofs)
{
    static const struct {
        unsigned proof;
        const char *name;
    } names[] = {{PROOF_PASSWORD, "password"},
                 {PROOF_TOTP, "softwareOath"},
                 {PROOF_PASSKEY, "fido2"},
                 {PROOF_RECOVERY, "recoveryCode"},
                 {PROOF_PASS, "temporaryAccessPass"},
                 {PROOF_CERTIFICATE, "x509Certificate"}};
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (proofs & names[i].proof)
            json_append(list, json_new_text(arena, rf_str_of(names[i].name)));
    return list;
}

static bool add_session(struct listing *l, const struct session *s)
{
    struct rf_arena *arena = l->call->arena;
    struct json_node *doc = add_doc(l, s->sid);
    if (doc == NULL) return false;
    json_set_bool(arena, doc, "isBrowserSession", true);
    json_set_bool(arena, doc, "isPersistent", s->kept);
    json_set_text(arena, doc, "ipAddress", s->address);
    json_set_text(arena, doc, "userAgent", s->agent);
    set_time(l, doc, "createdDateTime", s->created);
    set_time(l, doc, "lastSeenDateTime", s->seen);
    set_time(l, doc, "provedDateTime", s->proved);
    set_time(l, doc, "secondFactorDateTime", s->second_proved);
    return json_set(arena, doc, RF_S("authenticationMethods"), methods_of(arena, s->proofs)) !=
           NULL;
}

/* Applications keep their tokens when the browser's session is over: then they stand alone. */
static bool add_family(struct listing *l, const struct family *f)
{
    struct rf_arena *arena = l->call->arena;
    rf_usec life =
        (rf_usec)(f->grant.spa ? REFRESH_SPA_SECONDS : REFRESH_IDLE_SECONDS) * RF_USEC_PER_SECOND;
    if (l->call->request->now - (f->grant.spa ? f->created : f->used) > life) return true;
    struct json_node *doc = doc_of(l, f->grant.sid), *app, *principal;
    struct rf_err ignored;
    if (doc == NULL) {
        doc = add_doc(l, f->grant.sid);
        json_set_bool(arena, doc, "isBrowserSession", false);
        set_time(l, doc, "createdDateTime", f->created);
        set_time(l, doc, "lastSeenDateTime", f->used);
        set_time(l, doc, "provedDateTime", f->grant.proved);
        set_time(l, doc, "secondFactorDateTime", f->grant.second_proved);
        json_set(arena, doc, RF_S("authenticationMethods"), methods_of(arena, f->grant.proofs));
    }
    app = json_append(json_get(doc, "applications"), json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, app, "appId", f->grant.client);
    if (object_find(l->call->txn, "servicePrincipal", "appId", f->grant.client, arena, &principal,
                    &ignored) == RF_OK)
        json_set_text(arena, app, "displayName", json_text_at(principal, "displayName"));
    set_time(l, app, "lastUsedDateTime", f->used);
    return app != NULL;
}

static enum rf_kind load(struct listing *l, rf_str user, struct rf_err *err)
{
    struct graph_call *call = l->call;
    struct session_list sessions;
    struct family_list families;
    struct person person;
    RF_TRY(person_by_id(call->txn, user, call->arena, &person, err));
    RF_TRY(sessions_of(call->txn, user, call->request->now, call->arena, &sessions, err));
    RF_TRY(families_of(call->txn, user, call->arena, &families, err));
    l->docs = rf_arena_new(call->arena, struct json_node *, sessions.count + families.count + 1);
    if (l->docs == NULL) return graph_memory(call, err);
    /* What was proved before the user was signed out everywhere counts no more. */
    for (uint32_t i = 0; i < sessions.count; i++)
        if (sessions.items[i].proved >= person.valid_from && !add_session(l, &sessions.items[i]))
            return graph_memory(call, err);
    for (uint32_t i = 0; i < families.count; i++)
        if (families.items[i].grant.proved >= person.valid_from &&
            !add_family(l, &families.items[i]))
            return graph_memory(call, err);
    return RF_OK;
}

static struct listing listing_of(struct graph_call *call)
{
    const struct principal *who = call->request->principal;
    return (struct listing){.call = call, .own_sid = json_text_at(who->claims, "sid")};
}

static enum rf_kind list(struct graph_call *call, struct rf_err *err)
{
    struct listing l = listing_of(call);
    struct json_node *user;
    rf_str id;
    RF_TRY(find_user(call, readers, RF_COUNT(readers), &user, &id, err));
    RF_TRY(load(&l, id, err));
    const struct graph_items items = {
        .docs = l.docs, .count = l.count, .context = "users('')/ringfort.sessions"};
    return graph_list_items(call, &items, err);
}

/* ---- proved a moment ago ------------------------------------------------------------------------------------------------ */

enum { ANEW_SECONDS = 15 * 60 };

enum rf_kind graph_signed_in_anew(struct graph_call *call, struct rf_err *err)
{
    const struct principal *who = call->request->principal;
    rf_usec now = call->request->now;
    if (who->type != PRINCIPAL_USER || !rf_str_eq_nocase(who->app_id, RF_S(PORTAL_APP_ID)))
        return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                            "Insufficient privileges to complete the operation.");
    struct session_list sessions;
    IDENTITY_TXN txn = NULL;
    rf_str sid = json_text_at(who->claims, "sid");
    RF_TRY(state_begin_read(call->identity->options.state, &txn, err));
    RF_TRY(sessions_of(txn, who->object_id, now, call->arena, &sessions, err));
    for (uint32_t i = 0; i < sessions.count; i++) {
        const struct session *s = &sessions.items[i];
        if (rf_str_eq_nocase(s->sid, sid) &&
            now - RF_MIN(s->proved, s->second_proved) <= (rf_usec)ANEW_SECONDS * RF_USEC_PER_SECOND)
            return RF_OK;
    }
    return request_fail(call->request, err, 403, "FreshSignInRequired",
                        "Sign in again with a second factor: what proves you is changed within %d "
                        "minutes of that.",
                        ANEW_SECONDS / 60);
}

/* ---- the end of one ---------------------------------------------------------------------------------------------------- */

static enum rf_kind end(struct graph_call *call, struct rf_err *err)
{
    struct listing l = listing_of(call);
    struct json_node *user;
    rf_str id, sid = text_lower(call->arena, call->ids[1]);
    if (sid.ptr == NULL) return graph_memory(call, err);
    RF_TRY(find_user(call, writers, RF_COUNT(writers), &user, &id, err));
    RF_TRY(load(&l, id, err));
    if (doc_of(&l, sid) == NULL) return graph_not_found(call->ids[1], err);
    RF_TRY(session_end(call->txn, sid, call->arena, err));
    RF_TRY(families_end_sid(call->txn, sid, call->arena, err));
    struct json_node *session = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, session, "id", sid);
    if (json_set_text(call->arena, session, "displayName", RF_S("Session")) == NULL)
        return graph_memory(call, err);
    graph_change(call, &(struct trail_change){.operation = "Revoke user session",
                                              .verb = "Delete",
                                              .service = "Core Directory",
                                              .category = "UserManagement",
                                              .type = "User",
                                              .target = user,
                                              .other = session,
                                              .other_type = "Other"});
    return graph_answer_empty(call, 204);
}

#define USER &graph_user
const struct graph_route graph_session_routes[] = {
    {HTTP_GET, 0, "users/{}/ringfort.sessions", NULL, list, USER},
    {HTTP_DELETE, 0, "users/{}/ringfort.sessions/{}", NULL, end, USER},
    {.path = NULL},
};
