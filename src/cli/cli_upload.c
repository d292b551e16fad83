/* cli_upload.c - records of files, cut into pieces below a megabyte, packed and sent. */
#include "cli/cli_upload.h"

#include <time.h>

#include <zlib.h>

#include "base/input.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/cli_pace.h"
#include "cli/cli_store.h"
#include "cli/cli_text.h"
#include "store/reader_stream.h"
#include "value/dyn.h"

enum {
    PIECE_BYTES_MAX = 1000 * 1000, /* of JSON, brackets included; the API takes a megabyte */
    RECORD_BYTES_MAX = 64 << 20,   /* a longer one is not even looked at to its end */
    ARENA_BYTES_MAX = 512 << 20,
    PROGRESS_USEC = 200000,
    REJECTS_SHOWN = 5
};

struct upload {
    struct cli_server *server;
    rf_str target;
    struct rf_arena arena;       /* of the names */
    struct rf_arena piece_arena; /* of the piece being filled */
    struct rf_arena call_arena;
    struct rf_buf piece; /* "[{..},{..}" */
    uint64_t piece_records;
    uint64_t records, bytes, rejected; /* taken by the server; left out here */
    const char *file;
    uint64_t line; /* of the record at hand */
    struct cli_pace pace;
    bool terminal;
    rf_usec begin, shown;
};

/* ---- pieces -------------------------------------------------------------------------------------------------------- */

static void show_progress(struct upload *u)
{
    rf_usec now = rf_clock_elapsed(rf_clock_real());
    if (!u->terminal || now - u->shown < PROGRESS_USEC) return;
    u->shown = now;
    double seconds = RF_MAX((double)(now - u->begin) / RF_USEC_PER_SECOND, 1e-6);
    fprintf(stderr, "\r\x1b[K%llu records, %.0f records/s, %.1f MB/s",
            (unsigned long long)u->records, (double)u->records / seconds,
            (double)u->bytes / 1e6 / seconds);
    fflush(stderr);
}

static void clear_progress(const struct upload *u)
{
    if (u->terminal && u->shown != 0) fputs("\r\x1b[K", stderr);
}

static enum rf_kind pack(rf_str bytes, struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    z_stream stream = {0};
    /* 16: with the header of gzip. */
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to pack a piece");
    size_t room = deflateBound(&stream, bytes.len);
    uint8_t *packed = rf_arena_alloc(arena, room);
    stream.next_in = (Bytef *)(uintptr_t)bytes.ptr;
    stream.avail_in = (uInt)bytes.len;
    stream.next_out = packed;
    stream.avail_out = (uInt)room;
    int rc = packed == NULL ? Z_MEM_ERROR : deflate(&stream, Z_FINISH);
    size_t len = stream.total_out;
    (void)deflateEnd(&stream);
    if (packed == NULL) return rf_fail_memory(err, arena);
    RF_ASSERT(rc == Z_STREAM_END); /* deflateBound has said how much room that takes */
    *out = rf_str_make(packed, len);
    return RF_OK;
}

static void begin_piece(struct upload *u)
{
    rf_arena_reset(&u->piece_arena);
    u->piece = rf_buf_in(&u->piece_arena);
    u->piece_records = 0;
}

static enum rf_kind send_piece(struct upload *u, struct rf_err *err)
{
    if (u->piece_records == 0) return RF_OK;
    rf_buf_byte(&u->piece, ']');
    if (u->piece.failed) return rf_fail_memory(err, &u->piece_arena);
    rf_arena_reset(&u->call_arena);
    struct cli_call call = {.method = "POST", .target = u->target, .content_encoding = "gzip"};
    struct http_answer answer;
    RF_TRY(pack(rf_buf_view(&u->piece), &u->call_arena, &call.body, err));
    RF_TRY(cli_server_call(u->server, &call, &u->call_arena, &answer, err));
    u->records += u->piece_records;
    u->bytes += u->piece.len;
    begin_piece(u);
    show_progress(u);
    return RF_OK;
}

static void reject(struct upload *u, const char *why)
{
    clear_progress(u);
    if (u->rejected++ < REJECTS_SHOWN)
        cli_say("%s: the record of line %llu is left out: %s", u->file, (unsigned long long)u->line,
                why);
}

/* What is due already is sent before; a wait is never short, so that rows gather into pieces. */
static enum rf_kind wait_until_due(struct upload *u, rf_str record, struct rf_err *err)
{
    int64_t usec;
    while ((usec = cli_pace_wait_usec(&u->pace, record, rf_clock_real())) > 0) {
        RF_TRY(send_piece(u, err));
        usec = RF_MAX(usec, RF_USEC_PER_SECOND);
        struct timespec left = {.tv_sec = usec / RF_USEC_PER_SECOND,
                                .tv_nsec = usec % RF_USEC_PER_SECOND * 1000};
        while (nanosleep(&left, &left) != 0) continue;
    }
    return RF_OK;
}

static enum rf_kind add_record(struct upload *u, rf_str record, struct rf_err *err)
{
    RF_TRY(wait_until_due(u, record, err));
    if (record.len > PIECE_BYTES_MAX - 2) {
        reject(u, "it is longer than the megabyte that a server takes");
        return RF_OK;
    }
    if (u->piece.len + record.len + 2 > PIECE_BYTES_MAX) RF_TRY(send_piece(u, err));
    rf_buf_byte(&u->piece, u->piece_records++ == 0 ? '[' : ',');
    rf_buf_str(&u->piece, record);
    return RF_OK;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

/* Where the next record begins and ends in a text that comes in pieces. */
struct cutter {
    size_t at, from; /* looked at up to here; start of the record under way */
    uint32_t depth;
    bool quoted, escaped;
};

/* Moves on to the end of a line; the record is what lies before. */
static bool cut_line(struct cutter *c, rf_str text, bool last, rf_str *record)
{
    const uint8_t *end = c->at < text.len ? memchr(text.ptr + c->at, '\n', text.len - c->at) : NULL;
    if (end == NULL && (!last || c->from == text.len)) return false;
    c->at = end != NULL ? (size_t)(end - text.ptr) : text.len;
    *record = rf_str_trim(rf_slice(text, c->from, c->at));
    if (end != NULL) c->at++;
    c->from = c->at;
    return true;
}

/* Moves on to the end of an object that is not inside of another one. Strings may hold braces; what is no JSON at all is found
 * out when the record is checked. */
static bool cut_object(struct cutter *c, rf_str text, bool last, rf_str *record)
{
    for (; c->at < text.len; c->at++) {
        uint8_t b = text.ptr[c->at];
        if (c->quoted) {
            c->quoted = c->escaped || b != '"';
            c->escaped = !c->escaped && b == '\\';
        } else if (b == '"' && c->depth > 0) {
            c->quoted = true;
        } else if (b == '{') {
            if (c->depth++ == 0) c->from = c->at;
        } else if (b == '}' && c->depth > 0 && --c->depth == 0) {
            c->at++;
            *record = rf_slice(text, c->from, c->at);
            c->from = c->at;
            return true;
        } else if (c->depth == 0 && (rf_is_space(b) || b == ',' || b == '[' || b == ']')) {
            c->from = c->at + 1; /* between records */
        } else if (c->depth == 0) {
            /* No object: taken as a record up to the end of its line, and refused as such. */
            c->from = c->at;
            return cut_line(c, text, last, record);
        }
    }
    if (!last || c->from >= text.len) return false;
    *record = rf_slice(text, c->from, text.len);
    c->from = text.len;
    return true;
}

/* One object and nothing else. */
static enum rf_kind check_record(rf_str record, struct rf_err *why)
{
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, record);
    RF_TRY(json_next(&reader, &event, why));
    if (event.kind != JSON_OBJECT_BEGIN)
        return RF_FAIL(why, RF_INVALID, "BadRecord", "it is no object");
    RF_TRY(json_skip_container(&reader, why));
    return json_next(&reader, &event, why);
}

static enum rf_kind take_record(struct upload *u, rf_str record, struct rf_err *err)
{
    struct rf_err why = {0};
    if (record.len == 0) return RF_OK;
    if (check_record(record, &why) == RF_OK) return add_record(u, record, err);
    reject(u, why.text);
    return RF_OK;
}

static uint64_t count_lines(rf_str text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < text.len; i++) lines += text.ptr[i] == '\n';
    return lines;
}

struct json_text {
    struct rf_arena arena;
    uint8_t *ptr;
    size_t len, cap;
};

/* Drops what was taken and reads on behind the rest. */
static enum rf_kind read_more(struct json_text *t, struct input *input, struct cutter *c,
                              bool *last, struct rf_err *err)
{
    size_t keep = t->len - c->from, got;
    if (keep > 0 && c->from > 0) memmove(t->ptr, t->ptr + c->from, keep);
    c->at -= c->from;
    c->from = 0;
    t->len = keep;
    if (t->cap - t->len < INPUT_BUFFER_BYTES) {
        size_t cap = RF_MAX(t->cap * 2, (size_t)4 * INPUT_BUFFER_BYTES);
        if (cap > RECORD_BYTES_MAX)
            return RF_FAIL(err, RF_LIMIT, "RecordTooLong", "a record is longer than %d MB",
                           RECORD_BYTES_MAX >> 20);
        uint8_t *ptr = rf_arena_grow(&t->arena, t->ptr, t->cap, cap);
        if (ptr == NULL) return rf_fail_memory(err, &t->arena);
        t->ptr = ptr;
        t->cap = cap;
    }
    RF_TRY(input_read(input, t->ptr + t->len, t->cap - t->len, &got, err));
    t->len += got;
    *last = got == 0;
    return RF_OK;
}

/* lines: a record a line; else objects, in an array or one after another. */
static enum rf_kind cut_all(struct upload *u, struct input *input, bool lines, struct json_text *t,
                            struct rf_err *err)
{
    struct cutter c = {0};
    for (bool last = false; !last;) {
        RF_TRY(read_more(t, input, &c, &last, err));
        rf_str text = rf_str_make(t->ptr, t->len), record;
        size_t counted = 0; /* lines are counted up to here */
        while (lines ? cut_line(&c, text, last, &record) : cut_object(&c, text, last, &record)) {
            size_t start = record.len > 0 ? (size_t)(record.ptr - t->ptr) : counted;
            u->line += count_lines(rf_slice(text, counted, start));
            counted = start;
            RF_TRY(take_record(u, record, err));
        }
        u->line += count_lines(rf_slice(text, counted, c.from));
    }
    return RF_OK;
}

static enum rf_kind send_json(struct upload *u, const char *path, bool lines, struct rf_err *err)
{
    struct input *input;
    struct json_text text = {0};
    RF_TRY(input_open(NULL, path, &input, err));
    rf_arena_init(&text.arena, 4ull * RECORD_BYTES_MAX);
    u->line = 1;
    enum rf_kind kind = cut_all(u, input, lines, &text, err);
    rf_arena_done(&text.arena);
    input_free(input);
    return kind;
}

/* ---- CSV --------------------------------------------------------------------------------------------------------------- */

static void on_reject(void *state, const struct reader_reject *row)
{
    struct upload *u = state;
    u->line = row->line;
    reject(u, row->reason);
}

/* A row as an object of texts: what they are is for the rule to say. Empty fields are left out. */
static enum rf_kind add_row(struct upload *u, const struct batch *batch, uint32_t row,
                            const struct reader_column *columns, struct rf_buf *buf,
                            struct rf_err *err)
{
    buf->len = 0;
    rf_buf_byte(buf, '{');
    for (uint32_t i = 0; i < batch->column_count; i++) {
        rf_str text = vec_str(&batch->columns[i], row);
        if (text.len == 0) continue;
        if (buf->len > 1) rf_buf_byte(buf, ',');
        json_put_string(buf, columns[i].name);
        rf_buf_byte(buf, ':');
        json_put_string(buf, text);
    }
    rf_buf_byte(buf, '}');
    if (buf->failed) return rf_fail_memory(err, buf->arena);
    u->line++;
    return add_record(u, rf_buf_view(buf), err);
}

static enum rf_kind send_csv(struct upload *u, const struct reader_input *input,
                             struct reader_options *options, struct rf_err *err)
{
    if (strcmp(input->path, "-") == 0)
        return RF_FAIL(err, RF_INVALID, "BadInput",
                       "standard input may be JSON lines or an array; CSV is read from files");
    struct reader_column *columns;
    uint32_t count;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    RF_TRY(reader_infer(input, options, &arena, &columns, &count, err));
    for (uint32_t i = 0; i < count; i++) columns[i].type = TYPE_STRING;
    options->columns = columns;
    options->column_count = count;
    options->reject = on_reject;
    options->reject_state = u;
    struct reader_stream *stream;
    struct batch batch;
    struct rf_buf buf = rf_buf_in(&arena);
    RF_TRY(reader_stream_open(input, options, &stream, err));
    u->line = 1;
    enum rf_kind kind;
    while ((kind = reader_stream_next(stream, &batch, err)) == RF_OK && batch.row_count > 0)
        for (uint32_t row = 0; row < batch.row_count && kind == RF_OK; row++)
            if ((kind = add_row(u, &batch, row, columns, &buf, err)) != RF_OK) break;
    reader_stream_free(stream);
    return kind;
}

/* ---- running ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind send_file(struct upload *u, const char *path, struct rf_err *err)
{
    struct rf_budget budget;
    rf_budget_init(&budget, ARENA_BYTES_MAX);
    struct reader_input input = {.path = path};
    struct reader_options options = {.budget = &budget};
    u->file = strcmp(path, "-") == 0 ? "standard input" : path;
    if (strcmp(path, "-") == 0) return send_json(u, path, false, err);
    RF_TRY(reader_guess_format(&input, rf_str_of(path), &options, err));
    if (options.format == READER_CSV) return send_csv(u, &input, &options, err);
    return send_json(u, path, options.format == READER_JSON_LINES, err);
}

static enum rf_kind send_files(struct upload *u, const struct cli_upload_args *args,
                               struct rf_err *err)
{
    struct cli_stream stream;
    RF_TRY(cli_server_open(&args->server, &u->server, err));
    RF_TRY(cli_upload_find(u->server, args, &u->arena, &stream, err));
    u->target = rf_arena_printf(
        &u->arena, "/dataCollectionRules/%.*s/streams/%.*s?api-version=2023-01-01",
        RF_FMT(cli_url_path(&u->arena, stream.rule)), RF_FMT(cli_url_path(&u->arena, stream.name)));
    if (u->target.ptr == NULL) return rf_fail_memory(err, &u->arena);
    begin_piece(u);
    for (uint32_t i = 0; i < args->file_count; i++) RF_TRY(send_file(u, args->files[i], err));
    return send_piece(u, err);
}

int cli_upload(const struct cli_upload_args *args)
{
    struct upload u = {.terminal = cli_is_terminal(stderr), .pace = args->pace};
    struct rf_err err = {0};
    char size[24];
    rf_arena_init(&u.arena, ARENA_BYTES_MAX);
    rf_arena_init(&u.piece_arena, 64 << 20);
    rf_arena_init(&u.call_arena, 64 << 20);
    u.begin = rf_clock_elapsed(rf_clock_real());
    enum rf_kind kind = send_files(&u, args, &err);
    clear_progress(&u);
    if (u.rejected > 0)
        cli_say("%llu record%s left out", (unsigned long long)u.rejected,
                u.rejected == 1 ? " was" : "s were");
    if (kind == RF_OK)
        printf("%llu records, %s in %.1f s\n", (unsigned long long)u.records,
               cli_size_text(u.bytes, size),
               (double)(rf_clock_elapsed(rf_clock_real()) - u.begin) / RF_USEC_PER_SECOND);
    else
        (void)cli_say_error(&err, (rf_str){NULL, 0}, u.records > 0 ? u.file : NULL);
    if (kind != RF_OK && u.records > 0)
        cli_say("%llu records were taken before; sending the files again repeats them",
                (unsigned long long)u.records);
    cli_server_close(u.server);
    rf_arena_done(&u.call_arena);
    rf_arena_done(&u.piece_arena);
    rf_arena_done(&u.arena);
    return kind == RF_OK ? CLI_OK : CLI_FAILED;
}
