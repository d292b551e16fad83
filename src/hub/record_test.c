#include "hub/record.h"

#include "hub/codec.h"
#include "hub/record_int.h"
#include "test/rf_prop.h"

enum { ARENA_BYTES = 256 << 20 };

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        cr_assert(sscanf(hex + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

/* ---- crc ---------------------------------------------------------------------------------------------- */

Test(crc32c, is_castagnoli)
{
    cr_assert(crc32c(0, "123456789", 9) == 0xe3069283);
    cr_assert(crc32c(0, "", 0) == 0);
    uint8_t zeros[32] = {0};
    cr_assert(crc32c(0, zeros, sizeof zeros) == 0x8a9136aa, "RFC 3720, B.4");
}

/* A bit at a time, as the polynomial says; and in two parts as in one. */
RF_PROP(crc32c_is_the_polynomials, 300)
{
    uint8_t raw[300];
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, NULL);
    uint32_t crc = ~0u;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= text.ptr[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    cr_assert(crc32c(0, text.ptr, text.len) == ~crc);
    cr_assert(crc32c_any(0, text.ptr, text.len) == ~crc, "without the instruction");
    size_t cut = (size_t)rf_test_below(prng, text.len + 1);
    uint32_t first = crc32c(0, text.ptr, cut);
    cr_assert(crc32c(first, text.ptr + cut, text.len - cut) == ~crc);
}

/* ---- the contract's example --------------------------------------------------------------------------- */

static const char example[] =
    "00000000000000000000003d0000000002e641a44b0000000000000000018bcfe568000000018bcfe56800"
    "ffffffffffffffffffffffffffff0000000116000000010a68656c6c6f00";

Test(record, reads_the_contracts_example)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    uint8_t raw[100];
    struct batch_head head;
    struct record_reader reader;
    struct record record;
    struct rf_err err;
    rf_str inflated;
    bool more;
    rf_str bytes = rf_str_make(raw, unhex(example, raw));
    cr_assert(batch_check(bytes, &arena, &head, &err) == RF_OK, "%s", err.text);
    cr_assert(head.producer_id == -1 && head.producer_epoch == -1 && head.base_sequence == -1);
    cr_assert(head.record_count == 1 && head.max_time_ms == 1700000000000);
    batch_number(raw, 1234567890123);
    cr_assert(batch_read(bytes, &head, &err) == RF_OK, "numbering keeps the crc right");
    cr_assert(batch_inflate(&head, &arena, &inflated, &err) == RF_OK);
    record_reader_init(&reader, &head, inflated);
    cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && more);
    cr_assert(record.key.ptr == NULL && rf_str_is(record.value, "hello"));
    cr_assert(record.offset == 1234567890123 && record.time_ms == 1700000000000);
    cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && !more);
}

Test(record, writes_the_contracts_example)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct rf_buf buf = rf_buf_in(&arena);
    struct batch_builder builder;
    struct rf_err err;
    uint8_t raw[100];
    rf_buf_put(&buf, "before", 6);
    batch_begin(&builder, &buf);
    batch_add(&builder, 1700000000000, (rf_str){NULL, 0}, RF_S("hello"), NULL, 0);
    cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK);
    cr_assert(
        rf_str_eq(rf_slice(rf_buf_view(&buf), 6, buf.len), rf_str_make(raw, unhex(example, raw))));
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

/* Changes the example at a place and makes its crc right. */
static enum rf_kind check_changed(size_t at, const char *hex, const char **code)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    uint8_t raw[100];
    struct batch_head head;
    static struct rf_err err;
    size_t len = unhex(example, raw);
    unhex(hex, raw + at);
    put_u32be(raw + AT_CRC, crc32c(0, raw + AT_ATTRIBUTES, len - AT_ATTRIBUTES));
    enum rf_kind kind = batch_check(rf_str_make(raw, len), &arena, &head, &err);
    *code = kind == RF_OK ? "" : err.code;
    return kind;
}

Test(record, refuses_what_lies)
{
    static const struct {
        const char *what;
        size_t at;
        const char *hex;
        const char *code;
    } table[] = {
        {"nothing changed", 0, "00", ""},
        {"leader epoch", AT_EPOCH, "00000007", ""},
        {"magic 0", AT_MAGIC, "00", "UnsupportedFormat"},
        {"magic 1", AT_MAGIC, "01", "UnsupportedFormat"},
        {"magic 3", AT_MAGIC, "03", "CorruptMessage"},
        {"shorter than it is", AT_LENGTH, "0000003c", "CorruptMessage"},
        {"longer than it is", AT_LENGTH, "0000003e", "CorruptMessage"},
        {"no room for a head", AT_LENGTH, "00000004", "CorruptMessage"},
        {"negative length", AT_LENGTH, "ffffffff", "CorruptMessage"},
        {"codec 5", AT_ATTRIBUTES, "0005", "UnsupportedCodec"},
        {"no gzip", AT_ATTRIBUTES, "0001", "CorruptMessage"},
        {"no snappy", AT_ATTRIBUTES, "0002", "CorruptMessage"},
        {"no lz4", AT_ATTRIBUTES, "0003", "CorruptMessage"},
        {"no zstd", AT_ATTRIBUTES, "0004", "CorruptMessage"},
        {"transactional", AT_ATTRIBUTES, "0010", "CorruptMessage"},
        {"control", AT_ATTRIBUTES, "0020", "CorruptMessage"},
        {"two numbers", AT_LAST_DELTA, "00000001", "CorruptMessage"},
        {"negative last delta", AT_LAST_DELTA, "ffffffff", "CorruptMessage"},
        {"two records", AT_COUNT, "00000002", "CorruptMessage"},
        {"no records", AT_COUNT, "00000000", "CorruptMessage"},
        {"many records", AT_COUNT, "ffffffff", "CorruptMessage"},
        {"record too long", BATCH_HEAD_BYTES, "18", "CorruptMessage"},
        {"record too short", BATCH_HEAD_BYTES, "14", "CorruptMessage"},
        {"negative record", BATCH_HEAD_BYTES, "01", "CorruptMessage"},
        {"delta 1", BATCH_HEAD_BYTES + 3, "02", "CorruptMessage"},
        {"delta -1", BATCH_HEAD_BYTES + 3, "01", "CorruptMessage"},
        {"key length -2", BATCH_HEAD_BYTES + 4, "03", "CorruptMessage"},
        {"value longer than the record", BATCH_HEAD_BYTES + 5, "0e", "CorruptMessage"},
        {"a header that is not there", BATCH_HEAD_BYTES + 11, "02", "CorruptMessage"},
        {"-1 headers", BATCH_HEAD_BYTES + 11, "01", "CorruptMessage"},
        {"attributes of a record", BATCH_HEAD_BYTES + 1, "ff", ""},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        const char *code;
        (void)!check_changed(table[i].at, table[i].hex, &code);
        cr_expect(strcmp(code, table[i].code) == 0, "%s: %s", table[i].what, code);
    }
}

Test(record, tells_a_cut_batch_from_a_spoiled_one)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    uint8_t raw[200];
    struct batch_head head;
    struct rf_err err;
    size_t len = unhex(example, raw);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert(batch_read(rf_str_make(raw, cut), &head, &err) == RF_AGAIN, "at %zu", cut);
    memcpy(raw + len, raw, len);
    cr_assert(batch_read(rf_str_make(raw, 2 * len), &head, &err) == RF_OK);
    cr_assert(head.whole.len == len, "the second is left for another call");
    cr_assert(batch_check(rf_str_make(raw, 2 * len), &arena, &head, &err) == RF_INVALID);
    raw[len - 3] ^= 1;
    cr_assert(batch_read(rf_str_make(raw, len), &head, &err) == RF_INVALID);
    cr_assert(strcmp(err.code, "CorruptMessage") == 0);
    cr_assert(batch_read_trusted(rf_str_make(raw, len), &head, &err) == RF_OK);
}

Test(record, takes_records_of_at_most_a_mebibyte)
{
    for (size_t more = 0; more < 2; more++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, ARENA_BYTES);
        struct rf_buf buf = rf_buf_in(&arena);
        struct batch_builder builder;
        struct batch_head head;
        struct rf_err err;
        uint8_t *text = calloc(1, RECORD_BYTES_MAX);
        batch_begin(&builder, &buf);
        /* Lengths of 3 bytes for record and value, and one byte for each of the five others. */
        batch_add(&builder, 0, (rf_str){NULL, 0}, rf_str_make(text, RECORD_BYTES_MAX - 11 + more),
                  NULL, 0);
        cr_assert(batch_end(&builder, CODEC_ZSTD, NULL, &err) == RF_OK);
        free(text);
        cr_assert(buf.len < 1000);
        enum rf_kind kind = batch_check(rf_buf_view(&buf), &arena, &head, &err);
        cr_assert(kind == (more ? RF_LIMIT : RF_OK), "%s", err.text);
        cr_assert(!more || strcmp(err.code, "MessageTooLarge") == 0);
    }
}

/* Three records of 96 bytes, as another client's library packs them. */
Test(record, reads_what_other_clients_packed)
{
    static const struct {
        enum batch_codec codec;
        const char *hex;
    } table[] = {
        {CODEC_GZIP,
         "0000000000000000000000720000000002d2c59ead0001000000020000018bcfe568000000018bcf"
         "e56802ffffffffffffffffffffffffffff000000031f8b08004d5f036b02ff3bc7c8c0c0c0788031"
         "31293925352d3d835634c31d46062626b6ecd44adadbc5c494c1547685918185853ef63100009022"
         "152c45010000"},
        {CODEC_SNAPPY,
         "00000000000000000000008200000000024c253d140002000000020000018bcfe568000000018bcf"
         "e56802ffffffffffffffffffffffffffff0000000382534e41505059000000000100000001000000"
         "3dc5023cce0100000001c0016162636465666768fe08005e08002400dc01000202066b6579fe6c00"
         "866c00240202680276d401000404fe70009670000000"},
        {CODEC_LZ4,
         "00000000000000000000007f0000000002f366631b0003000000020000018bcfe568000000018bcf"
         "e56802ffffffffffffffffffffffffffff0000000304224d18684045010000000000005837000000"
         "ff01ce0100000001c0016162636465666768080045af00dc01000202066b65796c004faf02026802"
         "76d40100040470004f50656667680000000000"},
        {CODEC_ZSTD,
         "00000000000000000000006e00000000021358cbb00004000000020000018bcfe568000000018bcf"
         "e56802ffffffffffffffffffffffffffff0000000328b52ffd6045009d01005402ce0100000001c0"
         "01616263646566676800dc01000202066b65790202680276d401000404000300638e14fd1b26a436"
         "9525"},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, ARENA_BYTES);
        uint8_t raw[200];
        struct batch_head head;
        struct record_reader reader;
        struct record record;
        struct record_header header;
        struct rf_err err;
        rf_str inflated;
        bool more;
        rf_str bytes = rf_str_make(raw, unhex(table[i].hex, raw));
        cr_assert(batch_check(bytes, &arena, &head, &err) == RF_OK, "%s", err.text);
        cr_assert(batch_codec_of(&head) == table[i].codec && head.record_count == 3);
        cr_assert(batch_inflate(&head, &arena, &inflated, &err) == RF_OK);
        record_reader_init(&reader, &head, inflated);
        for (uint32_t r = 0; r < 3; r++) {
            cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && more);
            cr_assert(record.time_ms == 1700000000000 + r && record.offset == r);
            cr_assert((r == 0 && record.key.ptr == NULL) || rf_str_is(record.key, "key"));
            cr_assert(record.value.len == 96);
            for (size_t at = 0; at < 96; at++) cr_assert(record.value.ptr[at] == 'a' + at % 8);
            cr_assert(record.header_count == (r == 1));
        }
        record_reader_init(&reader, &head, inflated);
        for (int r = 0; r < 2; r++) cr_assert(record_next(&reader, &record, &more, &err) == RF_OK);
        cr_assert(record_header_next(&record.headers, &header));
        cr_assert(rf_str_is(header.name, "h") && rf_str_is(header.value, "v"));
    }
}

/* ---- random batches ----------------------------------------------------------------------------------- */

enum { RECORDS_MAX = 50, HEADERS_MAX = 4, TEXT_MAX = 3000 };
struct made {
    int64_t time_ms;
    rf_str key, value;
    struct record_header headers[HEADERS_MAX];
    uint32_t header_count;
};

static rf_str made_text(struct rf_prng *prng, struct rf_arena *arena, size_t most)
{
    static const char *const letters[] = {NULL, "a", "ab", "the quick brown fox",
                                          "{\":}0123456789"};
    if (rf_test_one_in(prng, 6)) return (rf_str){NULL, 0};
    uint8_t *raw = rf_arena_alloc(arena, most);
    return rf_test_bytes(prng, raw, most, letters[rf_test_below(prng, RF_COUNT(letters))]);
}

static uint32_t make_records(struct rf_prng *prng, struct rf_arena *arena, struct made *out)
{
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, RECORDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct made *m = &out[i];
        *m = (struct made){.time_ms = rf_test_between(prng, -1000000, 1000000) * 1000003,
                           .key = made_text(prng, arena, 40),
                           .value = made_text(prng, arena, TEXT_MAX),
                           .header_count = (uint32_t)rf_test_below(prng, HEADERS_MAX + 1)};
        for (uint32_t h = 0; h < m->header_count; h++)
            m->headers[h] =
                (struct record_header){made_text(prng, arena, 100), made_text(prng, arena, 100)};
    }
    return count;
}

static bool same_text(rf_str a, rf_str b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && rf_str_eq(a, b);
}

RF_PROP(record_batches_come_back, 600)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct made made[RECORDS_MAX];
    struct rf_buf buf = rf_buf_in(&arena);
    struct batch_builder builder;
    struct batch_head head;
    struct rf_err err;
    struct batch_producer producer = {77, 3, 12};
    uint32_t count = make_records(prng, &arena, made);
    enum batch_codec codec = (enum batch_codec)rf_test_below(prng, 5);
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < count; i++)
        batch_add(&builder, made[i].time_ms, made[i].key, made[i].value, made[i].headers,
                  made[i].header_count);
    cr_assert(batch_end(&builder, codec, &producer, &err) == RF_OK, "%s", err.text);
    batch_number(buf.ptr, 1000);
    cr_assert(batch_check(rf_buf_view(&buf), &arena, &head, &err) == RF_OK, "codec %d: %s", codec,
              err.text);
    cr_assert(batch_codec_of(&head) == codec || batch_codec_of(&head) == CODEC_NONE);
    cr_assert(head.producer_id == 77 && head.producer_epoch == 3 && head.base_sequence == 12);

    rf_str inflated;
    struct record_reader reader;
    int64_t time_max = made[0].time_ms;
    cr_assert(batch_inflate(&head, &arena, &inflated, &err) == RF_OK);
    record_reader_init(&reader, &head, inflated);
    for (uint32_t i = 0; i < count; i++) {
        struct record record;
        struct record_header header;
        bool more;
        cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && more);
        cr_assert(same_text(record.key, made[i].key) && same_text(record.value, made[i].value));
        cr_assert(record.offset == 1000 + i && record.time_ms == made[i].time_ms);
        cr_assert(record.header_count == made[i].header_count);
        for (uint32_t h = 0; h < record.header_count; h++) {
            cr_assert(record_header_next(&record.headers, &header));
            cr_assert(rf_str_eq(header.name, made[i].headers[h].name) && header.name.ptr != NULL);
            cr_assert(same_text(header.value, made[i].headers[h].value));
        }
        cr_assert(!record_header_next(&record.headers, &header));
        time_max = RF_MAX(time_max, made[i].time_ms);
    }
    cr_assert(head.max_time_ms == time_max);
}

/* ---- codecs ------------------------------------------------------------------------------------------- */

RF_PROP(codecs_come_back_and_take_no_nonsense, 800)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    enum { LEN_MAX = 200000 };
    uint8_t *raw = rf_arena_alloc(&arena, LEN_MAX);
    struct rf_err err;
    rf_str packed, out;
    rf_str plain = rf_test_bytes(prng, raw, LEN_MAX, rf_test_bool(prng) ? "abc" : NULL);
    /* Long repeats too, of any period. */
    size_t period = 1 + (size_t)rf_test_below(prng, 70000);
    if (rf_test_bool(prng))
        for (size_t i = period; i < plain.len; i++) raw[i] = raw[i - period];
    enum batch_codec codec = (enum batch_codec)(1 + rf_test_below(prng, 4));
    cr_assert(codec_deflate(codec, plain, &arena, &packed, &err) == RF_OK, "%s", err.text);
    cr_assert(codec_inflate(codec, packed, plain.len, &arena, &out, &err) == RF_OK, "codec %d: %s",
              codec, err.text);
    cr_assert(rf_str_eq(out, plain), "codec %d", codec);
    if (plain.len == 0) return;
    cr_assert(codec_inflate(codec, packed, plain.len - 1, &arena, &out, &err) == RF_LIMIT);
    cr_assert(strcmp(err.code, "MessageTooLarge") == 0);
    size_t cut = (size_t)rf_test_below(prng, packed.len);
    enum rf_kind kind =
        codec_inflate(codec, rf_slice(packed, 0, cut), plain.len, &arena, &out, &err);
    /* A stream of snappy blocks has no end of its own: a cut between two does not show here, but in the crc. */
    cr_assert(kind == RF_INVALID || (codec == CODEC_SNAPPY && out.len < plain.len), "codec %d",
              codec);
    uint8_t *spoiled = (uint8_t *)(uintptr_t)packed.ptr;
    spoiled[rf_test_below(prng, packed.len)] ^= (uint8_t)(1 + rf_test_below(prng, 255));
    (void)!codec_inflate(codec, packed, plain.len, &arena, &out, &err);
}

Test(codec, reads_snappy_as_other_writers_make_it)
{
    static const struct {
        const char *hex, *text; /* NULL: refused */
    } table[] = {
        {"00", ""},
        {"0100"
         "61",
         "a"},
        /* A literal, then a copy that overlaps itself, by a distance of 1 byte. */
        {"0a"
         "0061"
         "1501",
         "aaaaaaaaaa"},
        {"08"
         "0461"
         "62"
         "1602"
         "00",
         "abababab"},
        {"08"
         "0461"
         "62"
         "1702"
         "000000",
         "abababab"},
        {"06"
         "f005"
         "616263646566",
         "abcdef"},
        {"06"
         "f40500"
         "616263646566",
         "abcdef"},
        {"82534e4150505900"
         "00000001"
         "00000001"
         "00000003"
         "010061"
         "00000003"
         "010062",
         "ab"},
        {"82534e4150505900"
         "00000001"
         "00000001"
         "00000003"
         "010061"
         "82534e4150505900"
         "00000001"
         "00000001"
         "00000003"
         "010062",
         "ab"},
        {"82534e4150505900"
         "00000001"
         "00000001",
         ""},
        /* By the common library. */
        {"641c6162636465666768fe08005e08000c7461696c",
         "abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh"
         "abcdefghtail"},
        {"", NULL}, /* no length */
        {"0200"
         "61",
         NULL}, /* shorter than it says */
        {"0100"
         "6100"
         "62",
         NULL}, /* longer */
        {"05"
         "0501",
         NULL}, /* copy of what is not there */
        {"06"
         "0061"
         "0500",
         NULL}, /* distance 0 */
        {"06"
         "f0ff"
         "6162",
         NULL}, /* literal beyond the end */
        {"ffffffff0f"
         "0061",
         NULL}, /* claims 4 GiB */
        {"ffffff01"
         "0061",
         NULL}, /* claims more than its bytes can make */
        {"ffffffffff0f"
         "0061",
         NULL},
        {"82534e4150505900"
         "00000001"
         "00000001"
         "00000009"
         "010061",
         NULL},
        {"82534e4150505900"
         "00000001"
         "00000001"
         "0000",
         NULL},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        uint8_t raw[100];
        struct rf_err err;
        rf_str out;
        enum rf_kind kind = codec_inflate(CODEC_SNAPPY, rf_str_make(raw, unhex(table[i].hex, raw)),
                                          BATCH_INFLATED_BYTES_MAX, &arena, &out, &err);
        if (table[i].text == NULL)
            cr_expect(kind == RF_INVALID || kind == RF_LIMIT, "%zu", i);
        else
            cr_expect(kind == RF_OK && rf_str_is(out, table[i].text), "%zu", i);
    }
}

/* A bomb of 64 MiB and a bit stops at the limit, and what claims to be long takes no memory for it. */
Test(codec, stops_at_the_limit)
{
    for (int codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, ARENA_BYTES);
        size_t len = BATCH_INFLATED_BYTES_MAX + 1;
        uint8_t *zeros = calloc(1, len);
        struct rf_err err;
        rf_str packed, out;
        cr_assert(codec_deflate((enum batch_codec)codec, rf_str_make(zeros, len), &arena, &packed,
                                &err) == RF_OK);
        free(zeros);
        RF_CLEANUP(rf_arena_done) struct rf_arena small;
        rf_arena_init(&small, 16 << 20);
        cr_assert(codec_inflate((enum batch_codec)codec, packed, BATCH_INFLATED_BYTES_MAX, &small,
                                &out, &err) == RF_LIMIT);
        cr_assert(strcmp(err.code, "MemoryBudgetExceeded") == 0);
        rf_arena_reset(&small);
        cr_assert(codec_inflate((enum batch_codec)codec, packed, 1 << 20, &small, &out, &err) ==
                  RF_LIMIT);
        cr_assert(strcmp(err.code, "MessageTooLarge") == 0);
    }
}

Test(record, says_when_memory_is_used_up)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1000);
    struct rf_buf buf = rf_buf_in(&arena);
    struct batch_builder builder;
    struct rf_err err;
    static const uint8_t text[2000];
    batch_begin(&builder, &buf);
    batch_add(&builder, 0, (rf_str){NULL, 0}, rf_str_make(text, sizeof text), NULL, 0);
    cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_LIMIT);
}
