#include "tables/tables_remove.h"

#include "tables/tables_int.h"

/* What a merge has read before a step would come back with its end. A merge whose writer was closed is forgotten, so that it is
 * closed before the first step, and when a merge has begun since the last. */
static void forget_merges(struct table_entry *e, bool first, rf_usec *merged)
{
    (void)pthread_mutex_lock(&e->lock);
    bool begun = first || e->merge != NULL || e->merged != *merged;
    *merged = e->merged;
    (void)pthread_mutex_unlock(&e->lock);
    if (begun) entry_close_writer(e);
}

/* One extent. The turn is given back between steps, so that whoever waits to append goes first. */
static enum rf_kind step(struct table_entry *e, const struct table_keep *keep, rf_usec *merged,
                         struct table_removal *removal, struct rf_err *err)
{
    RF_TRY(entry_take_turn(e, err));
    forget_merges(e, removal->next == 0, merged);
    enum rf_kind kind = entry_writer(e, err);
    if (kind == RF_OK) kind = table_remove_step(e->writer, keep, removal, err);
    if (kind != RF_OK) entry_close_writer(e);
    (void)pthread_mutex_lock(&e->lock);
    e->version++;
    e->live = true; /* the writer is closed when it has been idle, and unlinks what is left then */
    (void)pthread_mutex_unlock(&e->lock);
    entry_forget_view(e); /* it holds the files */
    entry_give_turn(e);
    return kind;
}

enum rf_kind tables_remove_rows(struct tables *tables, rf_str workspace_id, rf_str name,
                                const struct table_keep *keep, const atomic_bool *stop,
                                uint64_t *removed, struct rf_err *err)
{
    RF_CLEANUP(entry_cleanup) struct table_entry *e = NULL;
    struct table_removal removal = {.more = true};
    rf_usec merged = 0;
    enum rf_kind kind = entry_find(tables, workspace_id, name, &e, err);
    while (kind == RF_OK && removal.more) {
        if (stop != NULL && atomic_load(stop))
            return RF_FAIL(err, RF_CANCELLED, "JobStopped", "the server ends");
        kind = step(e, keep, &merged, &removal, err);
    }
    *removed += removal.row_count;
    return kind;
}
