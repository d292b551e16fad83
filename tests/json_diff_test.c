/* json_diff_test.c - our JSON reader against simdjson: the same texts accepted, the same values
 * read. */
#include "base/json.h"
#include "json_simdjson_peer.h"
#include "test/rf_prop.h"
#include "value/text.h"

static void describe_text(struct rf_buf *out, char kind, const struct json_event *event)
{
    rf_str text;
    cr_assert(json_text(event, out->arena, &text));
    rf_buf_printf(out, "%c%zu:", kind, text.len);
    rf_buf_str(out, text);
}

static void describe_number(struct rf_buf *out, const struct json_event *event)
{
    int64_t i;
    double r;
    if (event->whole && json_number_i64(event->text, &i)) {
        rf_buf_printf(out, "i%lld;", (long long)i);
        return;
    }
    cr_assert(text_to_real(event->text, &r));
    rf_buf_printf(out, "d%a;", r);
}

/* As json_peer_read describes it. */
static enum rf_kind describe(rf_str text, struct rf_buf *out)
{
    static const char marks[] = {
        [JSON_OBJECT_BEGIN] = '{', [JSON_OBJECT_END] = '}', [JSON_ARRAY_BEGIN] = '[',
        [JSON_ARRAY_END] = ']',    [JSON_TRUE] = 't',       [JSON_FALSE] = 'f',
        [JSON_NULL] = 'n',
    };
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, text);
    for (;;) {
        RF_TRY(json_next(&reader, &event, NULL));
        switch (event.kind) {
        case JSON_END:
            return RF_OK;
        case JSON_KEY:
            describe_text(out, 'k', &event);
            break;
        case JSON_STRING:
            describe_text(out, 's', &event);
            break;
        case JSON_NUMBER:
            describe_number(out, &event);
            break;
        default:
            rf_buf_byte(out, (uint8_t)marks[event.kind]);
        }
    }
}

static bool has_digit_run(rf_str text)
{
    size_t run = 0;
    for (size_t i = 0; i < text.len && run < 19; i++) run = rf_is_digit(text.ptr[i]) ? run + 1 : 0;
    return run >= 19;
}

/* The reader keeps any number as text and mends lone surrogates; simdjson refuses both. */
static bool may_differ(rf_str text, enum json_peer_verdict verdict)
{
    bool exponent =
        rf_str_find(text, RF_S("e"), 0) != SIZE_MAX || rf_str_find(text, RF_S("E"), 0) != SIZE_MAX;
    if (verdict == JSON_PEER_BAD_NUMBER) return exponent || has_digit_run(text);
    if (verdict == JSON_PEER_BAD_STRING) return rf_str_find(text, RF_S("\\u"), 0) != SIZE_MAX;
    return false;
}

static void compare(rf_str text, struct rf_arena *arena)
{
    struct rf_buf ours = rf_buf_in(arena);
    size_t cap = text.len * 24 + 64, peer_len = 0;
    uint8_t *peer = rf_arena_alloc(arena, cap);
    cr_assert(peer != NULL);
    enum rf_kind kind = describe(text, &ours);
    enum json_peer_verdict verdict = json_peer_read(text.ptr, text.len, peer, cap, &peer_len);
    if (kind == RF_OK && verdict != JSON_PEER_ACCEPTS) {
        cr_assert(may_differ(text, verdict), "we accept: %.*s", RF_FMT(text));
        return;
    }
    cr_assert((kind == RF_OK) == (verdict == JSON_PEER_ACCEPTS), "we refuse: %.*s", RF_FMT(text));
    if (kind != RF_OK) return;
    cr_assert(rf_str_eq(rf_buf_view(&ours), rf_str_make(peer, peer_len)),
              "%.*s: we %.*s, peer %.*s", RF_FMT(text), RF_FMT(rf_buf_view(&ours)), (int)peer_len,
              (const char *)peer);
}

/* ---- random JSON, mostly well formed --------------------------------------------------------- */

static const char *pick(struct rf_prng *prng, const char *const *list, size_t count)
{
    return list[rf_test_below(prng, count)];
}

static void put_random_string(struct rf_prng *prng, struct rf_buf *out)
{
    static const char *const pieces[] = {
        "a",
        "Zz",
        " ",
        "0123456789abcdef",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\u20AC",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "{",
        "]",
        ":",
        ",",
        "a much longer piece of plain text",
    };
    rf_buf_byte(out, '"');
    for (uint64_t n = rf_test_below(prng, 6); n > 0; n--)
        rf_buf_str(out, rf_str_of(pick(prng, pieces, RF_COUNT(pieces))));
    rf_buf_byte(out, '"');
}

static void put_random_number(struct rf_prng *prng, struct rf_buf *out)
{
    switch (rf_test_below(prng, 4)) {
    case 0:
        rf_buf_printf(out, "%lld",
                      (long long)(int64_t)(rf_test_u64(prng) >> rf_test_below(prng, 64)));
        break;
    case 1:
        rf_buf_printf(out, "-%u", (unsigned)rf_test_below(prng, 100000));
        break;
    case 2:
        rf_buf_printf(out, "%u.%u", (unsigned)rf_test_below(prng, 1000),
                      (unsigned)rf_test_below(prng, 100000));
        break;
    default:
        rf_buf_printf(out, "%.17ge%d", (double)rf_test_u64(prng) / 1e19,
                      (int)rf_test_between(prng, -9, 9));
        break;
    }
}

static void put_random_value(struct rf_prng *prng, struct rf_buf *out, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null", "{}", "[]", "0", "-0", "-0.0"};
    static const char *const blanks[] = {"", "", " ", "\n", "\t \r"};
    rf_buf_str(out, rf_str_of(pick(prng, blanks, RF_COUNT(blanks))));
    uint64_t choice = rf_test_below(prng, depth == 0 ? 3 : 5);
    if (choice == 0) rf_buf_str(out, rf_str_of(pick(prng, words, RF_COUNT(words))));
    if (choice == 1) put_random_string(prng, out);
    if (choice == 2) put_random_number(prng, out);
    if (choice >= 3) {
        rf_buf_byte(out, choice == 3 ? '{' : '[');
        for (uint64_t i = 0, n = rf_test_below(prng, 5); i < n; i++) {
            if (i > 0) rf_buf_byte(out, ',');
            if (choice == 3) {
                put_random_string(prng, out);
                rf_buf_byte(out, ':');
            }
            put_random_value(prng, out, depth - 1);
        }
        rf_buf_byte(out, choice == 3 ? '}' : ']');
    }
    rf_buf_str(out, rf_str_of(pick(prng, blanks, RF_COUNT(blanks))));
}

RF_PROP(json_diff_well_formed, 5000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 26);
    struct rf_buf text = rf_buf_in(&arena);
    put_random_value(prng, &text, 1 + prng->size / 20);
    compare(rf_buf_view(&text), &arena);
}

RF_PROP(json_diff_with_a_change, 20000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 26);
    struct rf_buf text = rf_buf_in(&arena);
    put_random_value(prng, &text, 1 + prng->size / 30);
    static const char letters[] = "{}[]:,\"\\0129-+.eEtfnu \n\x01\x7f\x80\xc3\xed\xf4\xff/x";
    for (uint64_t n = 1 + rf_test_below(prng, 3); n > 0 && text.len > 0; n--) {
        size_t at = rf_test_below(prng, text.len);
        if (rf_test_bool(prng))
            text.ptr[at] = (uint8_t)letters[rf_test_below(prng, sizeof letters - 1)];
        else
            text.len = at; /* cut */
    }
    compare(rf_buf_view(&text), &arena);
}
