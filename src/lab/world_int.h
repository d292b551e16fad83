/* world_int.h - what the files of the lab share. */
#ifndef RF_LAB_WORLD_INT_H
#define RF_LAB_WORLD_INT_H

#include "arm/arm.h"
#include "authz/authz.h"
#include "lab/world.h"
#include "siem/siem.h"

#define LAB_TENANT "5f6d7c8b-1a2b-4c3d-8e4f-000000000001"
#define LAB_SUBSCRIPTION "5f6d7c8b-1a2b-4c3d-8e4f-000000000002"
#define LAB_WORKSPACE "5f6d7c8b-1a2b-4c3d-8e4f-000000000003"
#define LAB_GROUP_ID "/subscriptions/" LAB_SUBSCRIPTION "/resourceGroups/lab"
#define LAB_WORKSPACE_ID LAB_GROUP_ID "/providers/Microsoft.OperationalInsights/workspaces/lab"
#define LAB_RULES LAB_WORKSPACE_ID "/providers/Microsoft.SecurityInsights/alertRules/"

enum { LAB_RUNS_MAX = 4096 };

struct lab_world {
    struct lab_world_options options;
    struct rf_arena arena;
    struct rf_fs fs;
    struct rf_fs_ops ops; /* the real ones, without syncing */
    char folder[256];
    struct site site;
    struct audit audit;
    struct rf_clock_fixed clock;
    struct state *state;
    struct authz *authz;
    struct arm *arm;
    struct tables *tables;
    struct siem *siem;
    struct lab_runs *runs; /* LAB_RUNS_MAX */
    uint32_t run_count;
};

static inline int64_t lab_ticks(rf_usec usec)
{
    return DATETIME_UNIX_EPOCH + usec * TICKS_PER_MICROSECOND;
}
static inline rf_usec lab_usec(int64_t ticks)
{
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
}
/* A column's name as a query writes it. */
void lab_put_name(struct rf_buf *buf, rf_str name);

#endif
