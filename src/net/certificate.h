/* net/certificate.h: makes keys and certificates: an authority's, and what it signs. For who has none of their own, and for tests.
 *
 * Keys are of P-256; signatures ECDSA with SHA-256. A name that is a numeric IPv4 or IPv6 address becomes one of the certificate's
 * addresses, any other a DNS name; "*.example.com" is allowed.
 *
 * Errors:  ERR_INVALID: a name that can be neither; ERR_CONFIG, ERR_IO: a file.
 * Thread:  any.
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

struct certificate;

enum certificate_use { CERTIFICATE_AUTHORITY, CERTIFICATE_SERVER, CERTIFICATE_CLIENT };

struct certificate_options {
    enum certificate_use use;
    const char *subject;      /* its common name; at most 64 characters */
    const char *const *names; /* SANs; not of an authority */
    size_t name_count;
    int64_t from_s, until_s; /* since 1970 */
};

/* Can the certificate have this name? */
bool certificate_is_name(const char *name);
/* signer NULL: it signs itself. */
enum status certificate_new(const struct certificate_options *options, const struct certificate *signer,
                            struct certificate **result, struct error *err);
/* From files in PEM: one that can sign others. ERR_CONFIG: it is none, or the key is another's. */
enum status certificate_open(const char *certificate_file, const char *key_file, struct certificate **result,
                             struct error *err);
void certificate_free(struct certificate *certificate);
/* PEM. */
void certificate_append(const struct certificate *certificate, struct buffer *out);
void certificate_append_key(const struct certificate *certificate, struct buffer *out);

#endif
