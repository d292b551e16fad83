/* authority_ocsp_test.c - OCSP answers, as OpenSSL's own client asks for and reads them. */
#include "vault/authority_cache.h"
#include "vault/authority_world.h"

struct asking {
    OCSP_REQUEST *request;
    OCSP_CERTID *id;    /* of the first */
    const char *issuer; /* path of its certificate; NULL: the intermediate's */
};

static void ask_for(struct vault_world *w, struct asking *asking, rf_str leaf, const EVP_MD *digest)
{
    X509 *cert = vault_cert_parse(leaf),
         *issuer = a_cert(w, asking->issuer == NULL ? PKI "1.cer" : asking->issuer);
    OCSP_CERTID *id = OCSP_cert_to_id(digest, cert, issuer);
    if (asking->request == NULL) {
        asking->request = OCSP_REQUEST_new();
        asking->id = OCSP_CERTID_dup(id);
    }
    cr_assert(OCSP_request_add0_id(asking->request, id) != NULL);
    X509_free(cert);
    X509_free(issuer);
}

static void done(struct asking *asking)
{
    OCSP_REQUEST_free(asking->request);
    OCSP_CERTID_free(asking->id);
    *asking = (struct asking){.request = NULL};
}

static rf_str der_of(struct vault_world *w, OCSP_REQUEST *request)
{
    uint8_t *der = NULL;
    rf_str out;
    int len = i2d_OCSP_REQUEST(request, &der);
    cr_assert(len > 0 && rf_arena_str(&w->site.arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    return out;
}

static int post_raw(struct vault_world *w, rf_str body, const char *type)
{
    struct walk_call call = {.method = HTTP_POST,
                             .target = PKI "ocsp",
                             .body = (const char *)body.ptr,
                             .body_bytes = body.len,
                             .headers = {{RF_S("Content-Type"), rf_str_of(type)}}};
    w->last = walk_exchange(&w->site, w->dispatcher, &call);
    return w->last.status;
}

static OCSP_RESPONSE *answer_of(struct vault_world *w)
{
    rf_str body = rf_buf_view(&w->last.body);
    const uint8_t *at = body.ptr;
    OCSP_RESPONSE *out = d2i_OCSP_RESPONSE(NULL, &at, (long)body.len);
    cr_assert(out != NULL && at == body.ptr + body.len);
    return out;
}

static OCSP_RESPONSE *post(struct vault_world *w, const struct asking *asking)
{
    cr_assert(post_raw(w, der_of(w, asking->request), "application/ocsp-request") == 200);
    return answer_of(w);
}

/* The status of the certificate that was asked for; checks all else of a good answer. */
static int status_of(struct vault_world *w, const struct asking *asking, OCSP_RESPONSE *response,
                     int *reason)
{
    int status, why;
    ASN1_GENERALIZEDTIME *revoked, *from, *next;
    cr_assert(OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL, "%d",
              OCSP_response_status(response));
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *root = a_cert(w, PKI "ca.cer"), *issuing = a_cert(w, PKI "1.cer");
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_time(param, (time_t)a_now(w));
    X509_STORE_add_cert(store, root);
    sk_X509_push(others, issuing);
    cr_assert(OCSP_basic_verify(basic, others, store, 0) == 1, "the responder's signature");
    cr_assert(OCSP_check_nonce(asking->request, basic) != 0, "the nonce");
    cr_assert(OCSP_resp_find_status(basic, asking->id, &status, &why, &revoked, &from, &next) == 1);
    cr_assert(from != NULL && next != NULL);
    /* A delegate signs: the intermediate's own key is not at everybody's call. */
    const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
    cr_assert(sk_X509_num(certs) == 1 &&
              X509_get_extended_key_usage(sk_X509_value(certs, 0)) == XKU_OCSP_SIGN &&
              X509_get_ext_by_NID(sk_X509_value(certs, 0), NID_id_pkix_OCSP_noCheck, -1) >= 0);
    if (reason != NULL) *reason = why;
    sk_X509_free(others);
    X509_STORE_free(store);
    X509_free(root);
    X509_free(issuing);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return status;
}

static void open_house(struct vault_world *w)
{
    v_init(w);
    v_expect(w, "PUT", C "issuers/House", HOUSE, 200);
}

Test(authority_ocsp, says_good_and_revoked)
{
    struct vault_world w;
    int reason;
    open_house(&w);
    struct authority_issued a = a_issue(&w, "a.example.org"), b = a_issue(&w, "b.example.org");
    const EVP_MD *digests[] = {EVP_sha1(), EVP_sha256()};
    for (size_t i = 0; i < RF_COUNT(digests); i++)
        for (int nonce = 0; nonce < 2; nonce++) {
            struct asking asking = {.request = NULL};
            ask_for(&w, &asking, a.leaf, digests[i]);
            if (nonce == 1) OCSP_request_add1_nonce(asking.request, NULL, 32);
            cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
            done(&asking);
        }
    a_revoke(&w, a.serial, 1);
    struct asking asking = {.request = NULL};
    ask_for(&w, &asking, a.leaf, EVP_sha1());
    cr_assert(status_of(&w, &asking, post(&w, &asking), &reason) == V_OCSP_CERTSTATUS_REVOKED,
              "at once, whatever is kept");
    cr_assert(reason == 1);
    done(&asking);
    ask_for(&w, &asking, b.leaf, EVP_sha1());
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
    done(&asking);
    v_done(&w);
}

Test(authority_ocsp, keeps_answers_for_a_while)
{
    struct vault_world w;
    struct asking asking = {.request = NULL};
    rf_str first, second, third;
    open_house(&w);
    struct authority_issued a = a_issue(&w, "a.example.org");
    ask_for(&w, &asking, a.leaf, EVP_sha256());
    rf_str asked = der_of(&w, asking.request);
    rf_str path = rf_arena_printf(
        &w.site.arena, PKI "ocsp/%.*s%c",
        RF_FMT(percent_encode(&w.site.arena, base64_encode(&w.site.arena, asked))), '\0');
    first = a_fetch(&w, (const char *)path.ptr);
    rf_str kept = {0};
    for (uint32_t i = 0; i < w.last.header_count; i++)
        if (rf_str_eq_nocase(w.last.headers[i].name, RF_S("Cache-Control")))
            kept = w.last.headers[i].value;
    cr_assert(rf_str_is(kept, "public, max-age=300"), "%.*s", RF_FMT(kept));
    cr_assert(status_of(&w, &asking, answer_of(&w), NULL) == V_OCSP_CERTSTATUS_GOOD);
    second = a_fetch(&w, (const char *)path.ptr);
    cr_assert(rf_str_eq(first, second), "signed once");
    v_pass(&w, 301);
    third = a_fetch(&w, (const char *)path.ptr);
    cr_assert(!rf_str_eq(first, third));
    done(&asking);
    v_done(&w);
}

Test(authority_ocsp, answers_for_its_own_alone)
{
    struct vault_world w;
    struct asking asking = {.request = NULL};
    open_house(&w);
    v_expect(&w, "PUT", C "issuers/Other", HOUSE, 200);
    struct authority_issued a = a_issue(&w, "a.example.org");
    rf_str rest = rf_slice(a.chain, a.leaf.len, a.chain.len);
    /* A number that was never given out. */
    X509 *leaf = vault_cert_parse(a.leaf);
    X509 *copy = X509_dup(leaf);
    uint8_t *der = NULL;
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    cr_assert(ASN1_INTEGER_set(number, 77) == 1 && X509_set_serialNumber(copy, number) == 1);
    ASN1_INTEGER_free(number);
    (void)i2d_re_X509_tbs(copy, NULL); /* what was read is kept else */
    int len = i2d_X509(copy, &der);
    ask_for(&w, &asking, rf_str_make(der, (size_t)len), EVP_sha1());
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_UNKNOWN);
    done(&asking);
    /* The intermediate, which the root speaks of. */
    asking.issuer = PKI "ca.cer";
    ask_for(&w, &asking, rest, EVP_sha1());
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
    /* Both at once: no delegate can. */
    asking.issuer = PKI "1.cer";
    ask_for(&w, &asking, a.leaf, EVP_sha1());
    OCSP_RESPONSE *response = post(&w, &asking);
    cr_assert(OCSP_response_status(response) == OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    OCSP_RESPONSE_free(response);
    done(&asking);
    /* Somebody else's. */
    ask_for(&w, &asking, a.leaf, EVP_sha512());
    response = post(&w, &asking);
    cr_assert(OCSP_response_status(response) == OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    OCSP_RESPONSE_free(response);
    done(&asking);
    OPENSSL_free(der);
    X509_free(copy);
    X509_free(leaf);
    v_done(&w);
}

static int status_of_bytes(struct vault_world *w, rf_str body)
{
    cr_assert(post_raw(w, body, "application/ocsp-request") == 200);
    OCSP_RESPONSE *response = answer_of(w);
    int status = OCSP_response_status(response);
    OCSP_RESPONSE_free(response);
    return status;
}

Test(authority_ocsp, refuses_what_is_malformed)
{
    struct vault_world w;
    open_house(&w);
    struct authority_issued a = a_issue(&w, "a.example.org");
    struct asking asking = {.request = NULL};
    for (int i = 0; i < OCSP_ASKED_MAX; i++) ask_for(&w, &asking, a.leaf, EVP_sha1());
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
    rf_str whole = der_of(&w, asking.request);
    ask_for(&w, &asking, a.leaf, EVP_sha1());
    cr_assert(status_of_bytes(&w, der_of(&w, asking.request)) ==
                  OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
              "nine");
    done(&asking);
    cr_assert(status_of_bytes(&w, RF_S("0")) == OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    cr_assert(status_of_bytes(&w, rf_slice(whole, 0, whole.len - 1)) ==
              OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    static const int lengths[] = {1, 32, 33, 64};
    for (size_t i = 0; i < RF_COUNT(lengths); i++) {
        ask_for(&w, &asking, a.leaf, EVP_sha1());
        OCSP_request_add1_nonce(asking.request, NULL, lengths[i]);
        cr_assert(status_of_bytes(&w, der_of(&w, asking.request)) ==
                  (lengths[i] <= 32 ? OCSP_RESPONSE_STATUS_SUCCESSFUL
                                    : OCSP_RESPONSE_STATUS_MALFORMEDREQUEST));
        done(&asking);
    }
    ask_for(&w, &asking, a.leaf, EVP_sha1());
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(data, (const uint8_t *)"\x05\x00", 2);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_ext_req, 1, data);
    OCSP_REQUEST_add_ext(asking.request, extension, -1);
    cr_assert(status_of_bytes(&w, der_of(&w, asking.request)) ==
                  OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
              "a critical extension");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(data);
    done(&asking);
    cr_assert(post_raw(&w, whole, "text/plain") == 415);
    cr_assert(v_raw(&w, "GET", PKI "ocsp/%25%25", NULL) == 200);
    OCSP_RESPONSE *response = answer_of(&w);
    cr_assert(OCSP_response_status(response) == OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    OCSP_RESPONSE_free(response);
    v_done(&w);
}

Test(authority_ocsp, signs_so_many_in_a_second)
{
    struct vault_world w;
    struct asking plain = {.request = NULL}, nonce = {.request = NULL}, other = {.request = NULL};
    open_house(&w);
    struct authority_issued a = a_issue(&w, "a.example.org"), b = a_issue(&w, "b.example.org");
    ask_for(&w, &plain, a.leaf, EVP_sha1());
    ask_for(&w, &nonce, a.leaf, EVP_sha1());
    ask_for(&w, &other, b.leaf, EVP_sha1());
    OCSP_request_add1_nonce(nonce.request, NULL, 16);
    cr_assert(status_of(&w, &plain, post(&w, &plain), NULL) == V_OCSP_CERTSTATUS_GOOD);
    while (authority_cache_may_sign(w.vaults->authority, a_now(&w))) continue;
    OCSP_RESPONSE *response = post(&w, &nonce);
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    cr_assert(basic != NULL && OCSP_check_nonce(nonce.request, basic) == -1, "without the nonce");
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    response = post(&w, &other);
    cr_assert(OCSP_response_status(response) == OCSP_RESPONSE_STATUS_TRYLATER);
    OCSP_RESPONSE_free(response);
    v_pass(&w, 1);
    cr_assert(status_of(&w, &nonce, post(&w, &nonce), NULL) == V_OCSP_CERTSTATUS_GOOD);
    cr_assert(status_of(&w, &other, post(&w, &other), NULL) == V_OCSP_CERTSTATUS_GOOD);
    done(&plain);
    done(&nonce);
    done(&other);
    v_done(&w);
}

Test(authority_ocsp, renews_its_responder)
{
    struct vault_world w;
    struct asking asking = {.request = NULL};
    open_house(&w);
    struct authority_issued a = a_issue(&w, "a.example.org");
    ask_for(&w, &asking, a.leaf, EVP_sha1());
    rf_str before, after;
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
    struct vault_call call = c_job(&w, "House");
    struct authority authority;
    cr_assert(authority_load(&call, call.name, &authority, &w.err) == RF_OK);
    before = json_text_at(authority.issuing.node, "responder.item");
    v_pass(&w, INT64_C(86400) * 85);
    cr_assert(status_of(&w, &asking, post(&w, &asking), NULL) == V_OCSP_CERTSTATUS_GOOD);
    call = c_job(&w, "House");
    cr_assert(authority_load(&call, call.name, &authority, &w.err) == RF_OK);
    after = json_text_at(authority.issuing.node, "responder.item");
    cr_assert(before.len == 32 && after.len == 32 && !rf_str_eq(before, after));
    done(&asking);
    v_done(&w);
}
