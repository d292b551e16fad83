/* Any bytes as what a client sends: head after head with their bodies, whole and byte by byte. Both ways see the same. */
#include "net/http_parse.h"
#include "test/rf_fuzz.h"

static const struct http_parse_limits limits = {
    .head_bytes_max = 4096, .headers_max = 20, .target_bytes_max = 1000};

/* What one reading saw, folded into a number. */
static void fold(uint64_t *sum, rf_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) *sum = *sum * 31 + bytes.ptr[i] + 1;
}

static enum http_step scan(rf_str text, size_t piece, size_t *from, size_t *to,
                           struct http_refusal *why)
{
    struct http_head_scan state = {.at = 0};
    enum http_step step = HTTP_MORE;
    for (size_t len = 0; step == HTTP_MORE && len < text.len;) {
        len = RF_MIN(text.len, len + piece);
        step = http_head_scan(&state, rf_slice(text, 0, len), &limits, from, to, why);
    }
    return step;
}

/* Returns where the body ends, or SIZE_MAX when it does not, or is refused. */
static size_t read_chunks(rf_str text, size_t piece, uint64_t *sum)
{
    struct http_chunks chunks = {.left = 0};
    struct http_refusal why = {.status = 0};
    for (size_t at = 0;;) {
        size_t used = 0;
        rf_str data;
        rf_str part = rf_slice(text, at, RF_MIN(text.len, at + piece));
        enum http_step step = http_chunks_read(&chunks, part, &used, &data, &why);
        if (step == HTTP_REFUSED) {
            RF_ASSERT(why.status >= 400);
            return SIZE_MAX;
        }
        RF_ASSERT(used <= part.len);
        RF_ASSERT(step == HTTP_DONE || used > 0 || part.len == 0);
        fold(sum, data);
        at += used;
        if (step == HTTP_DONE) return at;
        if (at == text.len) return SIZE_MAX;
    }
}

static size_t read_body(const struct http_head *head, rf_str text, size_t piece, uint64_t *sum)
{
    RF_ASSERT(!head->is_chunked || !head->has_length);
    if (head->is_chunked) return read_chunks(text, piece, sum);
    if (head->content_length > text.len) return SIZE_MAX;
    fold(sum, rf_slice(text, 0, (size_t)head->content_length));
    return (size_t)head->content_length;
}

static void check_head(const struct http_head *head)
{
    const struct http_request *request = &head->request;
    RF_ASSERT(request->host.len > 0);
    RF_ASSERT(request->path.len > 0 && request->path.ptr[0] == '/');
    RF_ASSERT(request->header_count <= limits.headers_max);
    for (uint32_t i = 0; i < request->header_count; i++) {
        RF_ASSERT(http_is_token(request->headers[i].name));
        rf_str value = request->headers[i].value;
        RF_ASSERT(rf_str_find(value, RF_S("\r"), 0) == SIZE_MAX);
        RF_ASSERT(rf_str_find(value, RF_S("\n"), 0) == SIZE_MAX);
    }
}

static uint64_t read_all(rf_str text, size_t piece, struct rf_arena *arena)
{
    uint64_t sum = 0;
    for (int requests = 0; text.len > 0 && requests < 64; requests++) {
        size_t from, to;
        struct http_head head;
        struct http_refusal why = {.status = 0};
        enum http_step step = scan(text, piece, &from, &to, &why);
        if (step != HTTP_DONE) return sum + why.status;
        RF_ASSERT(from < to && to <= text.len);
        if (!http_head_parse(rf_slice(text, from, to), &limits, arena, &head, &why)) {
            RF_ASSERT(why.status >= 400);
            RF_ASSERT(why.why != NULL);
            return sum + why.status;
        }
        check_head(&head);
        fold(&sum, head.request.target);
        text = rf_slice(text, to, text.len);
        size_t end = read_body(&head, text, piece, &sum);
        if (end == SIZE_MAX) return sum;
        text = rf_slice(text, end, text.len);
    }
    return sum;
}

RF_FUZZ(http_parse, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct http_head answer;
    struct http_refusal why;
    size_t from, to;
    uint64_t whole = read_all(text, SIZE_MAX - 4096 - text.len, &arena);
    rf_arena_reset(&arena);
    RF_ASSERT(whole == read_all(text, 1, &arena));
    if (scan(text, text.len, &from, &to, &why) == HTTP_DONE)
        (void)http_answer_parse(rf_slice(text, from, to), &limits, &arena, &answer, &why);
}
