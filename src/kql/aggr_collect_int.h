/* aggr_collect_int.h - the parts of the aggr_collect family that lie in other files: rows picked by
 * take_any, arg_max and arg_min (aggr_pick.c), and buildschema (aggr_schema.c). */
#ifndef RF_AGGR_COLLECT_INT_H
#define RF_AGGR_COLLECT_INT_H

#include "kql/aggr_int.h"

enum { PICK_STATE_BYTES = 40, SCHEMA_STATE_BYTES = 8 };

enum rf_kind aggr_pick_resolve(struct func_bind *bind, struct rf_err *err);
aggr_update aggr_take_any_update, aggr_take_any_update_if;
aggr_update aggr_arg_max_update, aggr_arg_min_update;
aggr_merge aggr_take_any_merge, aggr_arg_max_merge, aggr_arg_min_merge;
aggr_emit aggr_pick_emit;

aggr_update aggr_schema_update;
aggr_merge aggr_schema_merge;
aggr_emit aggr_schema_emit;

#endif
