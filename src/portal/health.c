/* health.c - GET /portal/api/health: how the server itself does, as far as it can see from inside its sandbox: its own memory, the disk that its data lie
 * on, what waits in its queues, what holds of its hardening. Of the keeper it is told what the keeper tells, as nobody may look into that process. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/encode.h"
#include "crypt/keeper.h"
#include "portal/portal_int.h"

enum { ROLES_MAX = 8, REPORT_BYTES_MAX = 16 << 10 };

/* The newest report of each role, as rows of RingfortHardening have them. */
struct reports {
    pthread_mutex_t lock;
    struct report {
        char role[32];
        rf_str text; /* malloced */
        rf_usec at;
    } items[ROLES_MAX];
    uint32_t count;
};

enum rf_kind portal_health_new(struct portal *portal, struct rf_err *err)
{
    portal->reports = calloc(1, sizeof *portal->reports);
    if (portal->reports == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    (void)pthread_mutex_init(&portal->reports->lock, NULL);
    portal->started = rf_clock_now(portal->options.clock);
    return RF_OK;
}

void portal_health_free(struct portal *portal)
{
    struct reports *reports = portal->reports;
    if (reports == NULL) return;
    for (uint32_t i = 0; i < reports->count; i++)
        free((uint8_t *)(uintptr_t)reports->items[i].text.ptr);
    (void)pthread_mutex_destroy(&reports->lock);
    free(reports);
    portal->reports = NULL;
}

static struct report *report_of(struct reports *reports, rf_str role)
{
    for (uint32_t i = 0; i < reports->count; i++)
        if (rf_str_is(role, reports->items[i].role)) return &reports->items[i];
    if (reports->count == ROLES_MAX || role.len == 0 || role.len >= sizeof reports->items[0].role)
        return NULL;
    struct report *made = &reports->items[reports->count++];
    (void)snprintf(made->role, sizeof made->role, "%.*s", RF_FMT(role));
    return made;
}

void portal_note_hardening(struct portal *portal, rf_str row)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *report;
    rf_arena_init(&arena, 8 * REPORT_BYTES_MAX);
    if (portal == NULL || row.len > REPORT_BYTES_MAX ||
        json_parse(row, &arena, &report, NULL) != RF_OK)
        return;
    uint8_t *copy = malloc(row.len);
    if (copy == NULL) return;
    memcpy(copy, row.ptr, row.len);
    (void)pthread_mutex_lock(&portal->reports->lock);
    struct report *place = report_of(portal->reports, json_text_at(report, "Role"));
    uint8_t *old = copy;
    if (place != NULL) {
        old = (uint8_t *)(uintptr_t)place->text.ptr;
        place->text = rf_str_make(copy, row.len);
        place->at = rf_clock_now(portal->options.clock);
    }
    (void)pthread_mutex_unlock(&portal->reports->lock);
    free(old);
}

static void put_hardening(struct request *request, struct json_out *out)
{
    struct reports *reports = portal_of(request)->reports;
    json_begin_array(out, "hardening");
    (void)pthread_mutex_lock(&reports->lock);
    for (uint32_t i = 0; i < reports->count; i++) {
        if (reports->items[i].text.ptr == NULL) continue;
        json_begin_object(out, NULL);
        portal_put_time(out, request->arena, "time", reports->items[i].at);
        json_put_raw(out, "report", reports->items[i].text);
        json_end_object(out);
    }
    (void)pthread_mutex_unlock(&reports->lock);
    json_end_array(out);
}

/* ---- memory and disk ---------------------------------------------------------------------------------------------------------- */

/* The sandbox may hide /proc; then only the peak is known. */
static int64_t resident_bytes(void)
{
    long long size, resident = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return -1;
    if (fscanf(file, "%lld %lld", &size, &resident) != 2) resident = -1;
    (void)fclose(file);
    return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

static void put_processes(struct request *request, struct json_out *out,
                          const struct keeper_state *keeper)
{
    struct rusage usage = {0};
    int64_t resident = resident_bytes();
    (void)getrusage(RUSAGE_SELF, &usage);
    json_begin_array(out, "processes");
    json_begin_object(out, NULL);
    json_put_text(out, "role", RF_S("server"));
    json_put_i64(out, "pid", getpid());
    if (resident >= 0) json_put_i64(out, "residentBytes", resident);
    json_put_i64(out, "peakBytes", (int64_t)usage.ru_maxrss * 1024);
    json_put_i64(out, "cpuSeconds", usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    portal_put_time(out, request->arena, "started", portal_of(request)->started);
    json_end_object(out);
    if (keeper != NULL) {
        json_begin_object(out, NULL);
        json_put_text(out, "role", RF_S("keeper"));
        json_put_i64(out, "pid", keeper->pid);
        json_put_i64(out, "peakBytes", (int64_t)keeper->peak_bytes);
        json_put_i64(out, "cpuSeconds", keeper->cpu / RF_USEC_PER_SECOND);
        portal_put_time(out, request->arena, "started", keeper->started);
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_queue(struct json_out *out, const char *name, uint64_t waits, uint64_t room)
{
    json_begin_object(out, NULL);
    json_put_text(out, "name", rf_str_of(name));
    json_put_i64(out, "waitingBytes", (int64_t)waits);
    json_put_i64(out, "roomBytes", (int64_t)room);
    json_end_object(out);
}

static void put_queues(const struct portal_options *options, struct json_out *out)
{
    uint64_t waits, room;
    json_begin_array(out, "queues");
    for (uint32_t i = 0; i < PORTAL_QUEUES_MAX && options->queues[i].name != NULL; i++) {
        options->queues[i].look(options->queues[i].ctx, &waits, &room);
        put_queue(out, options->queues[i].name, waits, room);
    }
    if (options->hubs != NULL) {
        hubs_waits(options->hubs, &waits, &room);
        put_queue(out, "eventHubs", waits, room);
    }
    json_end_array(out);
}

/* Logs whose end is signed: nobody takes lines away behind it. */
static void put_logs(struct request *request, struct json_out *out,
                     const struct keeper_state *keeper)
{
    json_begin_array(out, "logs");
    if (keeper != NULL) {
        json_begin_object(out, NULL);
        json_put_text(out, "name", RF_S("keeper"));
        json_put_i64(out, "lines", (int64_t)keeper->lines);
        json_put_text(out, "head",
                      hex_encode(request->arena, rf_str_make(keeper->head, sizeof keeper->head)));
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_size(struct json_out *out, struct request *request, const char *name,
                     const char *below)
{
    struct stat info;
    rf_str data = portal_of(request)->options.data;
    rf_str path = rf_arena_printf(request->arena, "%.*s/%s%c", RF_FMT(data), below, '\0');
    if (path.ptr != NULL && stat((const char *)path.ptr, &info) == 0)
        json_put_i64(out, name, (int64_t)info.st_size);
}

static void put_disk(struct request *request, struct json_out *out,
                     const struct source_facts *facts)
{
    struct statvfs disk;
    const char *folder = rf_arena_cstr(request->arena, portal_of(request)->options.data);
    json_begin_object(out, "disk");
    if (folder != NULL && folder[0] != '\0' && statvfs(folder, &disk) == 0) {
        json_put_i64(out, "totalBytes", (int64_t)(disk.f_blocks * disk.f_frsize));
        json_put_i64(out, "freeBytes", (int64_t)(disk.f_bavail * disk.f_frsize));
    }
    json_put_i64(out, "tablesBytes", (int64_t)facts->disk_bytes);
    put_size(out, request, "stateBytes", "state/state.db");
    json_end_object(out);
}

/* Of hubs that somebody has looked at since the start: the others' logs are not opened for this. */
static enum rf_kind put_hubs(struct request *request, struct json_out *out, struct rf_err *err)
{
    struct hub_namespace **spaces;
    struct hubs *hubs = portal_of(request)->options.hubs;
    uint32_t space_count = 0, count, hub_count = 0;
    uint64_t bytes = 0, refused = 0;
    rf_str *names;
    if (hubs != NULL) RF_TRY(hubs_namespaces(hubs, request->arena, &spaces, &space_count, err));
    for (uint32_t s = 0; s < space_count; s++) {
        RF_TRY(hub_names(spaces[s], request->arena, &names, &count, err));
        hub_count += count;
        for (uint32_t i = 0; i < count; i++) {
            struct hub *hub;
            struct hub_traffic traffic;
            struct hub_partition_info info;
            if (hub_find(spaces[s], names[i], &hub, NULL) != RF_OK) continue;
            refused += hub_refused(hub);
            for (uint32_t p = 0; hub_partition_traffic(hub, p, &traffic); p++)
                if (traffic.is_known && hub_partition_info(hub, p, &info, NULL) == RF_OK)
                    bytes += info.bytes;
            hub_unref(hub);
        }
    }
    json_begin_object(out, "hubs");
    json_put_i64(out, "count", hub_count);
    json_put_i64(out, "bytes", (int64_t)bytes);
    json_put_i64(out, "refusedSinceStart", (int64_t)refused);
    json_end_object(out);
    return RF_OK;
}

enum rf_kind portal_health_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    *scope = portal_subscription(request->site, request->arena);
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

enum rf_kind portal_health_get(struct request *request, struct rf_err *err)
{
    struct portal *portal = portal_of(request);
    struct source_facts facts;
    RF_TRY(source_facts_read(portal->sources, request->arena, &facts, err));
    struct keeper_state keeper;
    struct rf_err ignored;
    bool has_keeper = portal->options.keeper != NULL &&
                      keeper_state(portal->options.keeper, &keeper, &ignored) == RF_OK;
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "time", time_iso(request->arena, request->now));
    json_put_text(&out, "version", portal->options.version);
    json_put_text(&out, "started", time_iso(request->arena, portal->started));
    put_processes(request, &out, has_keeper ? &keeper : NULL);
    put_queues(&portal->options, &out);
    put_logs(request, &out, has_keeper ? &keeper : NULL);
    put_disk(request, &out, &facts);
    json_begin_object(&out, "rows");
    json_put_i64(&out, "count", (int64_t)facts.rows);
    json_put_i64(&out, "sources", facts.count);
    json_put_i64(&out, "silent", facts.silent_count);
    json_end_object(&out);
    RF_TRY(put_hubs(request, &out, err));
    put_hardening(request, &out);
    json_end_object(&out);
    return portal_answer(request, &out, err);
}
