/* Any text as a management command: an error with a place, or a command whose texts lie in the text or the arena. */
#include "kql/command.h"
#include "test/rf_fuzz.h"

RF_FUZZ(command, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct command command;
    struct rf_err err = {0};
    rf_arena_init(&arena, 4u << 20);
    enum rf_kind kind = command_parse(text, &arena, &command, &err);
    RF_ASSERT(kind == RF_OK || (kind == err.kind && err.code != NULL && err.text[0] != '\0'));
    if (kind != RF_OK) return;
    uint64_t sum = rf_hash(command.name.ptr, command.name.len, 0) ^
                   rf_hash(command.body.ptr, command.body.len, 0) ^
                   rf_hash(command.pipe.ptr, command.pipe.len, 0);
    for (uint32_t i = 0; i < command.name_count; i++)
        sum ^= rf_hash(command.names[i].ptr, command.names[i].len, sum);
    for (uint32_t i = 0; i < command.property_count; i++)
        sum ^= rf_hash(command.properties[i].value.ptr, command.properties[i].value.len, sum);
    RF_ASSERT(sum + 1 != 0 || sum == UINT64_MAX); /* uses it, so that a sanitizer sees every byte */
}
