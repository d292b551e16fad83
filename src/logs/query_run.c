/* query_run.c - one query: who may see what, the engine, the row in LAQueryLogs. */
#include <stdio.h>
#include <time.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/pool.h"
#include "logs/query_int.h"

static int64_t thread_cpu_usec(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * RF_USEC_PER_SECOND + ts.tv_nsec / 1000;
}

static enum rf_kind run(struct logs *logs, const struct request *request,
                        const struct query_want *want, const struct query_view *view,
                        struct kql_sink *sink, struct query_result *out)
{
    const struct logs_options *options = &logs->options;
    struct running running;
    struct kql_request query = {.text = want->text,
                                .catalog = &view->catalog,
                                .memory_bytes = options->query_memory_bytes,
                                .lane_count = options->query_lanes,
                                .now_ticks = want->now_ticks,
                                .has_timespan = want->span.given,
                                .from_ticks = want->span.from_ticks,
                                .to_ticks = want->span.to_ticks,
                                .env = want->env,
                                .cancelled = &running.cancelled};
    if (query.lane_count == 0) query.lane_count = pool_processors();
    query.env.database = want->workspaces[0].name;
    query.env.cluster = request->site->domain;
    if (request->principal != NULL) query.env.principal = request->principal->object_id;
    RF_TRY(running_begin(logs->queries, request->principal, request->gone, want->wait_usec,
                         &running, want->text, &out->err));
    running_name(&running, request->client_request_id.len > 0 ? request->client_request_id
                                                              : request->request_id);
    enum rf_kind kind = kql_run(&query, sink, &out->stats, &out->err);
    running_end(&running);
    out->timed_out = kind == RF_CANCELLED && atomic_load(&running.timed_out);
    if (out->timed_out)
        return RF_FAIL(&out->err, RF_CANCELLED, "GatewayTimeout",
                       "the query ran longer than the %lld seconds that it may take",
                       (long long)(want->wait_usec / RF_USEC_PER_SECOND));
    return kind;
}

void query_run(struct logs *logs, const struct request *request, struct rf_arena *arena,
               const struct query_want *want, struct kql_sink *sink, struct query_result *out)
{
    struct rf_clock *clock = logs->options.clock;
    rf_usec begun = rf_clock_elapsed(clock);
    int64_t cpu = thread_cpu_usec();
    struct query_view view;
    *out = (struct query_result){.begun = rf_clock_now(clock)};
    out->kind = query_view_open(logs, request, arena, want->workspaces, want->workspace_count,
                                want->resource, &view, &out->err);
    if (out->kind == RF_OK) out->kind = run(logs, request, want, &view, sink, out);
    out->narrowed = view.narrowed;
    if (out->narrowed) out->stats = (struct kql_stats){.warning = out->stats.warning};
    query_view_close(&view);
    out->duration_usec = rf_clock_elapsed(clock) - begun;
    out->cpu_usec = thread_cpu_usec() - cpu;
}

/* ---- LAQueryLogs ------------------------------------------------------------------------------------------------- */

/* The text without what h"..." hides: keys of storage accounts stand there. */
void query_put_shown_text(struct rf_buf *buf, rf_str text)
{
    size_t from = 0, at = 0;
    while (at < text.len) {
        uint8_t c = text.ptr[at], before = at == 0 ? ' ' : text.ptr[at - 1];
        if (c != '"' && c != '\'') {
            at++;
            continue;
        }
        bool verbatim = before == '@';
        uint8_t mark = verbatim ? (at < 2 ? ' ' : text.ptr[at - 2]) : before;
        size_t end = at + 1;
        while (end < text.len && text.ptr[end] != c && text.ptr[end] != '\n')
            end += !verbatim && text.ptr[end] == '\\' ? 2 : 1;
        end = RF_MIN(end, text.len);
        if (mark == 'h' || mark == 'H') {
            rf_buf_str(buf, rf_slice(text, from, at + 1));
            rf_buf_str(buf, RF_S("****"));
            from = end;
        }
        at = RF_MIN(end + 1, text.len);
    }
    rf_buf_str(buf, rf_slice(text, from, text.len));
}

static rf_str ticks_text(struct rf_arena *arena, int64_t ticks)
{
    return time_iso(arena, (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND);
}

static void put_context(struct json_out *out, const struct query_want *want)
{
    json_begin_object(out, "RequestContext");
    json_begin_array(out, "workspaces");
    for (uint32_t i = 0; i < want->workspace_count; i++)
        json_put_text(out, NULL, want->workspaces[i].id);
    json_end_array(out);
    json_begin_array(out, "applications");
    json_end_array(out);
    json_begin_array(out, "resources");
    if (want->resource.len > 0) json_put_text(out, NULL, want->resource);
    json_end_array(out);
    json_end_object(out);
}

static void put_milliseconds(struct json_out *out, const char *name, int64_t usec)
{
    char text[32];
    int len =
        snprintf(text, sizeof text, "%lld.%03d", (long long)(usec / 1000), (int)(usec % 1000));
    json_put_raw(out, name, rf_str_make(text, (size_t)len));
}

static rf_str client_app(const struct request *request)
{
    bool found;
    rf_str app = http_header(request->http, "x-ms-app", &found);
    return found ? app : http_header(request->http, "user-agent", NULL);
}

void query_audit(struct logs *logs, const struct request *request, struct rf_arena *arena,
                 const struct query_want *want, const struct query_result *result, uint16_t status)
{
    if (logs->options.audit == NULL) return;
    const struct principal *principal = request->principal;
    struct rf_buf text = rf_buf_in(arena), row = rf_buf_in(arena);
    struct json_out out = json_out_to(&row);
    query_put_shown_text(&text, want->text);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(arena, result->begun));
    json_put_text(&out, "CorrelationId", want->correlation_id);
    json_put_text(&out, "AADTenantId", request->site->tenant_id);
    if (principal != NULL) {
        json_put_text(&out, "AADObjectId", principal->object_id);
        json_put_text(&out, "AADClientId", principal->app_id);
        json_put_text(&out, "AADEmail", principal->user_name);
    }
    json_put_text(&out, "ConditionalDataAccess", result->narrowed ? RF_S("true") : RF_S("false"));
    json_put_text(&out, "QueryText", rf_buf_view(&text));
    json_put_text(&out, "RequestClientApp", client_app(request));
    json_put_text(&out, "RequestTarget", want->target);
    put_context(&out, want);
    if (want->span.given) {
        json_put_text(&out, "QueryTimeRangeStart", ticks_text(arena, want->span.from_ticks));
        json_put_text(&out, "QueryTimeRangeEnd", ticks_text(arena, want->span.to_ticks));
    }
    json_put_i64(&out, "ResponseCode", status);
    put_milliseconds(&out, "ResponseDurationMs", result->duration_usec);
    json_put_i64(&out, "ResponseRowCount", (int64_t)RF_MIN(result->row_count, (uint64_t)INT32_MAX));
    put_milliseconds(&out, "StatsCPUTimeMs", result->cpu_usec);
    json_put_i64(&out, "StatsRegionCount", 1);
    json_put_i64(&out, "StatsWorkspaceCount", want->workspace_count);
    json_put_text(&out, "WorkspaceRegion", request->site->location);
    json_put_bool(&out, "IsBillableQuery", false);
    json_put_text(&out, "SourceSystem", RF_S("Ringfort"));
    json_end_object(&out);
    if (!row.failed && !text.failed)
        audit_row(logs->options.audit, "LAQueryLogs", rf_buf_view(&row));
}
