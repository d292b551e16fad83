#include "kql/geo_shape.h"
#include "kql/geo_wkt.h"
#include "test/rf_fuzz.h"

/* What was read is a well formed dynamic, and reading it as a shape ends well. */
RF_FUZZ(geo_wkt, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct rf_buf buf = rf_buf_in(&arena);
    struct geo_lines lines;
    struct geo_area area;
    if (!geo_wkt_to_json(text, &buf) || buf.failed) return;
    RF_ASSERT(dyn_valid(dyn_done(&buf)));
    bool is_line = geo_lines_read(dyn_done(&buf), &arena, &lines) == GEO_OK;
    bool is_area = geo_area_read(dyn_done(&buf), &arena, &area) == GEO_OK;
    RF_ASSERT(!(is_line && is_area));
}
