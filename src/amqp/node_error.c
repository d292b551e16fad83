/* node_error.c - conditions and texts of errors (contract, sections 3.3 and 6). */
#include "amqp/nodes_int.h"
#include "base/encode.h"

const char *node_condition(const struct rf_err *err)
{
    static const struct {
        const char *code, *condition;
    } rows[] = {
        {"HubNotFound", "amqp:not-found"},
        {"NamespaceNotFound", "amqp:not-found"},
        {"PartitionOutOfRange", "com.microsoft:argument-out-of-range"},
        {"ArgumentError", "com.microsoft:argument-error"},
        {"Unauthorized", "amqp:unauthorized-access"},
        {"ExpiredToken", "amqp:unauthorized-access"},
        {"InvalidSignature", "amqp:unauthorized-access"},
        {"InvalidAudience", "amqp:unauthorized-access"},
        {"InvalidToken", "amqp:unauthorized-access"},
        {"UnknownRule", "amqp:unauthorized-access"},
        {"PublisherRevoked", "com.microsoft:publisher-revoked"},
        {"EntityDisabled", "com.microsoft:entity-disabled"},
        {"OutOfOrderSequence", "com.microsoft:out-of-order-sequence"},
        {"ProducerFenced", "com.microsoft:producer-epoch-stolen"},
        {"MessageTooLarge", "amqp:link:message-size-exceeded"},
        {"ServerBusy", "com.microsoft:server-busy"},
    };
    if (err->code == NULL) return "amqp:internal-error";
    if (strncmp(err->code, "amqp:", 5) == 0) return err->code;
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        if (strcmp(err->code, rows[i].code) == 0) return rows[i].condition;
    return err->kind == RF_DENIED ? "amqp:unauthorized-access" : "amqp:internal-error";
}

/* Clients look for these words in front of what is wrong with a token (contract, section 3.4). */
static const char *prefix_of(const struct rf_err *err)
{
    static const struct {
        const char *code, *prefix;
    } rows[] = {
        {"ExpiredToken", "ExpiredToken: "},       {"InvalidSignature", "InvalidSignature: "},
        {"InvalidAudience", "InvalidAudience: "}, {"UnknownRule", "InvalidSignature: "},
        {"InvalidToken", "InvalidSignature: "},
    };
    for (size_t i = 0; err->code != NULL && i < RF_COUNT(rows); i++)
        if (strcmp(err->code, rows[i].code) == 0)
            return strncmp(err->text, rows[i].prefix, strlen(rows[i].prefix)) == 0 ? ""
                                                                                   : rows[i].prefix;
    return "";
}

struct amqp_error node_error(const struct node_link *link, const struct peer *peer,
                             const struct rf_err *err, struct rf_arena *arena)
{
    struct hub_facts facts = {.name = RF_S("")};
    if (link != NULL && link->hub != NULL) hub_facts(link->hub, &facts);
    rf_str space = peer->space == NULL ? RF_S("") : hub_namespace_name(peer->space);
    rf_str tracking = guid_random(arena);
    rf_str time = time_iso(arena, rf_clock_now(peer->nodes->clock));
    rf_str text = rf_arena_printf(
        arena, "%s%s TrackingId:%.*s, SystemTracker:%.*s:eventhub:%.*s~%u, Timestamp:%.*s",
        prefix_of(err), err->text, RF_FMT(tracking), RF_FMT(space), RF_FMT(facts.name),
        link == NULL || link->partition == UINT32_MAX ? 0 : link->partition, RF_FMT(time));
    return (struct amqp_error){node_condition(err), text};
}
