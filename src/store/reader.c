#include "store/reader.h"

#include <stdlib.h>

#include "store/reader_int.h"

enum {
    DICT_ENTRIES_MAX = 8192,
    DICT_BYTES_MAX = 1 << 20,
    DICT_SLOTS_MIN = 64,
    DICT_FLAT_BATCHES =
        16, /* without a dictionary after the first one that grew too large, doubled each time */
    DICT_FAILURES_MAX = 4,
    BATCH_CELL_BYTES_MAX = 32 << 20,
    EARLY_ROWS =
        512, /* of a batch, all but an eighth of which were new to a dictionary: it is given up */
    MARKED_BYTES_MIN =
        4 << 10 /* less text is read without a window of marks, which would cost more to set up */
};

/* ---- dictionaries ------------------------------------------------------------------------------------ */

static struct sink_dict *dict_new(struct rf_arena *arena, bool dynamic)
{
    struct sink_dict *dict = rf_arena_new(arena, struct sink_dict, 1);
    if (dict == NULL) return NULL;
    dict->cap = DICT_SLOTS_MIN / 2;
    dict->slot_count = DICT_SLOTS_MIN;
    dict->count = 1;
    dict->keys = rf_arena_new(arena, rf_str, dict->cap);
    dict->hashes = rf_arena_new(arena, uint32_t, dict->cap);
    dict->slots = rf_arena_new(arena, uint64_t, dict->slot_count);
    if (dict->keys == NULL || dict->hashes == NULL || dict->slots == NULL) return NULL;
    dict->values = dict->keys;
    if (!dynamic) return dict;
    dict->values = rf_arena_new(arena, rf_str, dict->cap);
    dict->nulls = rf_arena_new(arena, uint8_t, dict->cap);
    dict->marks = rf_arena_new(arena, uint32_t, dict->cap);
    dict->guesses = rf_arena_new(arena, uint32_t, SINK_GUESSES);
    if (dict->values == NULL || dict->nulls == NULL) return NULL;
    if (dict->marks == NULL || dict->guesses == NULL) return NULL;
    dict->nulls[0] = 1;
    return dict;
}

static bool dict_grow(struct rf_arena *arena, struct sink_dict *dict)
{
    uint32_t cap = dict->cap * 2, slot_count = dict->slot_count * 2;
    bool dynamic = dict->nulls != NULL;
    rf_str *keys = rf_arena_new(arena, rf_str, cap), *values = keys;
    uint32_t *hashes = rf_arena_new(arena, uint32_t, cap), *marks = NULL;
    uint64_t *slots = rf_arena_new(arena, uint64_t, slot_count);
    uint8_t *nulls = NULL;
    if (keys == NULL || hashes == NULL || slots == NULL) return false;
    if (dynamic) {
        values = rf_arena_new(arena, rf_str, cap);
        nulls = rf_arena_new(arena, uint8_t, cap);
        marks = rf_arena_new(arena, uint32_t, cap);
        if (values == NULL || nulls == NULL || marks == NULL) return false;
        memcpy(marks, dict->marks, dict->count * sizeof *marks);
        memcpy(values, dict->values, dict->count * sizeof *values);
        memcpy(nulls, dict->nulls, dict->count);
    }
    memcpy(keys, dict->keys, dict->count * sizeof *keys);
    memcpy(hashes, dict->hashes, dict->count * sizeof *hashes);
    for (uint32_t code = 1; code < dict->count; code++) {
        uint32_t at = hashes[code] & (slot_count - 1);
        while (slots[at] != 0) at = (at + 1) & (slot_count - 1);
        slots[at] = (uint64_t)hashes[code] << 32 | code;
    }
    dict->marks = marks;
    dict->keys = keys;
    dict->values = values;
    dict->hashes = hashes;
    dict->nulls = nulls;
    dict->slots = slots;
    dict->cap = cap;
    dict->slot_count = slot_count;
    return true;
}

enum sink_added sink_dict_add(struct reader *reader, struct sink *sink, rf_str key,
                              const rf_str *value, uint32_t hash, uint32_t *code)
{
    struct sink_dict *dict = sink->dict;
    size_t bytes = key.len + (value == NULL ? 0 : value->len);
    if (dict->count >= DICT_ENTRIES_MAX || bytes > DICT_BYTES_MAX - dict->bytes)
        return SINK_DICT_FULL;
    if (dict->count == dict->cap && !dict_grow(&reader->kept, dict)) return SINK_NO_MEMORY;
    uint32_t added = dict->count;
    if (!rf_arena_str(&reader->kept, key, &dict->keys[added])) return SINK_NO_MEMORY;
    if (value != NULL) {
        RF_ASSERT(dict->nulls != NULL);
        if (!rf_arena_str(&reader->kept, *value, &dict->values[added])) return SINK_NO_MEMORY;
        dict->nulls[added] = 0;
    }
    dict->hashes[added] = hash;
    uint32_t mask = dict->slot_count - 1, at = hash & mask;
    while (dict->slots[at] != 0) at = (at + 1) & mask;
    dict->slots[at] = (uint64_t)hash << 32 | added;
    dict->count++;
    dict->bytes += bytes;
    *code = dict->last = added;
    return SINK_ADDED;
}

/* ---- columns of a batch ---------------------------------------------------------------------------------- */

/* Cells and codes are allocated when a column first needs them: most columns need just one of the two. */
static bool sink_need_cells(struct reader *reader, struct sink *sink)
{
    if (sink->data != NULL) return true;
    sink->data = rf_arena_array_raw(&reader->kept, reader->row_max, type_cell_bytes[sink->type]);
    sink->nulls = rf_arena_raw(&reader->kept, uint8_t, reader->row_max);
    return sink->data != NULL && sink->nulls != NULL;
}

void sink_fill_gap(struct sink *sink, uint32_t row)
{
    uint32_t from = sink->filled, count = row - from;
    if (sink->by_code) {
        memset(sink->codes + from, 0, count * sizeof *sink->codes);
    } else {
        size_t cell_bytes = type_cell_bytes[sink->type];
        memset(sink->data + from * cell_bytes, 0, count * cell_bytes);
        memset(sink->nulls + from, sink->type != TYPE_STRING, count);
        sink->has_null |= sink->type != TYPE_STRING;
    }
    sink->filled = row;
}

static void sink_drop_dict(struct sink *sink)
{
    sink->dict = NULL;
    sink->flat_batches = DICT_FLAT_BATCHES << sink->failures;
    sink->failures++;
}

bool sink_flatten(struct reader *reader, struct sink *sink)
{
    if (!sink_need_cells(reader, sink)) return false;
    const struct sink_dict *dict = sink->dict;
    rf_str *cells = (rf_str *)(void *)sink->data;
    for (uint32_t row = 0; row < sink->filled; row++) {
        uint32_t code = sink->codes[row];
        cells[row] = dict->values[code];
        sink->nulls[row] = dict->nulls != NULL && dict->nulls[code];
        sink->has_null |= sink->nulls[row] != 0;
    }
    sink->by_code = false;
    sink_drop_dict(sink);
    return true;
}

/* A dictionary that most rows of the last batch were new to is work without use. */
static bool dict_useless(const struct reader *reader, const struct sink *sink)
{
    uint32_t added = sink->dict->count - sink->dict->shown;
    return sink->dict->count > 256 && added > reader->row_count / 2;
}

static bool sink_begin(struct reader *reader, struct sink *sink)
{
    if (sink->by_code && dict_useless(reader, sink)) sink_drop_dict(sink);
    sink->filled = 0;
    sink->has_null = false;
    sink->misfits.count = 0;
    if (sink->dict == NULL && type_is_bytes(sink->type) && sink->failures < DICT_FAILURES_MAX) {
        if (sink->flat_batches > 0) sink->flat_batches--;
        if (sink->flat_batches == 0) {
            sink->dict = dict_new(&reader->kept, sink->type == TYPE_DYNAMIC);
            if (sink->dict == NULL) return false;
        }
    }
    sink->by_code = sink->dict != NULL;
    if (!sink->by_code) return sink_need_cells(reader, sink);
    if (sink->codes == NULL) sink->codes = rf_arena_raw(&reader->kept, uint32_t, reader->row_max);
    if (sink->waiting == NULL && sink->type == TYPE_STRING)
        sink->waiting = rf_arena_new(&reader->kept, rf_str, SINK_WAITING);
    return sink->codes != NULL && (sink->waiting != NULL || sink->type != TYPE_STRING);
}

static void sink_end(struct reader *reader, struct sink *sink, struct vec *vec)
{
    if (sink->filled < reader->row_count) sink_fill_gap(sink, reader->row_count);
    *vec = (struct vec){.type = sink->type, .shape = VEC_FLAT, .data = sink->data};
    if (sink->by_code) {
        struct sink_dict *dict = sink->dict;
        bool changed = !reader->options.dicts_grow && dict->shown != dict->count;
        if (reader->options.dict_ids != NULL && (dict->id == 0 || changed))
            dict->id =
                atomic_fetch_add_explicit(reader->options.dict_ids, 1, memory_order_relaxed) + 1;
        vec->shape = VEC_DICT;
        vec->data = dict->values;
        vec->nulls = dict->nulls;
        vec->codes = sink->codes;
        vec->dict_count = dict->count;
        vec->dict_id = dict->id;
        return;
    }
    vec->nulls = sink->has_null ? sink->nulls : NULL;
}

void reader_undo_row(struct reader *reader)
{
    reader_forget_misfits(reader);
    for (uint32_t i = 0; i < reader->sink_count; i++) {
        struct sink *sink = &reader->sinks[i];
        sink->filled = RF_MIN(sink->filled, reader->row_count);
        if (sink->waiting != NULL) sink->waiting[reader->row_count % SINK_WAITING].ptr = NULL;
    }
}

/* ---- values that do not fit ------------------------------------------------------------------------------------ */

void reader_forget_misfits(struct reader *reader)
{
    for (struct sink *sink = reader->misfits; sink != NULL; sink = sink->next_misfit)
        sink->misfit = false;
    reader->misfits = NULL;
}

void reader_count_misfits(struct reader *reader, const uint8_t *from)
{
    struct text_place *place = &reader->place;
    if (place->counted != NULL) {
        place->line += scan_count_lines(place->counted, from);
        place->counted = from;
    }
    for (struct sink *sink = reader->misfits; sink != NULL; sink = sink->next_misfit) {
        /* When the key came twice, a value that fits may have followed. */
        if (sink->nulls[reader->row_count] == 0) continue;
        struct reader_misfits one = {.count = 1, .line = place->line};
        one.text_bytes = (uint32_t)RF_MIN(sink->misfit_text.len, sizeof one.text);
        memcpy(one.text, sink->misfit_text.ptr, one.text_bytes);
        reader_misfits_add(&sink->misfits, &one);
        reader->has_misfits = true;
    }
    reader_forget_misfits(reader);
}

bool reader_has_misfits(const struct reader *reader) { return reader->has_misfits; }

struct reader_misfits reader_misfits(const struct reader *reader, uint32_t column)
{
    RF_ASSERT(column < reader->sink_count);
    return reader->sinks[column].misfits;
}

void reader_misfits_add(struct reader_misfits *to, const struct reader_misfits *more)
{
    uint64_t before = to->count;
    if (before == 0) *to = *more;
    to->count = before + more->count;
}

/* ---- looking up texts ---------------------------------------------------------------------------------------- */

/* Texts of a column and of neighbouring rows, in the order of the rows. */
struct lookup {
    uint32_t rows[SINK_WAITING], hashes[SINK_WAITING], codes[SINK_WAITING];
    uint32_t count;
};

static void take_waiting(struct sink *sink, uint32_t from, struct lookup *l)
{
    l->count = 0;
    for (uint32_t i = 0; i < SINK_WAITING; i++) {
        l->rows[l->count] = from + i;
        l->count += sink->waiting[i].ptr != NULL && sink->waiting[i].len > 0;
    }
}

/* The batch's codes become cells, and so do the texts from `at` on, which have none yet. */
static bool flatten_waiting(struct reader *reader, struct sink *sink, const struct lookup *l,
                            uint32_t at)
{
    if (!sink_flatten(reader, sink)) return false;
    rf_str *cells = (rf_str *)(void *)sink->data;
    const uint8_t *unescaped = reader->lines.unescaped;
    for (; at < l->count; at++) {
        rf_str *cell = &cells[l->rows[at]];
        *cell = sink->waiting[l->rows[at] % SINK_WAITING];
        bool passing = unescaped != NULL && cell->ptr >= unescaped &&
                       cell->ptr < unescaped + reader->lines.unescaped_bytes;
        if (passing && !rf_arena_str(&reader->batch, *cell, cell)) return false;
    }
    return true;
}

/* Hashes of all, then slots, then entries, then their texts: what lies outside the caches is fetched side by side. */
static bool sink_look_up(struct reader *reader, struct sink *sink, struct lookup *l)
{
    struct sink_dict *dict = sink->dict;
    const rf_str *waiting = sink->waiting;
    uint32_t mask = dict->slot_count - 1;
    for (uint32_t i = 0; i < l->count; i++) {
        l->hashes[i] = sink_hash(waiting[l->rows[i] % SINK_WAITING]);
        __builtin_prefetch(&dict->slots[l->hashes[i] & mask]);
    }
    for (uint32_t i = 0; i < l->count; i++) {
        l->codes[i] = (uint32_t)dict->slots[l->hashes[i] & mask];
        __builtin_prefetch(&dict->keys[l->codes[i]]);
    }
    for (uint32_t i = 0; i < l->count; i++) __builtin_prefetch(dict->keys[l->codes[i]].ptr);
    for (uint32_t i = 0; i < l->count; i++) {
        rf_str text = waiting[l->rows[i] % SINK_WAITING], near = dict->keys[l->codes[i]];
        uint32_t code = l->codes[i];
        if (near.len != text.len || !sink_same(near.ptr, text.ptr, text.len))
            code = sink_dict_find_hash(dict, text, l->hashes[i]);
        if (RF_UNLIKELY(code == UINT32_MAX)) {
            enum sink_added added = sink_dict_add(reader, sink, text, NULL, l->hashes[i], &code);
            if (added == SINK_NO_MEMORY) return false;
            if (added == SINK_DICT_FULL) return flatten_waiting(reader, sink, l, i);
        }
        sink->codes[l->rows[i]] = code;
    }
    return true;
}

/* That a dictionary is of no use shows long before the first batch is full, and a short text has no second one. */
static bool drop_useless_early(struct reader *reader, struct sink *sink)
{
    const struct sink_dict *dict = sink->dict;
    if (dict->count - dict->shown < EARLY_ROWS - EARLY_ROWS / 8) return true;
    return sink_flatten(reader, sink);
}

bool reader_look_up(struct reader *reader)
{
    struct lookup l;
    if (reader->row_count == 0) return true;
    uint32_t from = (reader->row_count - 1) / SINK_WAITING * SINK_WAITING;
    for (uint32_t i = 0; i < reader->sink_count; i++) {
        struct sink *sink = &reader->sinks[i];
        if (sink->waiting == NULL || !sink->by_code) continue;
        take_waiting(sink, from, &l);
        if (l.count > 0 && !sink_look_up(reader, sink, &l)) return false;
        memset(sink->waiting, 0, SINK_WAITING * sizeof *sink->waiting);
        if (reader->row_count == EARLY_ROWS && sink->by_code && !drop_useless_early(reader, sink))
            return false;
    }
    reader->lines.unescaped_bytes = 0;
    return true;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static bool reader_start(struct reader *reader)
{
    const struct reader_options *options = &reader->options;
    reader->sinks = rf_arena_new(&reader->kept, struct sink, reader->sink_count);
    reader->vecs = rf_arena_new(&reader->kept, struct vec, reader->sink_count);
    if (reader->sinks == NULL || reader->vecs == NULL) return false;
    for (uint32_t i = 0; i < reader->sink_count; i++) {
        reader->sinks[i].name = options->columns[i].name;
        reader->sinks[i].type = options->columns[i].type;
    }
    reader->encode = rf_buf_in(&reader->scratch);
    reader->place.line = 1;
    reader->csv.delimiter = options->delimiter == 0 ? ',' : (uint8_t)options->delimiter;
    reader->csv.arena = &reader->batch;
    reader->json.lines = options->format == READER_JSON_LINES;
    reader->json.scratch = &reader->batch;
    if (options->format == READER_CSV) return true;
    if (!scan_keys_init(&reader->json.keys, &reader->kept)) return false;
    if (reader->json.lines && !line_window_init(&reader->lines, &reader->json, &reader->kept))
        return false;
    for (uint32_t i = 0; i < reader->sink_count; i++) {
        uint32_t key = scan_keys_find(&reader->json.keys, reader->sinks[i].name, true);
        if (key == UINT32_MAX) return false;
        reader->json.keys.items[key].column = i;
    }
    return true;
}

/* Fewer rows a batch when there are very many columns, so that a batch stays within some MB. */
static uint32_t rows_per_batch(const struct reader_options *options)
{
    uint32_t rows =
        options->batch_rows == 0 ? BATCH_ROWS : RF_MIN(options->batch_rows, (uint32_t)BATCH_ROWS);
    uint32_t fit = BATCH_CELL_BYTES_MAX / 16 / RF_MAX(options->column_count, 1u);
    return RF_MAX(RF_MIN(rows, fit), 1u);
}

enum rf_kind reader_new(const struct reader_options *options, struct reader **out,
                        struct rf_err *err)
{
    if (options->column_count > READER_COLUMNS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyColumns", "%u columns are asked for, %d are the most",
                       options->column_count, READER_COLUMNS_MAX);
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a reader");
    reader->options = *options;
    reader->sink_count = options->column_count;
    reader->row_max = rows_per_batch(options);
    rf_arena_init_shared(&reader->kept, options->budget);
    rf_arena_init_shared(&reader->batch, options->budget);
    rf_arena_init_shared(&reader->scratch, options->budget);
    if (!reader_start(reader)) {
        enum rf_kind kind = rf_fail_memory(err, &reader->kept);
        reader_free(reader);
        return kind;
    }
    *out = reader;
    return RF_OK;
}

void reader_free(struct reader *reader)
{
    if (reader == NULL) return;
    rf_arena_done(&reader->kept);
    rf_arena_done(&reader->batch);
    rf_arena_done(&reader->scratch);
    free(reader);
}

/* ---- feeding --------------------------------------------------------------------------------------------------- */

static const uint8_t *reader_at(const struct reader *reader)
{
    return reader->options.format == READER_CSV ? reader->csv.at : reader->json.at;
}

/* Moves the place to where the parser stands. */
static void place_advance(struct reader *reader)
{
    struct text_place *place = &reader->place;
    if (place->counted == NULL) return;
    const uint8_t *at = reader_at(reader);
    place->line += scan_count_lines(place->counted, at);
    place->offset += (uint64_t)(at - place->from);
    place->from = place->counted = at;
}

void reader_feed(struct reader *reader, rf_str text, bool last)
{
    static const uint8_t none[1];
    if (text.ptr == NULL) text.ptr = none;
    struct text_place *place = &reader->place;
    if (place->offset == 0 && rf_str_starts(text, RF_S("\xef\xbb\xbf"))) {
        text = rf_slice(text, 3, text.len);
        place->offset = 3;
    }
    place->from = place->counted = text.ptr;
    struct line_window *window = &reader->lines;
    bool marked = reader->options.format == READER_JSON_VALUES && text.len >= MARKED_BYTES_MIN;
    /* Without memory for it there is none, and rows are read in the other way. */
    if (marked && window->nested == NULL)
        (void)line_window_init(window, &reader->json, &reader->kept);
    if (reader->options.format == READER_CSV)
        scan_csv_feed(&reader->csv, text, last);
    else
        scan_json_feed(&reader->json, text, last);
    reader->piece_end = text.ptr + text.len;
    if (window->nested != NULL) line_window_feed(&reader->lines, &reader->json);
}

rf_str reader_rest(const struct reader *reader)
{
    const uint8_t *at = reader_at(reader);
    return rf_str_make(at, (size_t)(reader->piece_end - at));
}

void reader_reject_row(struct reader *reader, const uint8_t *from, const uint8_t *fault,
                       const char *reason)
{
    struct text_place *place = &reader->place;
    place->line += scan_count_lines(place->counted, from);
    place->counted = from;
    reader->counts.rejected++;
    reader_undo_row(reader);
    if (reader->options.reject == NULL) return;
    const uint8_t *end = reader->piece_end;
    const uint8_t *line_end = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
    struct reader_reject reject = {
        .line = place->line,
        .offset = place->offset + (uint64_t)(fault - place->from),
        .reason = reason,
        .text = rf_str_make(from, (size_t)((line_end == NULL ? end : line_end) - from)),
    };
    reader->options.reject(reader->options.reject_state, &reject);
}

void reader_skip_row(struct reader *reader)
{
    struct text_place *place = &reader->place;
    rf_str rest = reader_rest(reader);
    reader->counts.rejected++;
    struct reader_reject reject = {.line = place->line,
                                   .offset = place->offset,
                                   .reason = "the row is longer than 64 MB",
                                   .text = rest};
    if (reader->options.reject != NULL)
        reader->options.reject(reader->options.reject_state, &reject);
    place->line++;
    place->counted = NULL; /* nothing of this piece is counted again */
    reader_pass(reader, rest.len);
    if (reader->options.format == READER_JSON_VALUES) reader->json.frame = SCAN_FRAME_LOST;
}

void reader_pass(struct reader *reader, uint64_t bytes)
{
    reader->place.offset += bytes;
    reader->counts.bytes += bytes;
}

enum rf_kind reader_next(struct reader *reader, struct batch *out, struct rf_err *err)
{
    for (uint32_t i = 0; i < reader->sink_count; i++)
        if (!sink_begin(reader, &reader->sinks[i])) return rf_fail_memory(err, &reader->kept);
    for (uint32_t i = 0; i < reader->sink_count; i++)
        if (reader->sinks[i].dict != NULL)
            reader->sinks[i].dict->shown = reader->sinks[i].dict->count;
    rf_arena_reset(&reader->batch);
    reader->row_count = 0;
    reader->has_misfits = false;
    const uint8_t *before = reader_at(reader);
    bool fine =
        reader->options.format == READER_CSV ? reader_csv_rows(reader) : reader_json_rows(reader);
    if (!fine || !reader_look_up(reader)) return rf_fail_memory(err, &reader->batch);
    for (uint32_t i = 0; i < reader->sink_count; i++)
        sink_end(reader, &reader->sinks[i], &reader->vecs[i]);
    place_advance(reader); /* now, while the text is still where it was fed */
    reader->counts.rows += reader->row_count;
    reader->counts.bytes += (uint64_t)(reader_at(reader) - before);
    *out = (struct batch){.row_count = reader->row_count,
                          .column_count = reader->sink_count,
                          .columns = reader->vecs,
                          .arena = &reader->batch};
    return RF_OK;
}

struct reader_counts reader_counts(const struct reader *reader) { return reader->counts; }
