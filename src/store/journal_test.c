#include "store/journal.h"

#include <errno.h>

#include "base/fs_fault.h"
#include "store/manifest.h"
#include "test/rf_prop.h"
#include "value/dyn.h"

/* ---- rows made at random ------------------------------------------------------------------------------------ */

static const struct extent_column all_types[] = {
    {{(const uint8_t *)"b", 1}, TYPE_BOOL},      {{(const uint8_t *)"i", 1}, TYPE_INT},
    {{(const uint8_t *)"l", 1}, TYPE_LONG},      {{(const uint8_t *)"r", 1}, TYPE_REAL},
    {{(const uint8_t *)"d", 1}, TYPE_DECIMAL},   {{(const uint8_t *)"t", 1}, TYPE_DATETIME},
    {{(const uint8_t *)"s", 1}, TYPE_TIMESPAN},  {{(const uint8_t *)"g", 1}, TYPE_GUID},
    {{(const uint8_t *)"text", 4}, TYPE_STRING}, {{(const uint8_t *)"dyn", 3}, TYPE_DYNAMIC},
};
enum { COLUMNS = RF_COUNT(all_types) };

static struct value random_value(struct rf_prng *prng, enum type type, struct rf_arena *arena)
{
    uint8_t raw[40];
    rf_str text = rf_test_utf8(prng, raw, sizeof raw);
    struct rf_buf buf = rf_buf_in(arena);
    struct value v = value_null(type);
    if (type != TYPE_STRING && rf_test_one_in(prng, 5)) return v;
    v.null = false;
    cr_assert(rf_arena_str(arena, text, &text));
    switch (type) {
    case TYPE_BOOL:
        v.b = rf_test_bool(prng);
        break;
    case TYPE_INT:
        v.i = rf_test_between(prng, INT32_MIN, INT32_MAX);
        break;
    case TYPE_DATETIME:
        v.i = rf_test_between(prng, 0, DATETIME_MAX);
        break;
    case TYPE_REAL:
        v.r = rf_test_real(prng);
        break;
    case TYPE_DECIMAL:
    case TYPE_GUID:
        for (size_t i = 0; i < 16; i++) v.g.bytes[i] = (uint8_t)rf_test_u64(prng);
        break;
    case TYPE_STRING:
        v.s = text;
        break;
    case TYPE_DYNAMIC:
        dyn_put_string(&buf, text);
        v.s = dyn_done(&buf);
        break;
    default:
        v.i = rf_test_i64(prng);
        break;
    }
    return v;
}

static struct vec random_vec(struct rf_prng *prng, enum type type, uint32_t rows,
                             struct rf_arena *arena)
{
    struct vec v;
    uint32_t shape = (uint32_t)rf_test_below(prng, 3);
    uint32_t entries = shape == VEC_FLAT    ? rows
                       : shape == VEC_CONST ? 1
                                            : 1 + (uint32_t)rf_test_below(prng, 600);
    cr_assert(vec_flat(arena, type, entries, &v) && vec_need_nulls(arena, &v, entries) != NULL);
    for (uint32_t i = 0; i < entries; i++) {
        struct value value = random_value(prng, type, arena);
        vec_set(&v, i, &value);
    }
    v.shape = (uint8_t)shape;
    if (shape != VEC_DICT) return v;
    uint32_t *codes = rf_arena_new(arena, uint32_t, rows);
    for (uint32_t i = 0; i < rows; i++) codes[i] = (uint32_t)rf_test_below(prng, entries);
    v.codes = codes;
    v.dict_count = entries;
    return v;
}

/* Some of the columns in any order. */
static struct journal_batch random_batch(struct rf_prng *prng, struct rf_arena *arena)
{
    uint32_t rows =
        1 + (uint32_t)rf_test_below(prng, RF_MIN(prng->size * 21u, (uint32_t)BATCH_ROWS));
    uint32_t *indexes = rf_arena_new(arena, uint32_t, COLUMNS);
    struct vec *vecs = rf_arena_new(arena, struct vec, COLUMNS);
    uint32_t count = 0;
    for (uint32_t i = 0; i < COLUMNS; i++)
        if (rf_test_bool(prng)) indexes[count++] = i;
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint32_t other = i + (uint32_t)rf_test_below(prng, count - i), kept = indexes[i];
        indexes[i] = indexes[other];
        indexes[other] = kept;
    }
    for (uint32_t i = 0; i < count; i++)
        vecs[i] = random_vec(prng, (enum type)all_types[indexes[i]].type, rows, arena);
    return (struct journal_batch){
        {.row_count = rows, .column_count = count, .columns = vecs, .arena = arena}, indexes};
}

static void same_batch(const struct journal_batch *a, const struct journal_batch *b)
{
    cr_assert(a->batch.row_count == b->batch.row_count &&
              a->batch.column_count == b->batch.column_count);
    for (uint32_t c = 0; c < a->batch.column_count; c++) {
        cr_assert(a->indexes[c] == b->indexes[c]);
        for (uint32_t row = 0; row < a->batch.row_count; row++) {
            struct value x = vec_value(&a->batch.columns[c], row),
                         y = vec_value(&b->batch.columns[c], row);
            cr_assert(x.null == y.null, "nulls differ in column %u, row %u", c, row);
            if (x.null) continue;
            bool same = type_is_bytes((enum type)x.type)
                            ? rf_str_eq(x.s, y.s)
                            : memcmp(&x.g, &y.g, type_cell_bytes[x.type]) == 0;
            cr_assert(same, "values differ in column %u, row %u", c, row);
        }
    }
}

RF_PROP(journal_batch_comes_back, 300)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct journal_batch in = random_batch(prng, &arena), out;
    struct rf_buf buf = rf_buf_in(&arena);
    struct rf_err err;
    cr_assert(journal_batch_encode(&in, &arena, &buf));
    rf_str bytes = rf_buf_view(&buf);
    cr_assert(journal_batch_decode(bytes, all_types, COLUMNS, &arena, &out, &err) == RF_OK, "%s",
              err.text);
    same_batch(&in, &out);
    /* Bytes cut short are refused, and bytes changed never crash. */
    size_t cut = (size_t)rf_test_below(prng, bytes.len);
    cr_assert(journal_batch_decode(rf_slice(bytes, 0, cut), all_types, COLUMNS, &arena, &out,
                                   &err) == RF_CORRUPT);
    buf.ptr[rf_test_below(prng, bytes.len)] ^= (uint8_t)(1 << rf_test_below(prng, 8));
    (void)!journal_batch_decode(bytes, all_types, COLUMNS, &arena, &out, &err);
}

/* ---- a journal file ------------------------------------------------------------------------------------------ */

struct stage {
    struct rf_fs_fault *fault;
    struct rf_budget budget;
    struct rf_arena arena;
    struct extent_key key;
    struct journal_options options;
    struct rf_err err;
};

static void stage_init(struct stage *s, bool encrypted)
{
    *s = (struct stage){.fault = rf_fs_fault_new(7)};
    rf_budget_init(&s->budget, 64 << 20);
    rf_arena_init(&s->arena, 64 << 20);
    s->key.present = encrypted;
    memset(s->key.bytes, 0x5a, sizeof s->key.bytes);
    s->options = (struct journal_options){
        .fs = rf_fs_fault_fs(s->fault), .path = "/j", .budget = &s->budget};
    if (encrypted) s->options.key = &s->key;
}

static void stage_done(struct stage *s)
{
    cr_assert(atomic_load(&s->budget.used_bytes) == 0, "memory is kept");
    rf_arena_done(&s->arena);
    rf_fs_fault_free(s->fault);
}

/* One row a record: column l. */
static struct journal_batch one_row(struct rf_arena *arena, int64_t number)
{
    static const uint32_t index = 2;
    int64_t *cell = rf_arena_new(arena, int64_t, 1);
    struct vec *v = rf_arena_new(arena, struct vec, 1);
    *cell = number;
    *v = (struct vec){.type = TYPE_LONG, .shape = VEC_CONST, .data = cell};
    return (struct journal_batch){{.row_count = 1, .column_count = 1, .columns = v, .arena = arena},
                                  &index};
}

/* Writes commits 1..count, commit c of c % 3 rows, and notes where each ends. */
static void write_commits(struct stage *s, uint32_t count, uint64_t *ends,
                          struct journal_writer **out)
{
    struct journal_writer *w;
    int64_t number = 0;
    cr_assert(journal_writer_new(&s->options, &w, &s->err) == RF_OK);
    for (uint32_t c = 1; c <= count; c++) {
        char position[20];
        int len = snprintf(position, sizeof position, "at %u", c);
        for (uint32_t row = 0; row < c % 3; row++) {
            struct journal_batch batch = one_row(&s->arena, number);
            struct journal_times times = {number, number};
            cr_assert(journal_put(w, &batch, times, &s->err) == RF_OK);
            number++;
        }
        cr_assert(journal_flush(w, c, rf_str_make(position, (size_t)len), &s->err) == RF_OK, "%s",
                  s->err.text);
        if (ends != NULL) ends[c] = journal_bytes(w);
    }
    *out = w;
}

static uint64_t rows_until(uint32_t commit)
{
    uint64_t rows = 0;
    for (uint32_t c = 1; c <= commit; c++) rows += c % 3;
    return rows;
}

/* The file holds just the commits up to `commit`, and reads back in order. */
static void expect_commits(struct stage *s, uint32_t commit)
{
    struct journal_summary summary;
    struct journal_reader *reader;
    struct journal_batch batch;
    char position[20];
    cr_assert(journal_scan(&s->options, &s->arena, &summary, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(summary.sequence == commit && summary.row_count == rows_until(commit),
              "commit %u: %u, %llu rows", commit, (unsigned)summary.sequence,
              (unsigned long long)summary.row_count);
    if (commit > 0) {
        (void)snprintf(position, sizeof position, "at %u", commit);
        cr_assert(rf_str_is(summary.position, position));
    }
    cr_assert(journal_reader_open(&s->options, summary.end, &reader, &s->err) == RF_OK);
    for (uint64_t i = 0; i <= rows_until(commit); i++) {
        cr_assert(journal_read(reader, all_types, COLUMNS, INT64_MIN, INT64_MAX, &batch, &s->err) ==
                  RF_OK);
        cr_assert(batch.batch.row_count == (i < rows_until(commit)));
        if (batch.batch.row_count > 0) cr_assert(vec_i64(&batch.batch.columns[0], 0) == (int64_t)i);
    }
    journal_reader_free(reader);
}

static void truncate_to(struct stage *s, uint64_t bytes)
{
    struct rf_file *file;
    cr_assert(rf_fs_open(s->options.fs, "/j", RF_OPEN_READ | RF_OPEN_WRITE, &file, &s->err) ==
              RF_OK);
    cr_assert(rf_file_truncate(file, bytes, &s->err) == RF_OK);
    rf_file_close(file);
}

enum { COMMITS = 7, MARK_BYTES = 96, HEADER = 56 };

static void torn_at_every_byte(bool encrypted)
{
    struct stage s;
    uint64_t ends[COMMITS + 1] = {HEADER};
    struct journal_writer *w;
    stage_init(&s, encrypted);
    write_commits(&s, COMMITS, ends, &w);
    journal_writer_free(w);
    for (uint64_t at = ends[COMMITS]; at > 0; at--) {
        truncate_to(&s, at - 1);
        uint32_t commit = COMMITS;
        /* The mark at a commit's end may be missing. */
        while (commit > 0 && ends[commit] - MARK_BYTES > at - 1) commit--;
        rf_arena_reset(&s.arena);
        if (at - 1 >= HEADER)
            expect_commits(&s, commit);
        else {
            struct journal_summary summary;
            cr_assert(journal_scan(&s.options, &s.arena, &summary, &s.err) == RF_CORRUPT);
        }
    }
    stage_done(&s);
}

Test(journal, a_file_torn_at_any_byte_holds_its_whole_commits) { torn_at_every_byte(false); }
Test(journal, an_encrypted_file_torn_at_any_byte_holds_its_whole_commits)
{
    torn_at_every_byte(true);
}

/* Every acknowledged commit has its mark behind it, so a flip is either found or, in the last mark and in the zeros
 * behind a body, without effect. */
static void flipped_bits(bool encrypted)
{
    struct stage s;
    uint64_t ends[COMMITS + 1];
    struct journal_writer *w;
    stage_init(&s, encrypted);
    write_commits(&s, COMMITS, ends, &w);
    journal_writer_free(w);
    uint64_t harmless = 0;
    for (uint64_t at = 0; at < ends[COMMITS]; at++) {
        unsigned bit = (unsigned)(at % 8);
        struct journal_summary summary;
        cr_assert(rf_fs_fault_flip(s.fault, "/j", at, bit));
        rf_arena_reset(&s.arena);
        enum rf_kind kind = journal_scan(&s.options, &s.arena, &summary, &s.err);
        if (kind == RF_OK) harmless++;
        if (kind == RF_OK)
            cr_assert(summary.sequence == COMMITS && summary.row_count == rows_until(COMMITS));
        else
            cr_assert(kind == RF_CORRUPT && strstr(s.err.text, "/j: bytes ") != NULL);
        cr_assert(rf_fs_fault_flip(s.fault, "/j", at, bit));
    }
    cr_assert(harmless <= MARK_BYTES + 7 * 3 * COMMITS);
    stage_done(&s);
}

Test(journal, flipped_bits_are_found) { flipped_bits(false); }
Test(journal, flipped_bits_are_found_when_encrypted) { flipped_bits(true); }

Test(journal, encryption_hides_rows_and_wants_its_key)
{
    struct stage s;
    struct journal_writer *w;
    struct journal_summary summary;
    rf_str bytes;
    stage_init(&s, true);
    write_commits(&s, 2, NULL, &w);
    journal_writer_free(w);
    expect_commits(&s, 2);
    cr_assert(rf_fs_read_all(s.options.fs, "/j", 1 << 20, &s.arena, &bytes, &s.err) == RF_OK);
    cr_assert(rf_str_find(bytes, RF_S("at 2"), 0) == SIZE_MAX);
    s.key.bytes[3] ^= 1;
    cr_assert(journal_scan(&s.options, &s.arena, &summary, &s.err) == RF_DENIED);
    s.options.key = NULL;
    cr_assert(journal_scan(&s.options, &s.arena, &summary, &s.err) == RF_DENIED);
    stage_done(&s);
}

Test(journal, a_copy_holds_the_same_and_goes_on)
{
    struct stage s;
    struct journal_writer *w, *copy;
    struct journal_summary summary;
    uint64_t ends[COMMITS + 1];
    stage_init(&s, true);
    write_commits(&s, 5, ends, &w);
    journal_writer_free(w);
    truncate_to(&s, ends[5] - MARK_BYTES - 1);
    cr_assert(journal_scan(&s.options, &s.arena, &summary, &s.err) == RF_OK);
    cr_assert(summary.sequence == 4 && summary.tail_bytes > 0);
    cr_assert(journal_copy(&s.options, &summary, "/k", &copy, &s.err) == RF_OK, "%s", s.err.text);
    s.options.path = "/k";
    expect_commits(&s, 4);
    for (int row = 0; row < 2; row++) {
        struct journal_batch batch = one_row(&s.arena, (int64_t)rows_until(4) + row);
        cr_assert(journal_put(copy, &batch, (struct journal_times){0, -1}, &s.err) == RF_OK);
    }
    cr_assert(journal_flush(copy, 5, RF_S("at 5"), &s.err) == RF_OK);
    journal_writer_free(copy);
    expect_commits(&s, 5);
    stage_done(&s);
}

/* Whatever the power leaves of what was not synced, each acknowledged commit is there, and no half one. */
Test(journal, power_loss_keeps_acknowledged_commits)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        for (uint64_t stop = 1; stop <= COMMITS + 1; stop++) {
            struct stage s;
            struct journal_writer *w;
            uint32_t acknowledged = 0;
            stage_init(&s, false);
            rf_fs_fault_free(s.fault);
            s.fault = rf_fs_fault_new(seed);
            s.options.fs = rf_fs_fault_fs(s.fault);
            cr_assert(journal_writer_new(&s.options, &w, &s.err) == RF_OK);
            int64_t number = 0;
            enum rf_kind kind = RF_OK;
            for (uint32_t c = 1; c <= COMMITS && kind == RF_OK; c++) {
                char position[20];
                int len = snprintf(position, sizeof position, "at %u", c);
                for (uint32_t row = 0; row < c % 3; row++) {
                    struct journal_batch batch = one_row(&s.arena, number++);
                    cr_assert(journal_put(w, &batch, (struct journal_times){0, 1}, &s.err) ==
                              RF_OK);
                }
                if (c == stop) rf_fs_fault_stop_at_sync(s.fault, 1);
                kind = journal_flush(w, c, rf_str_make(position, (size_t)len), &s.err);
                if (kind == RF_OK) acknowledged = c;
                if (c == 1 && kind == RF_OK)
                    cr_assert(rf_fs_sync_dir(s.options.fs, "/", &s.err) == RF_OK);
            }
            cr_assert(acknowledged == RF_MIN(stop - 1, (uint64_t)COMMITS));
            journal_writer_free(w);
            rf_fs_fault_power_loss(s.fault);
            struct journal_summary summary;
            rf_arena_reset(&s.arena);
            if (acknowledged > 0) {
                kind = journal_scan(&s.options, &s.arena, &summary, &s.err);
                cr_assert(kind == RF_OK, "seed %u, stop %u: %s", (unsigned)seed, (unsigned)stop,
                          s.err.text);
                cr_assert(summary.sequence == acknowledged || summary.sequence == acknowledged + 1);
                expect_commits(&s, (uint32_t)summary.sequence);
            }
            stage_done(&s);
        }
    }
}
