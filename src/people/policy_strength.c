/* policy_strength.c - authentication strengths: lists of combinations of methods, each of which will do. */
#include "people/policy_int.h"

bool proof_is_mfa(unsigned proofs)
{
    /* One way of each kind: what is known, what is held. Two codes of the same secret's kind are one way. */
    bool known = (proofs & PROOF_PASSWORD) != 0;
    bool held = (proofs & (PROOF_TOTP | PROOF_RECOVERY | PROOF_CERTIFICATE)) != 0;
    return (proofs & (PROOF_PASSKEY | PROOF_PASS)) != 0 || (known && held);
}

/* The methods of Graph that can be had here; every other one is known to the check and never met. */
static unsigned proof_of(rf_str method)
{
    static const struct {
        const char *name;
        unsigned proof;
    } names[] = {{"password", PROOF_PASSWORD},
                 {"softwareOath", PROOF_TOTP},
                 {"fido2", PROOF_PASSKEY},
                 {"temporaryAccessPassOneTime", PROOF_PASS},
                 {"temporaryAccessPassMultiUse", PROOF_PASS},
                 {"x509CertificateSingleFactor", PROOF_CERTIFICATE}};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(method, rf_str_of(names[i].name))) return names[i].proof;
    return 0;
}

/* The proofs of "password,softwareOath"; 0: one of them cannot be had here. */
static unsigned proofs_of(rf_str combination)
{
    unsigned all = 0;
    for (size_t at = 0; at < combination.len;) {
        size_t end = rf_str_find(combination, RF_S(","), at);
        if (end == SIZE_MAX) end = combination.len;
        unsigned proof = proof_of(rf_str_trim(rf_slice(combination, at, end)));
        if (proof == 0) return 0;
        all |= proof;
        at = end + 1;
    }
    return all;
}

/* What to ask so that `wanted` is there: a second step, or another first one. */
static unsigned way_to(unsigned wanted, unsigned proofs)
{
    unsigned missing = wanted & ~proofs;
    if (missing & PROOF_CERTIFICATE) return ASK_DEVICE; /* there is no page for it */
    if (missing & PROOF_PASSKEY) return ASK_PASSKEY;
    if (missing & (PROOF_PASSWORD | PROOF_PASS)) return ASK_AGAIN;
    return ASK_MFA;
}

static unsigned custom_asks(const struct json_node *combinations, unsigned proofs)
{
    /* The least trouble first. */
    static const unsigned order[] = {ASK_MFA, ASK_PASSKEY, ASK_AGAIN};
    unsigned ways = 0;
    if (!json_is(combinations, JSON_T_ARRAY)) return ASK_DEVICE;
    for (const struct json_node *c = combinations->first; c != NULL; c = c->next) {
        unsigned wanted = proofs_of(c->text);
        if (wanted == 0) continue;
        if ((proofs & wanted) == wanted) return 0;
        ways |= way_to(wanted, proofs);
    }
    for (size_t i = 0; i < RF_COUNT(order); i++)
        if (ways & order[i]) return order[i];
    return ASK_DEVICE;
}

unsigned strength_asks(const struct json_node *strength, unsigned proofs)
{
    rf_str id = json_text_at(strength, "id");
    if (rf_str_is(id, "00000000-0000-0000-0000-000000000002"))
        return proof_is_mfa(proofs) ? 0 : ASK_MFA;
    /* Without a password and safe from phishing, there are passkeys alone. */
    if (rf_str_is(id, "00000000-0000-0000-0000-000000000003") ||
        rf_str_is(id, "00000000-0000-0000-0000-000000000004"))
        return proofs & PROOF_PASSKEY ? 0 : ASK_PASSKEY;
    return custom_asks(json_get(strength, "allowedCombinations"), proofs);
}
