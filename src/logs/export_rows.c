/* export_rows.c - rows of a table in the order of their arrival, as JSON lines. */
#include "base/json_out.h"
#include "logs/export.h"
#include "tables/ask.h"
#include "value/dyn.h"
#include "value/text.h"

/* Nothing may have come for days: what is looked through at once then. */
#define SPAN_TICKS_MAX TICKS_PER_DAY

struct reading {
    struct ask_view *view;
    rf_str table;
    const atomic_bool *cancelled;
    struct rf_arena *arena;
};

/* ---- asking ---------------------------------------------------------------------------------------------------------------- */

/* `tail` is what follows the table's name. */
static enum rf_kind ask(const struct reading *r, const char *tail, int64_t after, int64_t until,
                        struct answer *out, struct rf_err *err)
{
    rf_str text = rf_arena_printf(r->arena, "['%.*s'] %s", RF_FMT(r->table), tail);
    if (text.ptr == NULL) return rf_fail_memory(err, r->arena);
    struct ask ask = {.text = text,
                      .now_ticks = until,
                      .has_ingested = true,
                      .after_ticks = after,
                      .until_ticks = until,
                      .cancelled = r->cancelled};
    return ask_run(r->view, &ask, r->arena, out, err);
}

/* How many rows arrived in (after, until], and when the first of them did. */
static enum rf_kind find_first(const struct reading *r, int64_t after, int64_t until,
                               uint64_t *count, int64_t *first, struct rf_err *err)
{
    struct answer answer;
    RF_TRY(
        ask(r, "| summarize n = count(), a = min(ingestion_time())", after, until, &answer, err));
    RF_ASSERT(rows_count(answer.rows) == 1);
    struct value n = rows_value(answer.rows, 0, 0), a = rows_value(answer.rows, 0, 1);
    *count = (uint64_t)n.i;
    *first = a.null ? until : a.i;
    return RF_OK;
}

/* Where to stop so that not many more than `row_max` rows are read: behind a whole commit. */
static enum rf_kind find_cut(const struct reading *r, int64_t after, int64_t until,
                             uint64_t row_max, int64_t *cut, struct rf_err *err)
{
    struct answer answer;
    uint64_t sum = 0, count;
    RF_TRY(ask(r, "| summarize n = count() by a = ingestion_time() | sort by a asc", after, until,
               &answer, err));
    count = rows_count(answer.rows);
    *cut = until;
    for (uint64_t i = 0; i < count; i++) {
        sum += (uint64_t)rows_value(answer.rows, i, 1).i;
        if (i > 0 && sum > row_max) break;
        *cut = i + 1 == count ? until : rows_value(answer.rows, i, 0).i;
    }
    return RF_OK;
}

/* ---- lines ------------------------------------------------------------------------------------------------------------------ */

static void put_cell(struct rf_buf *buf, const struct value *v)
{
    switch ((enum type)v->type) {
    case TYPE_STRING:
        json_put_string(buf, v->s);
        return;
    case TYPE_DYNAMIC:
        dyn_put_json(v->s, buf);
        return;
    case TYPE_BOOL:
    case TYPE_INT:
    case TYPE_LONG:
        text_put_value(buf, v);
        return;
    case TYPE_REAL:
        if (v->r - v->r == 0) { /* neither nan nor infinite: JSON has no word for these */
            text_put_real(buf, v->r, true);
            return;
        }
        break;
    default:
        break;
    }
    rf_buf_byte(buf, '"');
    text_put_value(buf, v);
    rf_buf_byte(buf, '"');
}

/* `names`: each as it stands in a line, with quotes and colon. */
static void put_row(struct rf_buf *buf, const struct batch *batch, uint32_t row,
                    const rf_str *names)
{
    bool comma = false;
    rf_buf_byte(buf, '{');
    for (uint32_t i = 0; i < batch->column_count; i++) {
        struct value v = vec_value(&batch->columns[i], row);
        if (v.null || (v.type == TYPE_DYNAMIC && dyn_is_null(v.s))) continue;
        if (comma) rf_buf_byte(buf, ',');
        comma = true;
        rf_buf_str(buf, names[i]);
        put_cell(buf, &v);
    }
    rf_buf_str(buf, RF_S("}\n"));
}

static enum rf_kind put_rows(const struct answer *answer, struct rf_arena *arena,
                             struct export_rows *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    struct rf_buf lines = rf_buf_in(arena);
    rf_str *names = rf_arena_new(arena, rf_str, answer->schema.count);
    if (names == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < answer->schema.count; i++) {
        struct rf_buf name = rf_buf_in(arena);
        json_put_string(&name, answer->schema.columns[i].name);
        rf_buf_byte(&name, ':');
        if (name.failed) return rf_fail_memory(err, arena);
        names[i] = rf_buf_view(&name);
    }
    rf_arena_init(&scratch, 64 << 20);
    out->count = rows_count(answer->rows);
    for (uint64_t from = 0; from < out->count;) {
        struct batch batch;
        rf_arena_reset(&scratch);
        if (!rows_batch(answer->rows, from, &scratch, &batch)) return rf_fail_memory(err, &scratch);
        for (uint32_t row = 0; row < batch.row_count; row++) put_row(&lines, &batch, row, names);
        from += batch.row_count;
    }
    if (lines.failed) return rf_fail_memory(err, arena);
    out->lines = rf_buf_view(&lines);
    return RF_OK;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_slot(const struct reading *r, int64_t first, int64_t settled,
                              uint64_t row_max, struct export_rows *out, struct rf_err *err)
{
    uint64_t count;
    int64_t again, after = first - 1;
    out->slot = first / EXPORT_SLOT_TICKS;
    out->until = RF_MIN(settled, (out->slot + 1) * EXPORT_SLOT_TICKS - 1);
    RF_TRY(find_first(r, after, out->until, &count, &again, err));
    if (count > row_max) RF_TRY(find_cut(r, after, out->until, row_max, &out->until, err));
    struct answer answer;
    RF_TRY(ask(r,
               "| extend ['export arrival'] = ingestion_time() | sort by ['export arrival'] asc "
               "| project-away ['export arrival']",
               after, out->until, &answer, err));
    return put_rows(&answer, r->arena, out, err);
}

static enum rf_kind read_rows(const struct reading *r, int64_t after, int64_t settled,
                              uint64_t row_max, struct export_rows *out, struct rf_err *err)
{
    *out = (struct export_rows){.until = after};
    for (int64_t span = EXPORT_SLOT_TICKS; out->until < settled;
         span = RF_MIN(span * 2, SPAN_TICKS_MAX)) {
        uint64_t count;
        int64_t first, from = out->until;
        out->until = settled - from > span ? from + span : settled;
        RF_TRY(find_first(r, from, out->until, &count, &first, err));
        if (count > 0) return read_slot(r, first, settled, row_max, out, err);
    }
    return RF_OK;
}

enum rf_kind export_rows_read(struct tables *tables, rf_str guid, rf_str table, int64_t after,
                              int64_t settled, uint64_t row_max, const atomic_bool *cancelled,
                              struct rf_arena *arena, struct export_rows *out, struct rf_err *err)
{
    struct reading r = {.table = table, .cancelled = cancelled, .arena = arena};
    RF_TRY(ask_open(tables, guid, guid, NULL, 0, &r.view, err));
    enum rf_kind kind = read_rows(&r, after, settled, row_max, out, err);
    ask_close(r.view);
    return kind;
}
