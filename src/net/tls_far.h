/* tls_far.h - the half of a certificate's key that is here. For tls.c. */
#ifndef RF_TLS_FAR_H
#define RF_TLS_FAR_H

#include "net/tls.h"

struct evp_pkey_st;
struct x509_st;
/* The key of `leaf` (RSA or EC), whose signatures `sign` makes; NULL: of another kind, or no memory. The caller frees it. */
struct evp_pkey_st *tls_far_key(struct x509_st *leaf, tls_sign_message *sign, void *ctx);

#endif
