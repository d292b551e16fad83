#include "net/postgres_scram.h"
#include "net/postgres_wire.h"
#include "test/rf_fuzz.h"

static void read_message(char type, rf_str body)
{
    static rf_str columns[PG_COLUMNS_MAX];
    struct pg_fields fields;
    uint32_t code, count;
    bool plain, plus;
    rf_str rest;
    if (pg_read_fields(body, &fields, NULL) == RF_OK) {
        RF_ASSERT(strlen(fields.sqlstate) == 5);
        RF_ASSERT(fields.message.len <= body.len);
    }
    if (pg_read_auth(body, &code, &rest, NULL) == RF_OK && code == PG_AUTH_SASL)
        (void)!pg_read_mechanisms(rest, &plain, &plus, NULL);
    if (pg_read_row(body, columns, RF_COUNT(columns), &count, NULL) == RF_OK) {
        size_t total = 2;
        for (uint32_t i = 0; i < count; i++) total += 4 + columns[i].len;
        RF_ASSERT(total == body.len);
    }
    (void)type;
}

static void read_scram(rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct scram scram = {.arena = &arena, .password = RF_S("p"), .nonce = RF_S("n")};
    rf_str answer;
    RF_ASSERT(scram_first(&scram).ptr != NULL);
    (void)!scram_answer(&scram, text, &answer, NULL);
    RF_ASSERT(scram_finish(&scram, text, NULL) != RF_OK);
}

/* Texts go into a statement as one literal or name: what comes out ends where it should. */
static void quote(rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf out = rf_buf_in(&arena);
    if (pg_quote_text(&out, text, NULL) != RF_OK) return;
    RF_ASSERT(!out.failed);
    RF_ASSERT(memcmp(out.ptr, " E'", 3) == 0);
    for (size_t i = 3; i + 1 < out.len; i++)
        if (out.ptr[i] == '\'' || out.ptr[i] == '\\') {
            RF_ASSERT(i + 2 < out.len);
            RF_ASSERT(out.ptr[i + 1] == out.ptr[i]);
            i++;
        }
}

RF_FUZZ(postgres, text)
{
    char type;
    uint32_t bytes;
    if (text.len > 4096) return;
    quote(text);
    read_scram(text);
    while (text.len >= PG_HEAD_BYTES &&
           pg_head(text.ptr, PG_GREETING_BYTES_MAX, &type, &bytes, NULL) == RF_OK &&
           bytes <= text.len - PG_HEAD_BYTES) {
        read_message(type, rf_slice(text, PG_HEAD_BYTES, PG_HEAD_BYTES + bytes));
        text = rf_slice(text, PG_HEAD_BYTES + bytes, text.len);
    }
    read_message('?', text);
}
