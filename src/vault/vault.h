/* vault.h - vaults: secrets, keys and certificates over the API of Azure Key Vault. Material is sealed by the keeper (crypt/vault_seal.h); this
 * service keeps what is sealed, and says who may do what with it. */
#ifndef RF_VAULT_H
#define RF_VAULT_H

#include "arm/arm.h"
#include "crypt/keeper.h"

struct vaults;
struct hubs;
struct vaults_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    const struct directory *directory; /* of access policies' groups; may be NULL */
    const struct site *site;
    const struct audit *audit;
    struct keeper *keeper;
    struct rf_clock *clock;
    /* With which addresses in certificates begin ("http://pki.example.org", no slash at its end): those of CRL, OCSP, issuer. Empty: the site's origin. */
    rf_str pki_origin;
    /* Where subscribed events go (Microsoft.EventGrid/eventSubscriptions); NULL: there are no subscriptions. Outlives the vaults' thread. */
    struct hubs *hubs;
    /* Is told of each event too (Microsoft.KeyVault.SecretNearExpiry ...); may be NULL. `event` is one JSON object (Event Grid schema). It is called in the write
     * transaction that makes the event: it must not block, nor use the state, and the event may come to nothing yet. */
    void (*publish)(void *ctx, rf_str vault_id, rf_str event);
    void *publish_ctx;
    /* Is told of each certificate that an authority has revoked, behind the write; may be NULL. `serial` is lower-case hex. */
    void (*revoked)(void *ctx, rf_str vault, rf_str issuer, rf_str serial);
    void *revoked_ctx;
    /* Hosts that may be asked for certificates (issuers of provider ACME), and their hooks: as in `outbound.hosts` of the settings. Borrowed. */
    const rf_str *outbound_hosts;
    uint32_t outbound_host_count;
};
/* Registers the type Microsoft.KeyVault/vaults with arm. */
RF_MUST_USE enum rf_kind vaults_new(const struct vaults_options *options, struct vaults **out,
                                    struct rf_err *err);
/* Starts the thread of what is done on time: purges, rotation, renewal, events. */
RF_MUST_USE enum rf_kind vaults_start(struct vaults *vaults, struct rf_err *err);
void vaults_stop(struct vaults *vaults); /* NULL is fine */
void vaults_free(struct vaults *vaults); /* stops too */
/* Whether a vault has this name, or had it and can be recovered. */
RF_MUST_USE enum rf_kind vaults_know(struct vaults *vaults, rf_str name, struct rf_arena *arena,
                                     bool *known, struct rf_err *err);
/* For dispatcher_add_claiming: vaults are chosen by the request's host, and the path is theirs. */
const struct service *vaults_service(struct vaults *vaults);
/* For dispatcher_add, beside arm's: routes of the control plane that are no resource's own. */
const struct service *vaults_arm_service(struct vaults *vaults);
int vaults_claim(void *ctx, const struct http_request *head); /* ctx: the service's */
/* The portal's pages talk to their own origin only: what they send to /portal/vaults/{vault}/... is meant for that vault's host, and `rest` is its
 * path there. Pages have addresses like that too: only what carries the portal's header or a token is meant so. */
bool vault_portal_way(const struct http_request *head, rf_str *vault, rf_str *rest);
/* What stands at "/.well-known/acme-challenge/TOKEN" for an authority that looks there (RFC 8555, 8.3), a text with its NUL; false: nothing. Any thread. */
enum { VAULTS_ACME_BYTES = 256 };
bool vaults_acme_http(struct vaults *vaults, rf_str token, char out[VAULTS_ACME_BYTES]);
/* What whoever asks for `name` by "acme-tls/1" is shown (RFC 8737): a tls_challenge of net/tls.h, `ctx` is the vaults. Any thread. */
bool vaults_acme_tls(void *ctx, rf_str name, uint8_t digest[32]);
/* Shows the keys of vaults, and whatever else hangs on the root itself, to a sweep (crypt/rewrap.h), and stores what comes back. */
struct rewrap_sweep;
RF_MUST_USE enum rf_kind vaults_rewrap(struct vaults *vaults, struct rewrap_sweep *sweep,
                                       struct rf_err *err);
/* The certificate that a listener of the server is bound to (crypt/keeper_listener.h), as it is now: what keeper_listener_show wants of it, and the chain in PEM. All in
 * `arena`. RF_NOT_FOUND: vault or certificate is gone, or deleted. Any thread. */
struct keeper_bound;
struct seal_ring;
struct vault_listener {
    struct seal_ring *ring;
    rf_str sealed, certificate /* DER */, chain_pem, version;
};
RF_MUST_USE enum rf_kind vaults_listener(struct vaults *vaults, const struct keeper_bound *bound,
                                         struct rf_arena *arena, struct vault_listener *out,
                                         struct rf_err *err);
struct device_issuer;
/* The vaults' authorities as issuers of devices' certificates (hub/device_issuer.h), good as long as the vaults are. */
void vaults_device_issuer(struct vaults *vaults, struct device_issuer *out);
/* Does what is due at `now`, in this thread. */
void vaults_tick(struct vaults *vaults, rf_usec now);

#endif
