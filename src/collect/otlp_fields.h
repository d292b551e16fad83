/* otlp_fields.h - the fields of OTLP's messages that are read. */
#ifndef RF_COLLECT_OTLP_FIELDS_H
#define RF_COLLECT_OTLP_FIELDS_H

#include "collect/protobuf.h"

extern const struct protobuf_field otlp_logs_fields[], otlp_traces_fields[], otlp_metrics_fields[];

#endif
