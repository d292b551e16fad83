#include "siem/siem.h"

#include <stdlib.h>

#include "siem/content_int.h"

/* Rules and what else is a resource go with the workspace by themselves, and their positions with them. */
static enum rf_kind workspace_removed(struct arm_call *call, struct arm_resource *resource,
                                      struct rf_err *err)
{
    rf_str guid = json_text_at(resource->body, "properties.customerId");
    return incident_forget_workspace(call->txn, resource->id, guid, call->arena, err);
}

static enum rf_kind make_parts(struct siem *siem, struct rf_err *err)
{
    const struct siem_options *options = &siem->options;
    struct incidents_options incidents = {.state = options->state,
                                          .arm = options->arm,
                                          .site = options->site,
                                          .audit = options->audit};
    RF_TRY(engine_new(options, &siem->engine, err));
    RF_TRY(incidents_new(&incidents, &siem->incidents, err));
    RF_TRY(catalogue_new(options->content_folders, options->content_folder_count, &siem->catalogue,
                         err));
    watchlist_functions(siem);
    siem->type_count += alert_rule_types(siem, siem->types + siem->type_count);
    siem->type_count += watchlist_types(siem, siem->types + siem->type_count);
    siem->type_count += content_types(siem, siem->types + siem->type_count);
    RF_ASSERT(siem->type_count <= SIEM_TYPES_MAX);
    siem->services[siem->service_count++] = incidents_service(siem->incidents);
    siem->services[siem->service_count++] = content_service(siem);
    siem->watch = (struct arm_watch){.type = "Microsoft.OperationalInsights/workspaces",
                                     .removed = workspace_removed,
                                     .ctx = siem};
    arm_watch(options->arm, &siem->watch);
    return arm_register(options->arm, siem->types, siem->type_count, err);
}

enum rf_kind siem_new(const struct siem_options *options, struct siem **out, struct rf_err *err)
{
    struct siem *siem = calloc(1, sizeof *siem);
    if (siem == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for detection");
    siem->options = *options;
    enum rf_kind kind = make_parts(siem, err);
    if (kind != RF_OK) {
        siem_free(siem);
        return kind;
    }
    *out = siem;
    return RF_OK;
}

enum rf_kind siem_start(struct siem *siem, struct rf_err *err)
{
    RF_TRY(content_start(siem, err));
    return engine_start(siem->engine, err);
}

void siem_step(struct siem *siem)
{
    struct engine *engine = siem->engine;
    do {
        while (engine_step(engine)) continue;
        nrt_step(engine);
    } while (engine_settle(engine));
}

rf_usec siem_next(struct siem *siem)
{
    rf_usec now = rf_clock_now(siem->options.clock);
    rf_usec at = RF_MIN(engine_next(siem->engine), nrt_next(siem->engine));
    return RF_MAX(at, now + 1);
}

void siem_stop(struct siem *siem)
{
    if (siem != NULL && siem->engine != NULL) engine_stop(siem->engine);
}

void siem_free(struct siem *siem)
{
    if (siem == NULL) return;
    engine_free(siem->engine);
    incidents_free(siem->incidents);
    catalogue_free(siem->catalogue);
    free(siem);
}

const struct service *const *siem_services(struct siem *siem, uint32_t *count)
{
    *count = siem->service_count;
    return siem->services;
}
