#include "crypt/keeper_listener.h"
#include "vault/certificates_world.h"

#define OFFICER "a4417e6f-fecd-4de8-b567-7b0420556985" /* Key Vault Certificates Officer */
#define THIRD "aaaaaaaa-0000-0000-0000-000000000011"
#define FOURTH "aaaaaaaa-0000-0000-0000-000000000013"
#define HTTPS C "www/listeners/https"

static bool flag(struct vault_world *w, const char *name)
{
    return json_bool_at(w->answer, name, false);
}

static struct keeper_bound bound_now(struct vault_world *w)
{
    struct keeper_bound bound;
    cr_assert(keeper_listener_get(w->keeper, KEEPER_LISTENER_HTTPS, &w->site.arena, &bound,
                                  &w->err) == RF_OK);
    return bound;
}

/* What the server does each second. */
static enum rf_kind show(struct vault_world *w, struct vault_listener *out)
{
    struct keeper_bound bound = bound_now(w);
    cr_assert(bound.is_bound);
    RF_TRY(vaults_listener(w->vaults, &bound, &w->site.arena, out, &w->err));
    return keeper_listener_show(w->keeper, KEEPER_LISTENER_HTTPS, out->ring, out->sealed,
                                out->certificate, &w->err);
}

Test(vault_listener, is_bound_by_who_has_all_three_rights)
{
    struct vault_world w;
    v_init(&w);
    v_vault(&w, V_NAME, "\"enableRbacAuthorization\":true");
    c_make(&w, "www", SELF(""));
    v_assign(&w, V_OTHER, V_ROLE_ADMIN, V_ID); /* the vault, but not the server */
    v_assign(&w, THIRD, ROLE_OWNER, "/");      /* the server, but nothing in the vault */
    v_assign(&w, FOURTH, ROLE_OWNER, "/");     /* the certificate too, but not its key */
    v_assign(&w, FOURTH, OFFICER, V_ID);
    static const char *const refused[] = {V_OTHER, THIRD, FOURTH};
    for (size_t i = 0; i < RF_COUNT(refused); i++) {
        v_be(&w, refused[i]);
        v_expect(&w, "PUT", HTTPS, NULL, 403);
    }
    cr_expect_not(bound_now(&w).is_bound);
    v_assign(&w, V_OTHER, ROLE_OWNER, "/");
    v_be(&w, V_OTHER);
    v_expect(&w, "PUT", HTTPS, NULL, 200);
    cr_expect(flag(&w, "bound"));
    v_be(&w, FOURTH);
    v_expect(&w, "DELETE", HTTPS, NULL, 200);
    cr_expect_not(bound_now(&w).is_bound);
    v_done(&w);
}

Test(vault_listener, shows_each_later_version)
{
    struct vault_world w;
    struct vault_listener first, second, now;
    v_init(&w);
    v_assign(&w, V_ADMIN, ROLE_OWNER, "/");
    c_make(&w, "www", SELF(""));
    c_make(&w, "other", SELF(""));
    v_expect(&w, "GET", HTTPS, NULL, 200);
    cr_expect(!flag(&w, "bound") && !flag(&w, "inUse"));
    v_expect(&w, "PUT", HTTPS, NULL, 200);
    cr_assert(show(&w, &first) == RF_OK, "%s", w.err.text);
    v_expect(&w, "GET", HTTPS, NULL, 200);
    cr_expect(flag(&w, "bound") && flag(&w, "inUse"));
    c_make(&w, "www", SELF(""));
    cr_assert(show(&w, &second) == RF_OK, "%s", w.err.text);
    cr_expect_not(rf_str_eq(first.certificate, second.certificate));
    cr_expect(rf_str_starts(second.chain_pem, RF_S("-----BEGIN CERTIFICATE-----")));
    cr_expect(keeper_listener_show(w.keeper, KEEPER_LISTENER_HTTPS, first.ring, first.sealed,
                                   first.certificate, &w.err) == RF_DENIED);
    cr_expect_str_eq(w.err.code, "SealRolledBack");
    /* Others' are not taken in its place, and what is gone says so. */
    v_expect(&w, "DELETE", C "other/listeners/https", NULL, 404);
    v_expect(&w, "DELETE", C "www", NULL, 200);
    cr_expect(show(&w, &now) != RF_OK);
    cr_expect(bound_now(&w).is_in_use, "the last good one stays");
    v_expect(&w, "DELETE", HTTPS, NULL, 200);
    cr_expect_not(bound_now(&w).is_bound);
    v_done(&w);
}

Test(vault_listener, says_what_is_wrong)
{
    struct vault_world w;
    v_init(&w);
    v_assign(&w, V_ADMIN, ROLE_OWNER, "/");
    c_make(&w, "www", SELF(""));
    v_expect(&w, "PUT", C "www/listeners/smtp", NULL, 400);
    v_expect(&w, "PUT", C "nothing/listeners/https", NULL, 404);
    v_expect(&w, "DELETE", HTTPS, NULL, 404);
    v_be(&w, NULL);
    v_expect(&w, "PUT", HTTPS, NULL, 401);
    cr_expect_not(bound_now(&w).is_bound);
    v_done(&w);
}
