#include "authz/denial_int.h"

#include <pthread.h>
#include <stdlib.h>

#include "authz/activity.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"
#include "crypt/digest.h"

/* Peers share a bucket when their hashes collide, so that the table cannot grow; the seed keeps strangers from choosing
 * whom they share with. */
enum { BUCKETS = 4096 };
struct bucket {
    rf_usec since; /* of which time `rows` is left */
    double rows;
    uint64_t dropped;
};
struct denials {
    pthread_mutex_t lock;
    uint64_t seed;
    struct bucket buckets[BUCKETS];
};

struct denials *denials_new(void)
{
    struct denials *denials = calloc(1, sizeof *denials);
    if (denials == NULL) return NULL;
    pthread_mutex_init(&denials->lock, NULL);
    random_bytes(&denials->seed, sizeof denials->seed);
    for (size_t i = 0; i < BUCKETS; i++) denials->buckets[i].rows = DENIAL_BURST;
    return denials;
}

void denials_free(struct denials *denials)
{
    if (denials == NULL) return;
    pthread_mutex_destroy(&denials->lock);
    free(denials);
}

/* Whether the peer may leave one more row; *dropped: how many it could not leave before. */
static bool take_row(struct denials *denials, rf_str peer, rf_usec elapsed, uint64_t *dropped)
{
    uint64_t at = rf_hash(peer.ptr, peer.len, denials->seed) % BUCKETS;
    pthread_mutex_lock(&denials->lock);
    struct bucket *bucket = &denials->buckets[at];
    double minutes = (double)(elapsed - bucket->since) / (60.0 * RF_USEC_PER_SECOND);
    if (minutes > 0) {
        bucket->rows = RF_MIN(bucket->rows + minutes * DENIAL_ROWS_PER_MINUTE, DENIAL_BURST);
        bucket->since = elapsed;
    }
    bool may = bucket->rows >= 1;
    *dropped = may ? bucket->dropped : 0;
    if (may) {
        bucket->rows -= 1;
        bucket->dropped = 0;
    } else {
        bucket->dropped++;
    }
    pthread_mutex_unlock(&denials->lock);
    return may;
}

static void write_own(struct request *request, uint16_t status, const struct rf_err *why,
                      rf_str action, rf_str scope)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    struct json_out out = json_out_to(&buf);
    const struct principal *principal = request->principal;
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(request->arena, request->now));
    json_put_text(&out, "Process", RF_S("server"));
    json_put_text(&out, "Mechanism", status == 401 ? RF_S("token") : RF_S("role"));
    json_put_text(&out, "Code", rf_str_of(why->code));
    json_put_text(&out, "Reason", rf_str_of(why->text));
    json_put_i64(&out, "Status", status);
    json_put_text(&out, "Route", rf_str_of(request->route == NULL ? "" : request->route->path));
    json_put_text(&out, "Method", rf_str_of(http_method_name(request->http->method)));
    json_put_text(&out, "Action", action);
    json_put_text(&out, "Scope", scope);
    json_put_text(&out, "Caller", principal_caller(principal));
    json_put_text(&out, "CallerIpAddress", request->http->peer_address);
    json_put_text(&out, "Audience", principal == NULL ? (rf_str){0} : principal->audience);
    json_put_text(&out, "CorrelationId", request->request_id);
    json_put_i64(&out, "Count", 1);
    json_end_object(&out);
    if (buf.failed)
        rf_log(RF_ERROR, "audit.row_lost", RF_KV_STR("table", RF_S("RingfortDenials")));
    else
        audit_row(request->audit, "RingfortDenials", rf_buf_view(&buf));
}

void denial_write(struct denials *denials, rf_usec elapsed, struct request *request,
                  uint16_t status, const struct rf_err *why, rf_str action, rf_str scope)
{
    uint64_t dropped;
    if (request->audit == NULL) return;
    if (!take_row(denials, request->http->peer_address, elapsed, &dropped)) return;
    if (dropped > 0)
        rf_log(RF_WARN, "denial.rows_dropped", RF_KV_STR("peer", request->http->peer_address),
               RF_KV_U64("rows", dropped));
    bool is_control_plane = request->route != NULL && (request->route->audiences & AUDIENCE_ARM);
    if (!is_control_plane || status != 403 || action.len == 0) {
        write_own(request, status, why, action, scope);
        return;
    }
    struct activity activity = {.action = action,
                                .resource_id = scope,
                                .is_failure = true,
                                .status = status,
                                .code = rf_str_of(why->code)};
    activity_write(request, &activity);
}
