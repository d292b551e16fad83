/* live.c - GET /portal/api/live: one stream of server-sent events for each open page.
 *
 *   pulse     each second, for who may read the workspace's rows: {"time","rowsPerSecond","rowsTotal","newestRow","silent","sources"}
 *   incident  when one was made or changed, for who may read incidents: {"number","id","title","severity","status","owner","time"}
 *   hub       each second, for each of ?hubs=NAMESPACE/HUB,...: {"hub","time","in","out","inBytes","outBytes"} a second
 *   missed    {"what":"incidents"}: some changes were not told, read them anew
 *   end       the stream ends now, connect again
 *
 * Nothing is queued for who reads slowly: each wake looks at what is newest then, and what does not fit is left out. A stream ends with its token
 * and with its session, after ten minutes, and when anybody's rights have changed, as it knows those of its beginning only. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "net/event_stream.h"
#include "portal/portal_int.h"

enum {
    STREAMS_MAX = 500,
    STREAMS_PER_PERSON_MAX = 16,
    HUBS_MAX = 8,
    WAKE_BYTES_MAX = 256 << 10,
    HUB_RATE_SECONDS = 5,
    OUT_BYTES_MAX = 64 << 10
};
#define WAKE_USEC (250 * RF_USEC_PER_MS)
#define BEAT_USEC (15 * RF_USEC_PER_SECOND)
#define LIFE_USEC (600 * RF_USEC_PER_SECOND)

static const char *const right_spaces[] = {"roleAssignment", "roleDefinition", "denyAssignment",
                                           "user", "group"};

struct live {
    struct live *next;
    struct portal *portal;
    char person[64];
    struct rf_arena arena; /* names of hubs */
    struct live_hub {
        rf_str name, space, hub;
    } hubs[HUBS_MAX];
    uint32_t hub_count;
    bool sees_rows, sees_incidents, has_missed;
    uint64_t pulse, incident;
    uint64_t rights;        /* as they stood */
    rf_str cookie;          /* of the session; empty: a token was sent */
    uint64_t sessions;      /* the version at which that session stood */
    rf_usec look_at;        /* elapsed: when it is looked for again at the soonest */
    rf_usec until, beat_at; /* until: UTC; beat_at, hubs_at: elapsed */
    rf_usec hubs_at;
};
struct live_list {
    pthread_mutex_t lock;
    struct live *first;
    uint32_t count;
};

enum rf_kind live_new(struct portal *portal, struct rf_err *err)
{
    portal->live = calloc(1, sizeof *portal->live);
    if (portal->live == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    (void)pthread_mutex_init(&portal->live->lock, NULL);
    return RF_OK;
}

void live_free(struct portal *portal)
{
    if (portal->live == NULL) return;
    RF_ASSERT(portal->live->count == 0); /* the server has ended its streams */
    (void)pthread_mutex_destroy(&portal->live->lock);
    free(portal->live);
    portal->live = NULL;
}

static uint64_t rights_now(const struct portal *portal)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < RF_COUNT(right_spaces); i++)
        sum += state_version(portal->options.state, right_spaces[i]);
    return sum;
}

/* Signing out ends it within the second. */
static bool session_stands(struct live *live, rf_usec elapsed)
{
    const struct browser_sessions *sessions = live->portal->options.sessions;
    if (live->cookie.len == 0 || elapsed < live->look_at) return true;
    uint64_t version = sessions->version(sessions->ctx);
    if (version == live->sessions) return true;
    live->sessions = version;
    live->look_at = elapsed + RF_USEC_PER_SECOND;
    return sessions->stands(sessions->ctx, live->cookie);
}

/* ---- the list of streams ------------------------------------------------------------------------------------------------ */

/* False: there are as many as there may be. */
static bool enter(struct live *live)
{
    struct live_list *list = live->portal->live;
    uint32_t mine = 0;
    (void)pthread_mutex_lock(&list->lock);
    for (const struct live *l = list->first; l != NULL; l = l->next)
        mine += strcmp(l->person, live->person) == 0;
    bool fits = list->count < STREAMS_MAX && mine < STREAMS_PER_PERSON_MAX;
    if (fits) {
        live->next = list->first;
        list->first = live;
        list->count++;
    }
    (void)pthread_mutex_unlock(&list->lock);
    if (fits) watch_follow(live->portal->watch, 1);
    return fits;
}

static void leave(struct live *live)
{
    struct live_list *list = live->portal->live;
    (void)pthread_mutex_lock(&list->lock);
    struct live **at = &list->first;
    while (*at != live) at = &(*at)->next;
    *at = live->next;
    list->count--;
    (void)pthread_mutex_unlock(&list->lock);
    watch_follow(live->portal->watch, -1);
}

static void live_done(struct live *live)
{
    if (live->cookie.len > 0)
        explicit_bzero((uint8_t *)(uintptr_t)live->cookie.ptr, live->cookie.len);
    rf_arena_done(&live->arena);
    free(live);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static bool send_event(struct stream *stream, struct rf_arena *arena, const char *event,
                       rf_str data)
{
    rf_str text = rf_arena_printf(arena, "event: %s\ndata: %.*s\n\n", event, RF_FMT(data));
    return text.ptr != NULL && stream_send(stream, text);
}

static void send_pulse(struct stream *stream, struct live *live, struct rf_arena *arena)
{
    if (!live->sees_rows) return;
    rf_str pulse = watch_pulse(live->portal->watch, live->pulse, arena, &live->pulse);
    if (pulse.ptr != NULL) (void)send_event(stream, arena, "pulse", pulse);
}

static void send_incidents(struct stream *stream, struct live *live, struct rf_arena *arena)
{
    bool missed = false;
    if (!live->sees_incidents) return;
    for (;;) {
        rf_str change = watch_incident(live->portal->watch, &live->incident, arena, &missed);
        live->has_missed |= missed;
        if (live->has_missed)
            live->has_missed =
                !send_event(stream, arena, "missed", RF_S("{\"what\":\"incidents\"}"));
        if (change.ptr == NULL) return;
        if (!send_event(stream, arena, "incident", change)) live->has_missed = true;
    }
}

static void send_hubs(struct stream *stream, struct live *live, rf_usec now, rf_usec elapsed,
                      struct rf_arena *arena)
{
    if (elapsed < live->hubs_at) return;
    live->hubs_at = elapsed + RF_USEC_PER_SECOND;
    for (uint32_t i = 0; i < live->hub_count; i++) {
        const struct live_hub *hub = &live->hubs[i];
        struct watch_rate rate;
        if (!watch_hub_rate(live->portal->watch, hub->space, hub->hub, UINT32_MAX, HUB_RATE_SECONDS,
                            &rate))
            continue;
        struct rf_buf buf = rf_buf_in(arena);
        struct json_out out = json_out_to(&buf);
        json_begin_object(&out, NULL);
        json_put_text(&out, "hub", hub->name);
        json_put_text(&out, "time", time_iso(arena, now));
        portal_put_rate(&out, arena, &rate);
        json_end_object(&out);
        if (!buf.failed) (void)send_event(stream, arena, "hub", rf_buf_view(&buf));
    }
}

/* ---- handlers of the stream --------------------------------------------------------------------------------------------- */

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    (void)peer;
    (void)stream_send(stream, RF_S("retry: 1000\n\n"));
    stream_wake_in(stream, 1);
    return ctx;
}

/* Nothing that a reader of events says counts. */
static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    (void)stream, (void)state, (void)is_end;
    return bytes.len;
}

static void on_wake(struct stream *stream, void *state)
{
    struct live *live = state;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, WAKE_BYTES_MAX);
    rf_usec now = rf_clock_now(live->portal->options.clock);
    rf_usec elapsed = rf_clock_elapsed(live->portal->options.clock);
    if (now >= live->until || rights_now(live->portal) != live->rights ||
        !session_stands(live, elapsed)) {
        (void)send_event(stream, &arena, "end", RF_S("{}"));
        stream_close(stream, 0);
        return;
    }
    send_pulse(stream, live, &arena);
    send_incidents(stream, live, &arena);
    send_hubs(stream, live, now, elapsed, &arena);
    if (elapsed >= live->beat_at) {
        (void)stream_send(stream, RF_S(": here\n\n"));
        live->beat_at = elapsed + BEAT_USEC;
    }
    stream_wake_in(stream, WAKE_USEC);
}

static void on_stop(struct stream *stream, void *state)
{
    (void)state;
    stream_close(stream, 0);
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    struct live *live = state;
    (void)why, (void)code;
    leave(live);
    live_done(live);
}

static const struct stream_handlers handlers = {.on_open = on_open,
                                                .on_bytes = on_bytes,
                                                .on_wake = on_wake,
                                                .on_stop = on_stop,
                                                .on_close = on_close,
                                                .out_bytes_max = OUT_BYTES_MAX,
                                                .idle_usec_max = 2 * LIFE_USEC};

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind want_hub(struct request *request, struct live *live, rf_str name,
                             struct rf_err *err)
{
    struct portal_hub found;
    size_t slash = rf_str_find(name, RF_S("/"), 0);
    if (slash == SIZE_MAX || live->hub_count == HUBS_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "hubs must be up to %d names NAMESPACE/HUB with commas between them.",
                       HUBS_MAX);
    struct live_hub *hub = &live->hubs[live->hub_count];
    if (!rf_arena_str(&live->arena, name, &hub->name)) return rf_fail_memory(err, &live->arena);
    hub->space = rf_slice(hub->name, 0, slash);
    hub->hub = rf_slice(hub->name, slash + 1, name.len);
    RF_TRY(portal_hub_find(request, hub->space, hub->hub, &found, err));
    hub_unref(found.hub);
    RF_TRY(authz_require(request->authz, request->principal, RF_S(PORTAL_HUB_READ), found.id, false,
                         err));
    live->hub_count++;
    return RF_OK;
}

static enum rf_kind want_hubs(struct request *request, struct live *live, struct rf_err *err)
{
    rf_str list = request_parameter(request, "hubs", NULL);
    while (list.len > 0) {
        size_t end = RF_MIN(rf_str_find(list, RF_S(","), 0), list.len);
        rf_str name = rf_str_trim(rf_slice(list, 0, end));
        if (name.len > 0) RF_TRY(want_hub(request, live, name, err));
        list = rf_slice(list, RF_MIN(end + 1, list.len), list.len);
    }
    return RF_OK;
}

static enum rf_kind set_up(struct request *request, struct live *live, struct rf_err *err)
{
    struct portal *portal = portal_of(request);
    rf_str workspace = portal_workspace(request->site, request->arena);
    int64_t expires;
    live->rights = rights_now(portal); /* before they are looked at */
    if (portal->options.sessions != NULL && portal->options.sessions->version != NULL) {
        live->sessions = portal->options.sessions->version(portal->options.sessions->ctx);
        if (!rf_arena_str(&live->arena, http_cookie(request->http, PORTAL_COOKIE), &live->cookie))
            return rf_fail_memory(err, &live->arena);
    }
    RF_TRY(want_hubs(request, live, err));
    live->sees_rows = request_may(request, RF_S(PORTAL_ROWS_READ), workspace, false);
    live->sees_incidents = request_may(request, RF_S(PORTAL_INCIDENTS_READ), workspace, false);
    live->incident = watch_incident_number(portal->watch);
    live->until = request->now + LIFE_USEC;
    if (json_i64_at(request->principal->claims, "exp", &expires))
        live->until = RF_MIN(live->until, expires * RF_USEC_PER_SECOND);
    live->beat_at = rf_clock_elapsed(portal->options.clock) + BEAT_USEC;
    return RF_OK;
}

enum rf_kind live_open(struct request *request, struct rf_err *err)
{
    struct live *live = calloc(1, sizeof *live);
    if (live == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    live->portal = portal_of(request);
    rf_arena_init(&live->arena, 16 << 10);
    (void)snprintf(live->person, sizeof live->person, "%.*s",
                   RF_FMT(request->principal->object_id));
    enum rf_kind kind = set_up(request, live, err);
    if (kind == RF_OK && !enter(live))
        kind = request_fail(request, err, 429, "TooManyStreams",
                            "There are %d live streams of you, or %d in all, already. Close other "
                            "pages of the portal.",
                            STREAMS_PER_PERSON_MAX, STREAMS_MAX);
    else if (kind == RF_OK) {
        kind = event_stream_open(request->response, &handlers, live, err);
        if (kind != RF_OK) leave(live);
    }
    if (kind != RF_OK) live_done(live);
    return kind;
}
