#include "siem/siem.h"

#include <stdlib.h>

#include "siem/content_int.h"

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
