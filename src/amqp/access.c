/* access.c - the proofs of a peer, and which of its links they still cover. */
#include <stdlib.h>

#include "amqp/nodes_int.h"

enum { PROOF_BYTES_MAX = 1 << 20 };

struct proof *proof_new(void)
{
    struct proof *proof = calloc(1, sizeof *proof);
    if (proof != NULL) rf_arena_init(&proof->arena, PROOF_BYTES_MAX);
    return proof;
}

void proof_free(struct proof *proof)
{
    if (proof == NULL) return;
    rf_arena_done(&proof->arena);
    free(proof);
}

bool access_add(struct peer *peer, struct proof *proof)
{
    struct proof *old = NULL;
    bool taken = true;
    pthread_mutex_lock(&peer->lock);
    uint32_t at = 0;
    while (at < peer->proof_count && !rf_str_eq(peer->proofs[at]->audience, proof->audience)) at++;
    if (at == NODE_GRANTS_MAX) {
        taken = false;
        old = proof;
    } else {
        if (at < peer->proof_count)
            old = peer->proofs[at];
        else
            peer->proof_count++;
        peer->proofs[at] = proof;
    }
    pthread_mutex_unlock(&peer->lock);
    proof_free(old);
    return taken;
}

enum rf_kind access_check(struct peer *peer, rf_str path, enum hub_right right, struct rf_err *err)
{
    enum rf_kind kind = RF_FAIL(err, RF_DENIED, "Unauthorized",
                                "Unauthorized access. No token was put for '%.*s'.", RF_FMT(path));
    bool may = false;
    pthread_mutex_lock(&peer->lock);
    for (uint32_t i = 0; i < peer->proof_count && !may; i++) {
        struct rf_err why;
        enum rf_kind found =
            hub_grant_check(peer->space, &peer->proofs[i]->grant, path, right, &why);
        may = found == RF_OK;
        /* That a token would do but for its end, or a publisher's revocation, says more than that another does not fit. */
        bool says_more = !may && strcmp(why.code, "Unauthorized") != 0;
        if (says_more || (!may && i == 0)) {
            *err = why;
            kind = found;
        }
    }
    pthread_mutex_unlock(&peer->lock);
    return may ? RF_OK : kind;
}

enum rf_kind access_require(struct peer *peer, rf_str path, enum hub_right right,
                            struct rf_err *err)
{
    enum rf_kind kind = access_check(peer, path, right, err);
    if (kind != RF_DENIED) return kind;
    pthread_mutex_lock(&peer->lock);
    const struct hub_grant *grant = peer->proof_count > 0 ? &peer->proofs[0]->grant : NULL;
    hub_grant_refused(peer->space, grant, path, err);
    pthread_mutex_unlock(&peer->lock);
    return kind;
}

rf_usec access_expires(struct peer *peer)
{
    rf_usec first = INT64_MAX;
    pthread_mutex_lock(&peer->lock);
    for (uint32_t i = 0; i < peer->proof_count; i++)
        first = RF_MIN(first, peer->proofs[i]->grant.expires);
    pthread_mutex_unlock(&peer->lock);
    return first;
}

static enum rf_kind look_at(struct node_link *link, struct rf_err *err)
{
    struct hub_facts facts;
    if (atomic_load(&link->is_displaced))
        return RF_FAIL(err, RF_CONFLICT, link->is_out ? "amqp:link:stolen" : "ProducerFenced", "%s",
                       link->displaced_text);
    if (link->hub == NULL) return RF_OK;
    hub_facts(link->hub, &facts);
    if (facts.status == HUB_DELETED)
        return RF_FAIL(err, RF_NOT_FOUND, "amqp:resource-deleted",
                       "The messaging entity has been deleted.");
    if (facts.status == HUB_DISABLED ||
        facts.status == (link->is_out ? HUB_RECEIVE_DISABLED : HUB_SEND_DISABLED))
        return RF_FAIL(err, RF_DENIED, "EntityDisabled", "The messaging entity is disabled.");
    if (link->is_out && !hub_has_group(link->hub, link->group))
        return RF_FAIL(err, RF_NOT_FOUND, "amqp:resource-deleted",
                       "The consumer group has been deleted.");
    return access_require(link->peer, link->path, link->is_out ? RIGHT_LISTEN : RIGHT_SEND, err);
}

void access_look(struct peer *peer)
{
    struct amqp_link at = {0};
    while (amqp_link_next(peer->connection, &at)) {
        struct node_link *link = amqp_link_user(peer->connection, at);
        struct rf_err err;
        if (link == NULL || link->kind < NODE_SENDER || look_at(link, &err) == RF_OK) continue;
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 16);
        struct amqp_error error = node_error(link, peer, &err, &arena);
        amqp_detach(peer->connection, at, &error);
    }
}
