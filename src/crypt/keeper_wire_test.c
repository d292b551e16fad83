#include "crypt/keeper_wire.h"

#include "test/rf_prop.h"

static rf_str some_bytes(struct rf_prng *prng, uint8_t *raw, size_t cap)
{
    return rf_test_bytes(prng, raw, cap, NULL);
}

RF_PROP(keeper_wire_requests_come_back, 2000)
{
    static uint8_t message[KEEPER_MESSAGE_BYTES_MAX];
    uint8_t raw[4][600];
    struct keeper_request got, request = {.verb = (enum keeper_verb)rf_test_between(
                                              prng, KEEPER_TLS_CHAIN, KEEPER_VERB_END - 1),
                                          .id = (uint32_t)rf_test_u64(prng)};
    size_t len;
    if (request.verb == KEEPER_JWT_ROTATE) request.emergency = rf_test_bool(prng);
    bool proves = request.verb == KEEPER_JWT_SIGN_IF;
    if (request.verb == KEEPER_MAC || proves) request.purpose = some_bytes(prng, raw[0], 64);
    if (proves) {
        request.macs = some_bytes(prng, raw[2], 320);
        request.macs.len -= request.macs.len % KEEPER_MAC_BYTES;
        request.input = some_bytes(prng, raw[3], 400);
    }
    if (request.verb == KEEPER_MAC || request.verb == KEEPER_TLS_SIGN ||
        request.verb == KEEPER_JWT_SIGN || proves)
        request.bytes = some_bytes(prng, raw[1], sizeof raw[1]);
    if (request.verb == KEEPER_TLS_SIGN && rf_test_bool(prng)) {
        for (size_t i = 0; i < 32; i++) raw[3][i] = (uint8_t)rf_test_below(prng, 256);
        request.input = rf_str_make(raw[3], 32);
    }
    if (request.verb == KEEPER_DEVICE_ISSUE) {
        request.purpose = some_bytes(prng, raw[0], 64);
        request.bytes = some_bytes(prng, raw[1], sizeof raw[1]);
        request.seconds = rf_test_i64(prng);
    }
    uint8_t of_fields[KEEPER_FIELDS_MAX][80];
    for (uint32_t i = 0; i < keeper_request_fields(request.verb); i++)
        request.fields[i] = some_bytes(prng, of_fields[i], sizeof of_fields[i]);
    cr_assert(keeper_wire_put_request(&request, message, &len, NULL) == RF_OK);
    cr_assert(keeper_wire_read_request(rf_str_make(message, len), &got, NULL) == RF_OK);
    for (uint32_t i = 0; i < KEEPER_FIELDS_MAX; i++)
        cr_assert(rf_str_eq(got.fields[i], request.fields[i]));
    cr_assert(got.verb == request.verb && got.id == request.id &&
              got.emergency == request.emergency && got.seconds == request.seconds);
    cr_assert(rf_str_eq(got.bytes, request.bytes) && rf_str_eq(got.purpose, request.purpose));
    cr_assert(rf_str_eq(got.macs, request.macs) && rf_str_eq(got.input, request.input));
    /* Every shorter or longer one is refused, and so is what goes the other way. */
    struct keeper_answer answer;
    cr_assert(keeper_wire_read_answer(rf_str_make(message, len), &answer, NULL) == RF_INVALID);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert(keeper_wire_read_request(rf_str_make(message, cut), &got, NULL) == RF_INVALID);
    message[len] = 0;
    cr_assert(keeper_wire_read_request(rf_str_make(message, len + 1), &got, NULL) == RF_INVALID);
    rf_put_u32le(message + 8, (uint32_t)(len + 1 - KEEPER_HEADER_BYTES));
    cr_assert(keeper_wire_read_request(rf_str_make(message, len + 1), &got, NULL) == RF_INVALID,
              "a byte left over");
}

static void make_key(struct rf_prng *prng, struct keeper_jwt_key *key, uint8_t raw[2][64])
{
    *key = (struct keeper_jwt_key){.kid = some_bytes(prng, raw[0], 64),
                                   .cert = some_bytes(prng, raw[1], 64),
                                   .from = rf_test_i64(prng),
                                   .until = rf_test_i64(prng),
                                   .signing = rf_test_bool(prng)};
}

RF_PROP(keeper_wire_answers_come_back, 2000)
{
    static uint8_t message[KEEPER_MESSAGE_BYTES_MAX];
    uint8_t raw[2][300], of_keys[KEEPER_KEYS_MAX][2][64], of_fields[KEEPER_FIELDS_MAX][80];
    struct keeper_answer got,
        answer = {
            .verb = (enum keeper_verb)rf_test_between(prng, KEEPER_TLS_CHAIN, KEEPER_VERB_END - 1),
            .id = (uint32_t)rf_test_u64(prng),
            .kind = rf_test_one_in(prng, 3) ? (enum rf_kind)rf_test_between(prng, 1, RF_CORRUPT)
                                            : RF_OK};
    size_t len;
    if (answer.kind != RF_OK) {
        answer.code = some_bytes(prng, raw[0], 40);
        answer.text = some_bytes(prng, raw[1], 200);
    } else if (answer.verb == KEEPER_JWT_KEYS) {
        answer.key_count = (uint32_t)rf_test_below(prng, KEEPER_KEYS_MAX + 1);
        for (uint32_t i = 0; i < answer.key_count; i++) make_key(prng, &answer.keys[i], of_keys[i]);
    } else if (keeper_answer_fields(answer.verb) > 0) {
        for (uint32_t i = 0; i < keeper_answer_fields(answer.verb); i++)
            answer.fields[i] = some_bytes(prng, of_fields[i], sizeof of_fields[i]);
    } else if (answer.verb != KEEPER_JWT_ROTATE) {
        answer.bytes = some_bytes(prng, raw[0], 300);
        if (answer.verb == KEEPER_TLS_CHAIN) answer.ca_pem = some_bytes(prng, raw[1], 300);
        if (answer.verb == KEEPER_JWT_SIGN_IF) answer.match = rf_test_u64(prng);
    }
    cr_assert(keeper_wire_put_answer(&answer, message, &len, NULL) == RF_OK);
    cr_assert(keeper_wire_read_answer(rf_str_make(message, len), &got, NULL) == RF_OK);
    cr_assert(got.verb == answer.verb && got.id == answer.id && got.kind == answer.kind);
    cr_assert(rf_str_eq(got.code, answer.code) && rf_str_eq(got.text, answer.text));
    cr_assert(rf_str_eq(got.bytes, answer.bytes) && rf_str_eq(got.ca_pem, answer.ca_pem));
    cr_assert(got.key_count == answer.key_count && got.match == answer.match);
    for (uint32_t i = 0; i < KEEPER_FIELDS_MAX; i++)
        cr_assert(rf_str_eq(got.fields[i], answer.fields[i]));
    for (uint32_t i = 0; i < got.key_count; i++) {
        cr_assert(rf_str_eq(got.keys[i].kid, answer.keys[i].kid) &&
                  rf_str_eq(got.keys[i].cert, answer.keys[i].cert));
        cr_assert(got.keys[i].from == answer.keys[i].from &&
                  got.keys[i].until == answer.keys[i].until);
        cr_assert(got.keys[i].signing == answer.keys[i].signing);
    }
    struct keeper_request request;
    cr_assert(keeper_wire_read_request(rf_str_make(message, len), &request, NULL) == RF_INVALID);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert(keeper_wire_read_answer(rf_str_make(message, cut), &got, NULL) == RF_INVALID);
}

Test(keeper_wire, what_is_too_large_is_not_sent)
{
    static uint8_t message[KEEPER_MESSAGE_BYTES_MAX], large[KEEPER_MESSAGE_BYTES_MAX];
    size_t len = 7;
    struct rf_err err;
    struct keeper_request request = {.verb = KEEPER_JWT_SIGN,
                                     .bytes = rf_str_make(large, sizeof large - 16)};
    cr_expect(keeper_wire_put_request(&request, message, &len, &err) == RF_OK &&
              len == sizeof message);
    request.bytes.len++;
    cr_expect(keeper_wire_put_request(&request, message, &len, &err) == RF_LIMIT);
    cr_expect_str_eq(err.code, "MessageTooLarge");
}

Test(keeper_wire, macs_are_whole)
{
    static uint8_t message[KEEPER_MESSAGE_BYTES_MAX], macs[2 * KEEPER_MAC_BYTES];
    for (size_t len = 0; len <= sizeof macs; len++) {
        struct keeper_request got,
            request = {.verb = KEEPER_JWT_SIGN_IF, .macs = rf_str_make(macs, len)};
        size_t bytes;
        cr_assert(keeper_wire_put_request(&request, message, &bytes, NULL) == RF_OK);
        bool good = keeper_wire_read_request(rf_str_make(message, bytes), &got, NULL) == RF_OK;
        cr_expect(good == (len % KEEPER_MAC_BYTES == 0), "%zu", len);
    }
}

Test(keeper_wire, odd_headers_are_refused)
{
    static const struct {
        const char *what;
        uint8_t type[2], version, bytes;
    } cases[] = {
        {"type 0", {0, 0}, 1, 0},
        {"type past the end", {KEEPER_VERB_END, 0}, 1, 0},
        {"version 0", {KEEPER_STORE_KEY, 0}, 0, 0},
        {"version 2", {KEEPER_STORE_KEY, 0}, 2, 0},
        {"an answer", {KEEPER_STORE_KEY, 0x80}, 1, 0},
        {"other length", {KEEPER_STORE_KEY, 0}, 1, 1},
    };
    uint8_t good[KEEPER_HEADER_BYTES] = {KEEPER_STORE_KEY, 0, 1};
    struct keeper_request got;
    cr_expect(keeper_wire_read_request(rf_str_make(good, sizeof good), &got, NULL) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint8_t bytes[KEEPER_HEADER_BYTES] = {cases[i].type[0], cases[i].type[1], cases[i].version};
        struct rf_err err;
        bytes[8] = cases[i].bytes;
        cr_expect(keeper_wire_read_request(rf_str_make(bytes, sizeof bytes), &got, &err) ==
                      RF_INVALID,
                  "%s", cases[i].what);
        cr_expect_str_eq(err.code, "ProtocolError");
    }
}
