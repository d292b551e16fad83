#include "base/encode.h"
#include "hub/amqp_value.h"
#include "test/rf_prop.h"

/* Bytes of a hex text with blanks, in `arena`. */
static rf_str bytes_of(struct rf_arena *arena, const char *hex)
{
    rf_str out;
    char *packed = rf_arena_alloc(arena, strlen(hex) + 1);
    size_t len = 0;
    for (const char *p = hex; *p != '\0'; p++)
        if (*p != ' ') packed[len++] = *p;
    cr_assert(hex_decode(arena, rf_str_make(packed, len), &out, NULL) == RF_OK);
    return out;
}

Test(amqp_value, reads_every_constructor)
{
    static const struct {
        const char *hex;
        enum amqp_type type;
        int64_t number; /* of whole numbers and booleans; else the length of what it holds */
    } cases[] = {
        {"40", AMQP_NULL, 0},
        {"41", AMQP_BOOLEAN, 1},
        {"42", AMQP_BOOLEAN, 0},
        {"5601", AMQP_BOOLEAN, 1},
        {"43", AMQP_UINT, 0},
        {"52ff", AMQP_UINT, 255},
        {"7000010000", AMQP_UINT, 65536},
        {"44", AMQP_ULONG, 0},
        {"5375", AMQP_ULONG, 0x75},
        {"800000468c00000004", AMQP_ULONG, 0x468c00000004},
        {"50fe", AMQP_UBYTE, 254},
        {"51fe", AMQP_BYTE, -2},
        {"600102", AMQP_USHORT, 258},
        {"61fffe", AMQP_SHORT, -2},
        {"54ff", AMQP_INT, -1},
        {"71fffffffe", AMQP_INT, -2},
        {"5580", AMQP_LONG, -128},
        {"81fffffffffffffffe", AMQP_LONG, -2},
        {"7300000041", AMQP_CHAR, 0x41},
        {"830000018bcfe56800", AMQP_TIMESTAMP, 1700000000000},
        {"7401020304", AMQP_DECIMAL32, 4},
        {"840102030405060708", AMQP_DECIMAL64, 8},
        {"9400000000000000000000000000000000", AMQP_DECIMAL128, 16},
        {"9800000000000000000000000000000000", AMQP_UUID, 16},
        {"a00161", AMQP_BINARY, 1},
        {"b00000000161", AMQP_BINARY, 1},
        {"a1026869", AMQP_STRING, 2},
        {"b1000000026869", AMQP_STRING, 2},
        {"a3026869", AMQP_SYMBOL, 2},
        {"b3000000026869", AMQP_SYMBOL, 2},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct amqp_value value;
        rf_arena_init(&arena, 1 << 16);
        rf_str bytes = bytes_of(&arena, cases[i].hex), rest = bytes;
        cr_assert(amqp_check(bytes), "%s", cases[i].hex);
        cr_assert(amqp_read(&rest, &value) && rest.len == 0, "%s", cases[i].hex);
        cr_assert(value.type == cases[i].type && rf_str_eq(value.whole, bytes), "%s", cases[i].hex);
        bool holds_bytes = (value.type >= AMQP_DECIMAL32 && value.type <= AMQP_DECIMAL128) ||
                           (value.type >= AMQP_UUID && value.type <= AMQP_SYMBOL);
        cr_assert((holds_bytes ? (int64_t)value.bytes.len : value.i) == cases[i].number, "%s",
                  cases[i].hex);
        for (size_t cut = 0; cut < bytes.len; cut++) { /* none is readable when it is cut */
            rest = rf_slice(bytes, 0, cut);
            cr_assert(!amqp_read(&rest, &value), "%s", cases[i].hex);
            cr_assert(!amqp_check(rf_slice(bytes, 0, cut)), "%s", cases[i].hex);
        }
    }
}

Test(amqp_value, reads_reals)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct amqp_value value;
    rf_arena_init(&arena, 1 << 16);
    rf_str rest = bytes_of(&arena, "82 3ff8000000000000 72 bf800000");
    cr_assert(amqp_read(&rest, &value) && value.type == AMQP_DOUBLE && value.real == 1.5);
    cr_assert(amqp_read(&rest, &value) && value.type == AMQP_FLOAT && value.real == -1.0);
}

Test(amqp_value, refuses_what_is_malformed)
{
    static const char *const cases[] = {
        "",
        "99",                      /* no constructor */
        "5602",                    /* neither true nor false */
        "7300110000",              /* above the last code point */
        "a102c328",                /* no UTF-8 */
        "a301ff",                  /* no ASCII */
        "a105686900",              /* a length that lies */
        "c00102",                  /* two items without bytes */
        "c0030140 40",             /* more bytes than items */
        "c1 04 03 40 40 40",       /* a key without a value */
        "c1 02 01 40",             /* the same */
        "c0 00",                   /* no room for the count */
        "d0 00000003 000000",      /* the same */
        "e0 02 01 00",             /* an array without a constructor */
        "e0 06 01 54 01 02 03 04", /* more bytes than items */
        "e0 02 02 54",             /* items without bytes */
        "e0 04 02 56 01 02",       /* one of them is neither true nor false */
        "f0 00000005 00ffffff 40", /* too many items that take no bytes */
        "00 53 75",                /* a descriptor of nothing */
        "00 99 40",                /* no descriptor */
        "00 a3 01 ff 40",          /* its descriptor is no ASCII */
        "e0 06 01 00 a3 01 ff 40", /* that of an array's items */
        "40 40",                   /* two values */
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 16);
        cr_assert(!amqp_check(bytes_of(&arena, cases[i])), "%s", cases[i]);
    }
}

Test(amqp_value, walks_lists_maps_and_arrays)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct amqp_value value, item;
    rf_arena_init(&arena, 1 << 16);
    rf_str rest = bytes_of(&arena, "c1 0a 04 a3 01 61 54 01 a1 01 62 41");
    cr_assert(amqp_check(rest) && amqp_read(&rest, &value) && value.count == 4);
    cr_assert(amqp_map_find(&value, RF_S("a"), &item) && item.type == AMQP_INT && item.i == 1);
    cr_assert(amqp_map_find(&value, RF_S("b"), &item) && item.type == AMQP_BOOLEAN && item.u == 1);
    cr_assert(!amqp_map_find(&value, RF_S("c"), &item));

    rest = bytes_of(&arena, "e0 08 02 a1 01 61 03 62 63 64");
    cr_assert(amqp_check(rest) && amqp_read(&rest, &value) && value.type == AMQP_ARRAY);
    struct amqp_items items = amqp_items_of(&value);
    cr_assert(amqp_item(&items, &item) && rf_str_is(item.bytes, "a") && item.is_item);
    cr_assert(amqp_item(&items, &item) && rf_str_is(item.bytes, "bcd"));
    cr_assert(!amqp_item(&items, &item) && items.left == 0);

    /* An array of described values, whose descriptor stands once. */
    rest = bytes_of(&arena, "e0 09 02 00 53 07 61 0001 0002");
    cr_assert(amqp_check(rest) && amqp_read(&rest, &value));
    items = amqp_items_of(&value);
    cr_assert(amqp_item(&items, &item) && item.type == AMQP_DESCRIBED);
    cr_assert(amqp_descriptor(&item) == 7 && amqp_inner(&item, &value) && value.i == 1);
    cr_assert(amqp_item(&items, &item) && amqp_inner(&item, &value) && value.i == 2);
    cr_assert(!amqp_item(&items, &item));
}

Test(amqp_value, knows_descriptors_by_name)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct amqp_value value;
    rf_arena_init(&arena, 1 << 16);
    struct rf_buf buf = rf_buf_in(&arena);
    rf_buf_byte(&buf, 0);
    amqp_put_symbol(&buf, RF_S("amqp:accepted:list"));
    rf_buf_byte(&buf, 0x45);
    rf_str rest = rf_buf_view(&buf);
    cr_assert(amqp_read(&rest, &value) && amqp_descriptor(&value) == 0x24);
    rest = bytes_of(&arena, "00 a1 01 61 40"); /* a string is a descriptor, but no number */
    cr_assert(amqp_read(&rest, &value) && amqp_descriptor(&value) == UINT64_MAX);
}

Test(amqp_value, bounds_nesting)
{
    uint8_t deep[3 * 64];
    for (size_t levels = 1; levels < 60; levels++) {
        size_t len = 0;
        for (size_t i = 0; i < levels; i++) {
            deep[len++] = 0xc0;
            deep[len++] = (uint8_t)(3 * (levels - 1 - i) + 1 + (i + 1 < levels ? 0 : 0));
            deep[len++] = i + 1 < levels;
        }
        cr_assert(amqp_check(rf_str_make(deep, len)) == (levels < AMQP_NESTING_MAX), "%zu", levels);
    }
    memset(deep, 0, sizeof deep); /* descriptors of descriptors */
    cr_assert(!amqp_check(rf_str_make(deep, sizeof deep)));
}

Test(amqp_value, takes_the_contracts_batch_apart)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct amqp_section section;
    rf_arena_init(&arena, 1 << 16);
    rf_str message = bytes_of(&arena, "00537045 00537345 005375a00e 0053704500537345005375a00161"
                                      "005375a00e 0053704500537345005375a00162");
    static const enum amqp_section_code codes[] = {AMQP_HEADER, AMQP_PROPERTIES, AMQP_DATA,
                                                   AMQP_DATA};
    for (size_t i = 0; i < RF_COUNT(codes); i++)
        cr_assert(amqp_section_next(&message, &section) && section.code == codes[i]);
    cr_assert(message.len == 0 && section.value.bytes.len == 14);
    rf_str member = section.value.bytes;
    for (size_t i = 0; i < 3; i++) cr_assert(amqp_section_next(&member, &section));
    cr_assert(rf_str_is(section.value.bytes, "b") && member.len == 0);
    cr_assert(!amqp_section_next(&member, &section));
}

Test(amqp_value, refuses_sections_of_another_type)
{
    static const char *const cases[] = {
        "005375 a10161",        /* data that is text */
        "005374 45",            /* application-properties that are a list */
        "005373 c10100",        /* properties that are a map */
        "005379 45",            /* no section */
        "005377 c0030140 40",   /* malformed inside */
        "a00161",               /* not described */
        "005372 c10401 a10161", /* an odd count */
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct amqp_section section;
        rf_arena_init(&arena, 1 << 16);
        rf_str message = bytes_of(&arena, cases[i]);
        size_t len = message.len;
        cr_assert(!amqp_section_next(&message, &section) && message.len == len, "%s", cases[i]);
    }
}

Test(amqp_value, writes_the_shortest_form)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    amqp_put_uint(&buf, 42);
    amqp_put_string(&buf, RF_S("hello"));
    amqp_put_bool(&buf, true);
    amqp_put_double(&buf, 1.5);
    amqp_put_long(&buf, -1);
    amqp_put_int(&buf, 128);
    size_t list = amqp_put_begin(&buf);
    amqp_put_end(&buf, list, AMQP_LIST, 0);
    static const rf_str names[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"bc", 2}};
    amqp_put_array(&buf, AMQP_SYMBOL, names, 2);
    rf_str expected =
        bytes_of(&arena, "522a a10568656c6c6f 41 823ff8000000000000 55ff 7100000080 45"
                         "e00702a3016102 6263");
    cr_assert(rf_str_eq(rf_buf_view(&buf), expected));
}

/* ---- properties ------------------------------------------------------------------------------------------------------- */

static void put_any(struct rf_prng *prng, struct rf_buf *buf, int depth)
{
    uint8_t raw[400];
    size_t start;
    uint32_t count;
    switch (rf_test_below(prng, depth > 0 ? 15 : 11)) {
    case 0:
        amqp_put_null(buf);
        break;
    case 1:
        amqp_put_bool(buf, rf_test_bool(prng));
        break;
    case 2:
        amqp_put_uint(buf, (uint32_t)rf_test_i64(prng));
        break;
    case 3:
        amqp_put_ulong(buf, (uint64_t)rf_test_i64(prng));
        break;
    case 4:
        amqp_put_int(buf, (int32_t)rf_test_i64(prng));
        break;
    case 5:
        amqp_put_long(buf, rf_test_i64(prng));
        break;
    case 6:
        amqp_put_double(buf, rf_test_real(prng));
        break;
    case 7:
        amqp_put_timestamp(buf, rf_test_i64(prng));
        break;
    case 8:
        amqp_put_binary(buf, rf_test_bytes(prng, raw, sizeof raw, NULL));
        break;
    case 9:
        amqp_put_string(buf, rf_test_bytes(prng, raw, sizeof raw, "abc"));
        break;
    case 10:
        amqp_put_symbol(buf, rf_test_bytes(prng, raw, sizeof raw, "x-opt"));
        break;
    case 11: {
        rf_str items[3];
        count = (uint32_t)rf_test_below(prng, 4);
        for (uint32_t i = 0; i < count; i++)
            items[i] = rf_test_bytes(prng, raw + (size_t)i * 130, i == 0 ? 130 : 20, "ab");
        amqp_put_array(buf, AMQP_STRING, items, count);
        break;
    }
    case 12:
        amqp_put_descriptor(buf, (uint64_t)rf_test_i64(prng));
        put_any(prng, buf, depth - 1);
        break;
    default:
        start = amqp_put_begin(buf);
        count = 2 * (uint32_t)rf_test_below(prng, 4);
        for (uint32_t i = 0; i < count; i++) put_any(prng, buf, depth - 1);
        amqp_put_end(buf, start, rf_test_bool(prng) ? AMQP_MAP : AMQP_LIST, count);
        break;
    }
}

/* What is written is well-formed, reads back to its end, and no cut of it does. */
RF_PROP(amqp_value_written_is_read, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct amqp_value value;
    rf_arena_init(&arena, 1 << 22);
    struct rf_buf buf = rf_buf_in(&arena);
    put_any(prng, &buf, 5);
    rf_str whole = rf_buf_view(&buf), rest = whole;
    cr_assert(!buf.failed && amqp_check(whole));
    cr_assert(amqp_read(&rest, &value) && rest.len == 0);
    size_t cut = (size_t)rf_test_below(prng, whole.len);
    cr_assert(!amqp_check(rf_slice(whole, 0, cut)));
}

/* Bytes that are spoiled may be well-formed or not, but a walk over them stays inside and ends. */
RF_PROP(amqp_value_spoiled_is_bounded, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 22);
    struct rf_buf buf = rf_buf_in(&arena);
    put_any(prng, &buf, 5);
    buf.ptr[rf_test_below(prng, buf.len)] = (uint8_t)rf_test_u64(prng);
    rf_str rest = rf_buf_view(&buf);
    struct amqp_value value, item;
    if (!amqp_read(&rest, &value)) return;
    cr_assert(value.whole.len + rest.len == buf.len);
    struct amqp_items items = amqp_items_of(&value);
    uint32_t count = 0;
    while (amqp_item(&items, &item)) count++;
    cr_assert(count + items.left == amqp_items_of(&value).left);
    if (amqp_check(value.whole)) cr_assert(items.left == 0);
}
