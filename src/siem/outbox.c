/* outbox.c - rows from the outbox into their tables. */
#include "base/json_out.h"
#include "siem/engine_int.h"
#include "siem/outbox_int.h"
#include "value/dyn.h"
#include "value/text.h"

enum { FLUSH_BYTES = 1 << 30, FLUSH_ROWS = 500 };

struct waiting { /* one row */
    rf_str key, workspace, table, id_text, id, row;
    bool taken, done;
};

struct flush {
    struct state *state;
    struct tables *tables;
    struct rf_arena *arena;
    bool check;
    int64_t now_ticks;
    struct waiting *items;
    uint32_t count;
    bool more; /* behind these */
};

static enum rf_kind read_waiting(struct flush *f, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    const struct state_scan scan = {.space = OUTBOX_SPACE, .limit = FLUSH_ROWS};
    struct state_list list;
    RF_TRY(state_begin_read(f->state, &txn, err));
    RF_TRY(state_list(txn, &scan, f->arena, &list, err));
    f->items = rf_arena_new(f->arena, struct waiting, list.count);
    if (f->items == NULL) return rf_fail_memory(err, f->arena);
    f->more = list.more;
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        struct waiting *w = &f->items[f->count++];
        rf_str key = list.items[i].key;
        RF_TRY(json_parse(list.items[i].body, f->arena, &body, err));
        *w = (struct waiting){.key = key,
                              .workspace = rf_slice(key, 0, rf_str_find(key, RF_S("|"), 0)),
                              .table = json_text_at(body, "table"),
                              .id_text = json_text_at(body, "id_text"),
                              .id = json_text_at(body, "id"),
                              .row = json_to_text(f->arena, json_get(body, "row"))};
        if (w->row.ptr == NULL) return rf_fail_memory(err, f->arena);
    }
    return RF_OK;
}

static bool is_beside(const struct waiting *a, const struct waiting *b)
{
    return !b->taken && rf_str_eq(a->workspace, b->workspace) && rf_str_eq(a->table, b->table) &&
           rf_str_eq(a->id_text, b->id_text);
}

/* Marks the rows that their table has already. */
static enum rf_kind find_there(struct flush *f, struct waiting *first, struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(f->arena);
    struct ask_view *view;
    struct answer answer;
    rf_buf_printf(&text, "table('%.*s') | project id = tostring(%.*s) | where id in (",
                  RF_FMT(first->table), RF_FMT(first->id_text));
    bool any = false;
    for (struct waiting *w = first; w < f->items + f->count; w++) {
        if (!is_beside(first, w)) continue;
        if (any) rf_buf_byte(&text, ',');
        any = true;
        json_put_string(&text, w->id); /* a text of JSON is one of KQL, too */
    }
    rf_buf_printf(&text, ") | distinct id");
    if (text.failed) return rf_fail_memory(err, f->arena);
    RF_TRY(ask_open(f->tables, first->workspace, first->workspace, NULL, 0, &view, err));
    struct ask ask = {.text = rf_buf_view(&text), .now_ticks = f->now_ticks};
    enum rf_kind kind = ask_run(view, &ask, f->arena, &answer, err);
    for (uint64_t row = 0; kind == RF_OK && row < rows_count(answer.rows); row++) {
        struct value id = rows_value(answer.rows, row, 0);
        for (struct waiting *w = first; w < f->items + f->count; w++)
            if (is_beside(first, w) && rf_str_eq(w->id, id.s)) w->done = true;
    }
    ask_close(view);
    return kind;
}

/* Appends the rows for the table of `first`. */
static enum rf_kind append(struct flush *f, struct waiting *first, struct rf_err *err)
{
    struct rf_buf rows = rf_buf_in(f->arena);
    bool any = false;
    rf_buf_byte(&rows, '[');
    for (struct waiting *w = first; w < f->items + f->count; w++) {
        if (!is_beside(first, w) || w->done) continue;
        if (any) rf_buf_byte(&rows, ',');
        any = true;
        rf_buf_str(&rows, w->row);
    }
    rf_buf_byte(&rows, ']');
    if (rows.failed) return rf_fail_memory(err, f->arena);
    if (!any) return RF_OK;
    return tables_append_json(f->tables, first->workspace, first->table, rf_buf_view(&rows),
                              f->now_ticks, NULL, err);
}

static enum rf_kind write_table(struct flush *f, struct waiting *first, struct rf_err *err)
{
    enum rf_kind kind = f->check ? find_there(f, first, err) : RF_OK;
    if (kind == RF_OK) kind = append(f, first, err);
    /* The workspace is gone with its tables: nobody can want the rows any more. */
    bool is_gone = kind == RF_NOT_FOUND && strcmp(err->code, "WorkspaceNotFound") == 0;
    struct waiting one = *first;
    for (struct waiting *w = first; w < f->items + f->count; w++) {
        if (!is_beside(&one, w)) continue;
        w->taken = true;
        w->done = kind == RF_OK || is_gone;
    }
    return is_gone ? RF_OK : kind;
}

static enum rf_kind delete_done(struct flush *f, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(f->state, &txn, err));
    for (uint32_t i = 0; i < f->count; i++)
        if (f->items[i].done) RF_TRY(state_delete(txn, OUTBOX_SPACE, f->items[i].key, err));
    return state_finish(&txn, err);
}

enum rf_kind outbox_flush(struct state *state, struct tables *tables, bool check, int64_t now_ticks,
                          bool *left, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    bool more = true;
    *left = false;
    while (more && kind == RF_OK) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct flush f = {.state = state,
                          .tables = tables,
                          .arena = &arena,
                          .check = check,
                          .now_ticks = now_ticks};
        rf_arena_init(&arena, FLUSH_BYTES);
        RF_TRY(read_waiting(&f, err));
        if (f.count == 0) return RF_OK;
        for (uint32_t i = 0; i < f.count; i++) {
            struct rf_err why = {0};
            if (f.items[i].taken || write_table(&f, &f.items[i], &why) == RF_OK) continue;
            *left = true; /* the others need not wait for this table */
            kind = why.kind;
            if (err != NULL) *err = why;
        }
        RF_TRY(delete_done(&f, err));
        more = f.more && kind == RF_OK;
    }
    return kind;
}
