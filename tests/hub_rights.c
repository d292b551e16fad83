/* hub_rights - rights that go while links and fetches of a running server are open: each is turned away at once, with its protocol's code,
 * and leaves a row.
 *
 *   hub_rights BOOTSTRAP */
#define _GNU_SOURCE
#include <signal.h>

#include "lib/hub_peers.h"

#define HUB "rights"
#define AT_ONCE                                                                                    \
    (3 * RF_USEC_PER_SECOND) /* the machine may be busy; without a word it takes 10 s and more */

struct test {
    struct hub_peers p;
    struct wire amqp, kafka;
    struct rf_arena arena;
    uint32_t failures;
};

static void expect(struct test *t, bool good, const char *when, const char *what)
{
    if (good) return;
    printf("FAILED: %s: %s\n", when, what);
    t->failures++;
}

/* A link that receives, and a fetch that waits; both with nothing to get. */
static void open_both(struct test *t, const struct seed_login *login)
{
    struct talk talk;
    uint8_t bytes[4096];
    rf_arena_reset(&t->arena);
    seed_amqp(&talk, &t->arena, login, t->p.expires);
    if (!wire_open(&t->amqp, t->p.amqps)) azure_die("AMQP", RF_S("no connection"));
    for (uint32_t i = 0; i < 5; i++) (void)wire_send(&t->amqp, talk.setup[i]);
    (void)wire_send(&t->amqp, seed_attach(&t->arena, 0, true,
                                          RF_S(HUB "/ConsumerGroups/$Default/Partitions/3"), NULL));
    (void)wire_send(&t->amqp, seed_flow(&t->arena, 0, 10, false));
    while (wire_read(&t->amqp, bytes, sizeof bytes, 500) > 0) continue;
    if (!kafka_log_in(&t->p, &t->kafka, login, &t->arena)) azure_die("Kafka", RF_S("no login"));
    (void)wire_send(&t->kafka, seed_fetch(&t->arena, RF_S(HUB), 3, 0, 120000, 1 << 20));
}

/* What came on a wire within that time, as soon as it holds `text`. */
static bool comes(struct wire *wire, rf_str text)
{
    uint8_t bytes[8192];
    size_t have = 0;
    struct rf_clock *clock = rf_clock_real();
    rf_usec end = rf_clock_elapsed(clock) + AT_ONCE;
    while (rf_clock_elapsed(clock) < end && have < sizeof bytes) {
        have += wire_read(wire, bytes + have, sizeof bytes - have, 100);
        if (rf_str_find(rf_str_make(bytes, have), text, 0) != SIZE_MAX) return true;
    }
    return false;
}

/* Both are turned away: the link with the condition, the fetch with the error of its one partition. */
static void both_end(struct test *t, const char *when, const char *condition, const char *error)
{
    expect(t, comes(&t->amqp, rf_str_of(condition)), when, condition);
    /* The partition's number, which is 3, and its error. */
    uint8_t text[6] = {0, 0, 0, 3, 0, (uint8_t)atoi(error)};
    expect(t, comes(&t->kafka, rf_str_make(text, sizeof text)), when, "the fetch's error");
    wire_close(&t->amqp);
    wire_close(&t->kafka);
}

static void count_rows(struct test *t)
{
    struct http_answer answer;
    long count = 0;
    for (int i = 0; i < 100 && count < 4; i++) {
        if (azure_call(
                &t->p.azure, "POST", azure_query_path(&t->p.azure, &t->arena), AZURE_LOGS,
                "application/json",
                RF_S("{\"query\":\"RingfortDenials | where Caller == 'limited' and Scope has "
                     "'" HUB "' and Mechanism == 'role' | count\"}"),
                &t->arena, &answer) != 200)
            break;
        rf_str cell = azure_first_cell(&answer, &t->arena);
        count = cell.len == 0 ? 0 : strtol(rf_arena_cstr(&t->arena, cell), NULL, 10);
        if (count < 4) usleep(100000);
    }
    printf("%ld rows about refusals\n", count);
    expect(t, count >= 4, "rows", "each refusal leaves one");
}

int main(int argc, char **argv)
{
    static const char *const hubs[] = {HUB};
    static struct test t;
    if (argc != 2) azure_die("usage", RF_S("hub_rights BOOTSTRAP"));
    (void)signal(SIGPIPE, SIG_IGN);
    wire_init(&t.amqp);
    wire_init(&t.kafka);
    rf_arena_init(&t.arena, 64 << 20);
    hub_peers_init(&t.p, argv[1], hubs, 1, HUB);

    open_both(&t, &t.p.limited);
    rf_str rule = RF_S("{\"keyType\":\"PrimaryKey\"}");
    struct json_node *keys =
        hub_arm(&t.p, "POST", HUB "/authorizationRules/limited/regenerateKeys", rule);
    both_end(&t, "a key regenerated", "amqp:unauthorized-access", "29");

    t.p.limited.key = json_text_at(keys, "primaryKey");
    open_both(&t, &t.p.limited);
    (void)hub_arm(&t.p, "DELETE", HUB "/authorizationRules/limited", (rf_str){0});
    both_end(&t, "a rule deleted", "amqp:unauthorized-access", "29");

    open_both(&t, &t.p.root);
    (void)hub_arm(&t.p, "PUT", HUB,
                  RF_S("{\"properties\":{\"partitionCount\":4,\"status\":\"Disabled\"}}"));
    both_end(&t, "a hub disabled", "com.microsoft:entity-disabled", "44");
    (void)hub_arm(&t.p, "PUT", HUB,
                  RF_S("{\"properties\":{\"partitionCount\":4,\"status\":\"Active\"}}"));
    open_both(&t, &t.p.root);
    (void)hub_arm(&t.p, "DELETE", HUB, (rf_str){0});
    both_end(&t, "a hub deleted", "amqp:resource-deleted", "3");

    count_rows(&t);
    wire_done(&t.amqp);
    wire_done(&t.kafka);
    rf_arena_done(&t.arena);
    azure_done(&t.p.azure);
    return t.failures == 0 ? 0 : 1;
}
