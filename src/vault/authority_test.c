/* authority_test.c - issuing, the register, renewal of intermediates, revocation lists. */
#include "vault/authority_world.h"

static void open_house(struct vault_world *w, const char *body)
{
    v_init(w);
    v_expect(w, "PUT", C "issuers/House", body, 200);
}

static bool says(X509 *cert, int nid, const char *text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *shown;
    int at = X509_get_ext_by_NID(cert, nid, -1);
    cr_assert(at >= 0 && X509V3_EXT_print(bio, X509_get_ext(cert, at), 0, 0) == 1);
    long len = BIO_get_mem_data(bio, &shown);
    bool found = rf_str_find(rf_str_make(shown, (size_t)len), rf_str_of(text), 0) != SIZE_MAX;
    if (!found) cr_log_error("%.*s", (int)len, shown);
    BIO_free(bio);
    return found;
}

/* ---- issuing --------------------------------------------------------------------------------------------------------------- */

Test(authority, issues_for_others)
{
    struct vault_world w;
    struct authority_record record;
    open_house(&w, HOUSE);
    struct authority_issued out = a_issue(&w, "*.a.example.org");
    rf_str chain = out.chain;
    X509 *leaf = a_next(&chain), *issuing = a_next(&chain), *root = a_cert(&w, PKI "ca.cer");
    cr_assert(chain.len == 0, "without the root");
    cr_assert(X509_get_pathlen(root) == 1 && X509_get_pathlen(issuing) == 0);
    cr_assert(X509_check_ca(leaf) == 0 && (X509_get_extension_flags(leaf) & EXFLAG_BCONS) != 0);
    cr_assert(X509_get_extended_key_usage(leaf) == XKU_SSL_SERVER);
    cr_assert(X509_get_key_usage(leaf) == KU_DIGITAL_SIGNATURE);
    cr_assert(X509_check_host(leaf, "b.a.example.org", 0, 0, NULL) == 1);
    cr_assert(
        says(leaf, NID_crl_distribution_points, "https://localhost:8443/pki/kv1/House/1.crl"));
    cr_assert(says(leaf, NID_info_access, "https://localhost:8443/pki/kv1/House/ocsp"));
    cr_assert(says(leaf, NID_info_access, "https://localhost:8443/pki/kv1/House/1.cer"));
    cr_assert(says(issuing, NID_crl_distribution_points, "/pki/kv1/House/0.crl"));
    cr_assert(X509_get0_authority_key_id(leaf) != NULL &&
              ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf),
                                    X509_get0_subject_key_id(issuing)) == 0);
    /* An empty subject makes the names critical. */
    int at = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1);
    cr_assert(X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0 &&
              X509_EXTENSION_get_critical(X509_get_ext(leaf, at)) == 1);
    cr_assert(a_verify(&w, out.chain, PKI "1.crl") == X509_V_OK);
    cr_assert(out.serial.len == 32 && out.not_before == a_now(&w) - 600);
    cr_assert(authority_find(w.vaults, RF_S("KV1"), RF_S("house"), out.serial, &w.site.arena,
                             &record, &w.err) == RF_OK);
    cr_assert(rf_str_eq(record.leaf, out.leaf) && rf_str_is(record.by, "acme:7") &&
              record.revoked == 0 && record.not_after == out.not_after);
    X509_free(leaf);
    X509_free(issuing);
    X509_free(root);
    v_done(&w);
}

static enum rf_kind ask(struct vault_world *w, const char *vault, const char *issuer, rf_str key,
                        const char *dns, const char *address, const char *subject)
{
    rf_str names[] = {rf_str_of(dns == NULL ? "" : dns)},
           addresses[] = {rf_str_of(address == NULL ? "" : address)};
    struct authority_wanted wanted = {.public_key = key,
                                      .subject = rf_str_of(subject),
                                      .dns = names,
                                      .dns_count = dns != NULL,
                                      .addresses = addresses,
                                      .address_count = address != NULL};
    struct authority_issued out;
    w->err = (struct rf_err){.kind = RF_OK};
    return authority_issue(w->vaults, rf_str_of(vault), rf_str_of(issuer), &wanted, &w->site.arena,
                           &out, &w->err);
}

Test(authority, refuses_what_it_should_not_sign)
{
    struct vault_world w;
    open_house(&w, HOUSE);
    rf_str good = a_public(&w, EVP_EC_gen("P-384")), weak = a_public(&w, EVP_RSA_gen(1024)),
           other = a_public(&w, EVP_EC_gen("secp256k1")),
           edwards = a_public(&w, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")),
           rsa = a_public(&w, EVP_RSA_gen(2048));
    cr_assert(ask(&w, "", "House", good, "a.b", NULL, "CN=a") == RF_OK, "%s", w.err.text);
    cr_assert(ask(&w, "", "House", edwards, NULL, "2001:db8::1", "") == RF_OK, "%s", w.err.text);
    cr_assert(ask(&w, "", "House", rsa, NULL, "192.0.2.1", "") == RF_OK, "%s", w.err.text);
    cr_assert(ask(&w, "", "House", weak, "a.b", NULL, "") == RF_INVALID);
    cr_assert_str_eq(w.err.code, "BadParameter");
    cr_assert(ask(&w, "", "House", other, "a.b", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", (rf_str){0}, "a.b", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", rf_slice(good, 0, good.len - 1), "a", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, NULL, NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, "*.*.b", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, "*.", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, "a b", NULL, "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, NULL, "192.0.2", "") == RF_INVALID);
    cr_assert(ask(&w, "", "House", good, NULL, NULL, "CN") == RF_INVALID);
    cr_assert(ask(&w, "none", "House", good, "a", NULL, "") == RF_NOT_FOUND);
    cr_assert_str_eq(w.err.code, "VaultNotFound");
    cr_assert(ask(&w, "", "none", good, "a", NULL, "") == RF_NOT_FOUND);
    cr_assert_str_eq(w.err.code, "IssuerNotFound");
    v_expect(&w, "PUT", C "issuers/Other", "{\"provider\":\"DigiCert\"}", 200);
    cr_assert(ask(&w, "", "Other", good, "a", NULL, "") == RF_NOT_FOUND);
    v_expect(&w, "PATCH", C "issuers/House", "{\"attributes\":{\"enabled\":false}}", 200);
    cr_assert(ask(&w, "", "House", good, "a", NULL, "") == RF_DENIED);
    cr_assert_str_eq(w.err.code, "IssuerDisabled");
    v_done(&w);
}

Test(authority, keeps_to_its_settings)
{
    struct vault_world w;
    open_house(&w, "{\"provider\":\"Ringfort-CA\",\"ca\":{\"validityMonthsMax\":2,\"rootSubject\":"
                   "\"CN=Contoso Root, C=DE\"}}");
    struct authority_issued out = a_issue(&w, "a.example.org");
    cr_assert(out.not_after > a_now(&w) + 58 * 86400 && out.not_after < a_now(&w) + 63 * 86400);
    v_expect(&w, "GET", C "issuers/House", NULL, 200);
    rf_str cer = json_text_at(w.answer, "ca.intermediate.cer");
    cr_assert(cer.len > 0 && !rf_str_eq(cer, json_text_at(w.answer, "ca.cer")));
    v_expect_text(&w, "ca.rootSubject", "CN=Contoso Root, C=DE");
    X509 *root = a_cert(&w, PKI "ca.cer");
    cr_assert(rf_str_is(vault_cert_subject_text(&w.site.arena, X509_get_subject_name(root)),
                        "CN=Contoso Root, C=DE"));
    X509_free(root);
    v_expect_error(&w, "PATCH", C "issuers/House", "{\"ca\":{\"rootSubject\":\"CN=b\"}}", 400,
                   "BadParameter", NULL);
    v_expect_error(&w, "PATCH", C "issuers/House", "{\"ca\":{\"validityMonthsMax\":0}}", 400,
                   "BadParameter", NULL);
    v_expect(&w, "PUT", C "issuers/House",
             "{\"provider\":\"Ringfort-CA\",\"ca\":{\"rootSubject\":\"CN=Contoso Root, C=DE\"}}",
             200);
    cr_assert(rf_str_eq(json_text_at(w.answer, "ca.intermediate.cer"), cer), "PUT keeps the keys");
    cr_assert(json_at(w.answer, "ca.validityMonthsMax") == NULL);
    v_done(&w);
}

/* ---- what was before -------------------------------------------------------------------------------------------------------- */

/* An issuer as it was made before there were intermediates: a root of path length 0. */
static void make_old(struct vault_world *w)
{
    struct vault_call call = c_job(w, "House");
    struct vault_item item;
    struct vault_version version;
    struct seal_ring ring;
    struct seal_head head;
    struct sealed key;
    struct cert_facts facts;
    struct json_node *node;
    struct state_txn *txn;
    uint64_t etag;
    rf_str text, der;
    struct cert_policy policy = {.subject = RF_S("CN=Old"), .usage = 3 << 5, .months = 240};
    struct cert_build build = {.policy = &policy, .is_authority = true};
    cr_assert(vault_item_new(&call, SEAL_KEY, call.name, &item, &w->err) == RF_OK);
    cr_assert(vault_version_init(&call, &version, &w->err) == RF_OK);
    cr_assert(vault_ring(&call, &item, &ring, &w->err) == RF_OK);
    vault_head(&version, &head);
    head.material = SEAL_P384;
    cr_assert(seal_key_new(w->keeper, (rf_str){0}, &ring, &head, call.arena, &key, &w->err) ==
              RF_OK);
    ring.item_key = key.item_key;
    build.public_key = key.public_key;
    vault_cert_times(&policy, call.now, &build.not_before, &build.not_after);
    cr_assert(vault_cert_build(&build, call.arena, &text, &w->err) == RF_OK);
    cr_assert(seal_certify(w->keeper, (rf_str){0}, &ring, key.version, SEAL_SIGN_SELF, (rf_str){0},
                           text, call.arena, &der, &w->err) == RF_OK);
    cr_assert(vault_cert_facts(der, call.arena, &facts, &w->err) == RF_OK);
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(vault_issuer_load(&call, txn, call.name, &node, &etag, &w->err) == RF_OK);
    struct json_node *ca = json_object_in(call.arena, node, "ca");
    json_set_text(call.arena, ca, "item",
                  hex_encode(call.arena, rf_str_make(item.id, sizeof item.id)));
    json_set_text(call.arena, ca, "key", base64_encode(call.arena, key.item_key));
    json_set_text(call.arena, ca, "sealed", base64_encode(call.arena, key.version));
    json_set_text(call.arena, ca, "cer", facts.cer);
    json_set_text(call.arena, ca, "x5t", facts.x5t);
    cr_assert(vault_issuer_store(&call, txn, call.name, node, &etag, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

Test(authority, old_roots_go_on_issuing_by_themselves)
{
    struct vault_world w;
    open_house(&w, HOUSE);
    make_old(&w);
    struct authority_issued out = a_issue(&w, "a.example.org");
    cr_assert(rf_str_eq(out.chain, out.leaf), "there is no intermediate");
    cr_assert(a_verify(&w, out.chain, PKI "crl") == X509_V_OK);
    a_revoke(&w, out.serial, 1);
    cr_assert(a_verify(&w, out.chain, PKI "crl") == X509_V_ERR_CERT_REVOKED);
    v_expect(&w, "GET", C "issuers/House", NULL, 200);
    cr_assert(json_at(w.answer, "ca.intermediate") == NULL);
    v_done(&w);
}

/* ---- renewal ----------------------------------------------------------------------------------------------------------------- */

Test(authority, renews_its_intermediate_in_time)
{
    struct vault_world w;
    open_house(&w, HOUSE);
    struct authority_issued first = a_issue(&w, "a.example.org");
    v_pass(&w, INT64_C(86400) * 365 * 3);
    struct authority_issued second = a_issue(&w, "b.example.org");
    v_pass(&w, INT64_C(86400) * 366 * 1 + 86400 * 2);
    struct authority_issued third = a_issue(&w, "c.example.org");
    rf_str one = rf_slice(first.chain, first.leaf.len, first.chain.len),
           two = rf_slice(second.chain, second.leaf.len, second.chain.len),
           three = rf_slice(third.chain, third.leaf.len, third.chain.len);
    cr_assert(rf_str_eq(one, two) && !rf_str_eq(one, three));
    cr_assert(a_verify(&w, third.chain, PKI "2.crl") == X509_V_OK);
    /* The older one still speaks of what it issued. */
    cr_assert(a_verify(&w, second.chain, PKI "1.crl") == X509_V_OK);
    a_revoke(&w, second.serial, 4);
    cr_assert(a_verify(&w, second.chain, PKI "1.crl") == X509_V_ERR_CERT_REVOKED);
    X509 *now = a_cert(&w, PKI "intermediate.cer"), *named = a_cert(&w, PKI "2.cer");
    cr_assert(X509_cmp(now, named) == 0);
    X509_free(now);
    X509_free(named);
    v_done(&w);
}

Test(authority, a_revoked_intermediate_signs_no_more)
{
    struct vault_world w;
    struct cert_facts facts;
    open_house(&w, HOUSE);
    struct authority_issued first = a_issue(&w, "a.example.org");
    rf_str issuing = rf_slice(first.chain, first.leaf.len, first.chain.len);
    cr_assert(vault_cert_facts(issuing, &w.site.arena, &facts, &w.err) == RF_OK);
    a_revoke(&w, facts.serial, 2);
    cr_assert(a_verify(&w, first.chain, PKI "1.crl") == X509_V_ERR_CERT_REVOKED);
    struct authority_issued second = a_issue(&w, "b.example.org");
    cr_assert(!rf_str_eq(issuing, rf_slice(second.chain, second.leaf.len, second.chain.len)));
    cr_assert(a_verify(&w, second.chain, PKI "2.crl") == X509_V_OK);
    v_done(&w);
}

/* ---- revocation lists ----------------------------------------------------------------------------------------------------------- */

static int64_t number_of(X509_CRL *crl)
{
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
    cr_assert(number != NULL);
    int64_t out = ASN1_INTEGER_get(number);
    ASN1_INTEGER_free(number);
    return out;
}

Test(authority, lists_what_is_revoked)
{
    struct vault_world w;
    X509_REVOKED *revoked = NULL;
    open_house(&w, HOUSE);
    struct authority_issued a = a_issue(&w, "a.example.org"), b = a_issue(&w, "b.example.org");
    rf_str rest = a.chain;
    X509 *leaf = a_next(&rest);
    X509_CRL *empty = a_crl(&w, PKI "crl");
    cr_assert(X509_CRL_get_REVOKED(empty) == NULL && number_of(empty) == 1);
    rf_str again = a_fetch(&w, PKI "1.crl"), once = a_fetch(&w, PKI "crl");
    cr_assert(rf_str_eq(again, once), "nothing has changed");
    a_revoke(&w, a.serial, 1);
    cr_assert(authority_revoke(w.vaults, (rf_str){0}, RF_S("House"), a.serial, 1, &w.site.arena,
                               &w.err) == RF_CONFLICT);
    cr_assert_str_eq(w.err.code, "AlreadyRevoked");
    static const int bad[] = {-1, 7, 8, 11};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(authority_revoke(w.vaults, (rf_str){0}, RF_S("House"), b.serial, bad[i],
                                   &w.site.arena, &w.err) == RF_INVALID);
    cr_assert(authority_revoke(w.vaults, (rf_str){0}, RF_S("House"), RF_S("00ff"), 1, &w.site.arena,
                               &w.err) == RF_NOT_FOUND);
    cr_assert_str_eq(w.err.code, "CertificateNotFound");
    X509_CRL *next = a_crl(&w, PKI "crl");
    cr_assert(number_of(next) == 2, "at once");
    cr_assert(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(next)) == 1);
    cr_assert(X509_CRL_get0_by_cert(next, &revoked, leaf) == 1);
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);
    cr_assert(reason != NULL && ASN1_ENUMERATED_get(reason) == 1);
    ASN1_ENUMERATED_free(reason);
    cr_assert(a_verify(&w, a.chain, PKI "1.crl") == X509_V_ERR_CERT_REVOKED);
    cr_assert(a_verify(&w, b.chain, PKI "1.crl") == X509_V_OK);
    v_pass(&w, 3601);
    X509_CRL *later = a_crl(&w, PKI "crl");
    cr_assert(number_of(later) == 3, "an hour old");
    X509_CRL_free(empty);
    X509_CRL_free(next);
    X509_CRL_free(later);
    X509_free(leaf);
    v_done(&w);
}

Test(authority, relieves_an_intermediate_with_a_long_list, .timeout = 120)
{
    struct vault_world w;
    struct cert_facts facts;
    struct state_txn *txn;
    struct authority_entry *entries;
    struct authority authority;
    uint32_t count;
    open_house(&w, HOUSE);
    struct authority_issued first = a_issue(&w, "a.example.org");
    rf_str issuing = rf_slice(first.chain, first.leaf.len, first.chain.len);
    for (int i = 0; i < AUTHORITY_REVOKED_FULL; i++)
        a_revoke(&w, a_issue(&w, "b.example.org").serial, 1);
    struct authority_issued next = a_issue(&w, "c.example.org");
    cr_assert(!rf_str_eq(issuing, rf_slice(next.chain, next.leaf.len, next.chain.len)));
    cr_assert(a_verify(&w, first.chain, PKI "1.crl") == X509_V_OK);
    cr_assert(a_verify(&w, next.chain, PKI "2.crl") == X509_V_OK);
    struct vault_call call = c_job(&w, "House");
    cr_assert(authority_load(&call, call.name, &authority, &w.err) == RF_OK);
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    cr_assert(authority_entries_revoked(&call, txn, authority.id, 1, &entries, &count, &w.err) ==
              RF_OK);
    state_end(txn);
    cr_assert(count == AUTHORITY_REVOKED_FULL);
    rf_str list = a_fetch(&w, PKI "1.crl");
    cr_assert(list.len * AUTHORITY_REVOKED_MAX / AUTHORITY_REVOKED_FULL < SEAL_MATERIAL_BYTES_MAX,
              "%zu: the longest list fits into a message", list.len);
    cr_assert(vault_cert_facts(issuing, &w.site.arena, &facts, &w.err) == RF_OK);
    a_revoke(&w, facts.serial, 0);
    cr_assert(a_verify(&w, first.chain, PKI "1.crl") == X509_V_ERR_CERT_REVOKED);
    v_done(&w);
}

/* ---- side by side ---------------------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 5 };
struct racer {
    struct vault_world *w;
    struct rf_arena arena;
    rf_str key;
    struct authority_issued out[ROUNDS];
    enum rf_kind kind;
    struct rf_err err;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    rf_str dns[] = {RF_S("a.example.org")};
    struct authority_wanted wanted = {.public_key = racer->key, .dns = dns, .dns_count = 1};
    for (int i = 0; i < ROUNDS && racer->kind == RF_OK; i++) {
        racer->kind = authority_issue(racer->w->vaults, (rf_str){0}, RF_S("House"), &wanted,
                                      &racer->arena, &racer->out[i], &racer->err);
        if (racer->kind == RF_OK && i % 2 == 1)
            racer->kind = authority_revoke(racer->w->vaults, (rf_str){0}, RF_S("House"),
                                           racer->out[i].serial, 1, &racer->arena, &racer->err);
    }
    return NULL;
}

Test(authority, is_made_once_whoever_comes_first)
{
    struct vault_world w;
    struct racer racers[THREADS] = {{.kind = RF_OK}};
    pthread_t threads[THREADS];
    open_house(&w, HOUSE);
    rf_str key = a_public(&w, EVP_EC_gen("P-256"));
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.w = &w, .key = key, .kind = RF_OK};
        rf_arena_init(&racers[i].arena, 64 << 20);
        cr_assert(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        cr_assert(racers[i].kind == RF_OK, "%s %s", racers[i].err.code, racers[i].err.text);
        for (int k = 0; k < ROUNDS; k++)
            cr_assert(a_verify(&w, racers[i].out[k].chain, PKI "1.crl") ==
                      (k % 2 == 1 ? X509_V_ERR_CERT_REVOKED : X509_V_OK));
        rf_arena_done(&racers[i].arena);
    }
    v_done(&w);
}

Test(authority, forgets_what_ended_long_ago)
{
    struct vault_world w;
    struct authority_record record;
    open_house(&w, "{\"provider\":\"Ringfort-CA\",\"ca\":{\"validityMonthsMax\":1}}");
    struct authority_issued out = a_issue(&w, "a.example.org");
    a_revoke(&w, out.serial, 0);
    v_pass(&w, INT64_C(86400) * 50);
    (void)a_issue(&w, "b.example.org");
    cr_assert(authority_find(w.vaults, (rf_str){0}, RF_S("House"), out.serial, &w.site.arena,
                             &record, &w.err) == RF_OK,
              "30 days behind its end it is still there");
    X509_CRL *crl = a_crl(&w, PKI "crl");
    cr_assert(X509_CRL_get_REVOKED(crl) == NULL, "but on no list");
    X509_CRL_free(crl);
    v_pass(&w, INT64_C(86400) * 20);
    (void)a_issue(&w, "c.example.org");
    cr_assert(authority_find(w.vaults, (rf_str){0}, RF_S("House"), out.serial, &w.site.arena,
                             &record, &w.err) == RF_NOT_FOUND);
    v_done(&w);
}

Test(authority, has_files_for_everybody)
{
    struct vault_world w;
    static const char *const bad[] = {PKI "x",      PKI "9.crl",         PKI "9.cer",
                                      PKI "01.crl", PKI "-1.cer",        PKI "4294967296.cer",
                                      PKI ".crl",   "/pki/kv1/None/crl", "/pki/none/House/crl"};
    open_house(&w, HOUSE);
    v_be(&w, NULL);
    cr_assert(v_raw(&w, "GET", PKI "ca.cer", NULL) == 404, "nothing was made yet");
    (void)a_issue(&w, "a.example.org");
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(v_raw(&w, "GET", bad[i], NULL) == 404, "%s: %d", bad[i], w.last.status);
    cr_assert(v_raw(&w, "GET", PKI "crl", NULL) == 200);
    v_be(&w, V_ADMIN);
    v_expect(&w, "DELETE", C "issuers/House", NULL, 200);
    cr_assert(v_raw(&w, "GET", PKI "crl", NULL) == 404);
    v_done(&w);
}
