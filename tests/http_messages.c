/* http_messages - what our reader of HTTP makes of bytes, for tests/http_smuggling.sh, which asks another reader too.
 *
 * Standard input: cases, each its length as u32le and its bytes as a client would send them. Standard output: a line of JSON
 * per case: {"messages":[["target","body as hex"],...],"end":"more"|"done"|STATUS,"why":"..."}; targets as they were sent. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_parse.h"

enum { CASE_BYTES_MAX = 1 << 20 };

/* Reads a body; the bytes it took, or SIZE_MAX with *status: 0 when more must come. */
static size_t print_body(const struct http_head *head, rf_str in, struct http_refusal *why)
{
    struct http_chunks chunks = {.left = 0};
    size_t at = 0, length = (size_t)head->content_length;
    why->status = 0;
    while (head->is_chunked) {
        size_t used = 0;
        rf_str data;
        enum http_step step =
            http_chunks_read(&chunks, rf_slice(in, at, in.len), &used, &data, why);
        if (step == HTTP_REFUSED) return SIZE_MAX;
        for (size_t i = 0; i < data.len; i++) printf("%02x", data.ptr[i]);
        at += used;
        if (step == HTTP_DONE) return at;
        if (at == in.len) return SIZE_MAX;
    }
    if (length > in.len) return SIZE_MAX;
    for (size_t i = 0; i < length; i++) printf("%02x", in.ptr[i]);
    return length;
}

static void print_text(rf_str text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\') putchar('\\');
        putchar(text.ptr[i]);
    }
    putchar('"');
}

/* The target between the blanks of the request line. */
static rf_str sent_target(rf_str head)
{
    size_t from = rf_str_find(head, RF_S(" "), 0) + 1;
    return rf_slice(head, from, rf_str_find(head, RF_S(" "), from));
}

static void print_case(rf_str in, struct rf_arena *arena)
{
    static const struct http_parse_limits limits = {
        .head_bytes_max = 64 << 10, .headers_max = 100, .target_bytes_max = 32 << 10};
    struct http_refusal why = {.status = 0, .why = ""};
    const char *end = "done";
    printf("{\"messages\":[");
    for (int count = 0; in.len > 0; count++) {
        struct http_head_scan scan = {.at = 0};
        struct http_head head;
        size_t from, to;
        enum http_step step = http_head_scan(&scan, in, &limits, &from, &to, &why);
        end = "more";
        if (step != HTTP_DONE) break;
        rf_str text = rf_slice(in, from, to);
        if (!http_head_parse(text, &limits, arena, &head, &why)) break;
        in = rf_slice(in, to, in.len);
        printf("%s[", count > 0 ? "," : "");
        print_text(sent_target(text));
        printf(",\"");
        size_t bytes = print_body(&head, in, &why);
        printf("\"%s]", bytes == SIZE_MAX ? ",\"cut\"" : "");
        if (bytes == SIZE_MAX) break;
        end = "done";
        in = rf_slice(in, bytes, in.len);
        if (!head.keep_alive) break;
    }
    if (why.status != 0)
        printf("],\"end\":%u,\"why\":\"%s\"}\n", (unsigned)why.status, why.why);
    else
        printf("],\"end\":\"%s\",\"why\":\"\"}\n", end);
}

int main(void)
{
    static uint8_t bytes[CASE_BYTES_MAX];
    uint8_t length[4];
    struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    while (fread(length, 1, sizeof length, stdin) == sizeof length) {
        uint32_t len = rf_get_u32le(length);
        if (len > sizeof bytes || fread(bytes, 1, len, stdin) != len) return 1;
        /* An allocation of just the case's size, so that a sanitizer sees a read past its end. */
        uint8_t *exact = malloc(len + (len == 0));
        if (exact == NULL) return 1;
        memcpy(exact, bytes, len);
        print_case(rf_str_make(exact, len), &arena);
        free(exact);
        rf_arena_reset(&arena);
    }
    rf_arena_done(&arena);
    return 0;
}
