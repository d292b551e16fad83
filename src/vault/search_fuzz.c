/* What is asked of search: the query's parameters in the first line (NAME=VALUE with & between, not escaped), the body of a POST behind it; and $skiptoken. */
#include "base/encode.h"
#include "test/rf_fuzz.h"
#include "vault/search_int.h"

enum { PARAMETERS_MAX = 24 };

static uint32_t split(rf_str line, struct route_variable *out)
{
    uint32_t count = 0;
    for (size_t at = 0; at < line.len && count < PARAMETERS_MAX; count++) {
        size_t end = RF_MIN(rf_str_find(line, RF_S("&"), at), line.len);
        rf_str one = rf_slice(line, at, end);
        size_t sign = RF_MIN(rf_str_find(one, RF_S("="), 0), one.len);
        out[count].name = rf_slice(one, 0, sign);
        out[count].value = rf_slice(one, RF_MIN(sign + 1, one.len), one.len);
        at = end + 1;
    }
    return count;
}

static void check(const struct search_query *query)
{
    RF_ASSERT(query->top >= 1);
    RF_ASSERT(query->top <= SEARCH_TOP_MAX);
    RF_ASSERT(query->word_count <= SEARCH_WORDS_MAX);
    RF_ASSERT(query->tag_count <= SEARCH_TAGS_MAX);
    for (uint32_t i = 0; i < query->word_count; i++) {
        RF_ASSERT(query->words[i].len > 0);
        (void)search_matches(query->words[i], RF_S("a-secret-of-some-name"));
    }
    for (uint32_t i = 0; i < query->tag_count; i++) {
        RF_ASSERT(query->tags[i].name.len > 0);
        (void)search_matches(query->tags[i].value, RF_S("production"));
    }
}

RF_FUZZ(search, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    struct route_variable parameters[PARAMETERS_MAX];
    size_t line = RF_MIN(rf_str_find(text, RF_S("\n"), 0), text.len);
    struct http_request http = {.method = line < text.len ? HTTP_POST : HTTP_GET,
                                .body = rf_slice(text, RF_MIN(line + 1, text.len), text.len)};
    struct request request = {.http = &http, .arena = &arena, .parameters = parameters};
    struct search_query query;
    struct search_position position, again;
    int64_t days;
    request.parameter_count = split(rf_slice(text, 0, line), parameters);
    if (search_read(&request, &query, NULL) == RF_OK) {
        check(&query);
        if (query.position.len > 0) (void)search_position_read(query.position, &position);
    }
    if (search_days(&request, "days", 30, 3650, &days, NULL) == RF_OK)
        RF_ASSERT(days >= 0 && days <= 3650);
    if (!search_position_read(text, &position)) return;
    rf_str put = search_position_put(&arena, &position);
    RF_ASSERT(search_position_read(put, &again));
    RF_ASSERT(again.number == position.number);
    RF_ASSERT(rf_str_eq(again.text, position.text));
    RF_ASSERT(rf_str_eq(again.key, position.key));
}
