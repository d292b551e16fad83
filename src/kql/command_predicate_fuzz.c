/* Any text as a purge's predicate: refused, or rows that stay come in order, are the same when asked again, and it reads no other table. */
#include "kql/command.h"
#include "test/rf_fuzz.h"

enum { ROWS = 5 };

RF_FUZZ(command_predicate, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct ast_column columns[] = {{.name = RF_S("a"), .type = TYPE_LONG},
                                   {.name = RF_S("b"), .type = TYPE_LONG}};
    int64_t numbers[ROWS] = {1, 2, 3, 4, 5}, others[ROWS] = {5, 5, 0, -1, 2};
    uint32_t rows[2][BATCH_ROWS], kept[2], count;
    rf_str *names;
    struct rf_err err = {0};
    rf_arena_init(&arena, 64u << 20);
    enum rf_kind kind =
        command_predicate_check(text, columns, RF_COUNT(columns), &arena, &names, &count, &err);
    RF_ASSERT(kind == RF_OK || (kind == err.kind && err.code != NULL && err.text[0] != '\0'));
    if (kind != RF_OK) return;
    struct vec vecs[] = {{.type = TYPE_LONG, .shape = VEC_FLAT, .data = numbers},
                         {.type = TYPE_LONG, .shape = VEC_FLAT, .data = others}};
    for (int i = 0; i < 2; i++) {
        struct batch batch = {
            .row_count = ROWS, .column_count = RF_COUNT(columns), .columns = vecs, .arena = &arena};
        kind = command_predicate_keep(text, columns, RF_COUNT(columns), &batch, rows[i], &kept[i],
                                      &err);
        if (kind != RF_OK) return;
        for (uint32_t k = 0; k < kept[i]; k++) {
            RF_ASSERT(rows[i][k] < ROWS);
            RF_ASSERT(k == 0 || rows[i][k] > rows[i][k - 1]);
        }
    }
    RF_ASSERT(kept[0] == kept[1]);
    for (uint32_t k = 0; k < kept[0]; k++) RF_ASSERT(rows[0][k] == rows[1][k]);
}
