/* OpenSSL's calls fail only when memory runs out, or where we use them wrongly: then the process
 * ends, as everywhere. What a person gives are names, and these are looked at first. */
#include "net/certificate.h"

#include "base/random.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_BYTES_MAX = 253, /* of DNS */
    LABEL_BYTES_MAX = 63,
    SERIAL_BYTES = 16,
    SUBJECT_BYTES_MAX = 64,
};

struct certificate {
    X509 *certificate; /* owned */
    EVP_PKEY *key;     /* owned */
};

/* What cannot fail but for memory, or by a mistake of ours: OpenSSL tells neither in a way that a
 * caller could act on. */
static void must(bool is_done)
{
    if (!is_done)
        abort();
}

/* ---- names ---- */

/* Numeric, as getaddrinfo would not ask anybody about it. */
static bool is_address(const char *name)
{
    uint8_t bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* A star stands for a whole first label or for nothing (RFC 6125, 6.4.3). */
static bool is_label(const char *label, size_t size, bool is_first)
{
    if (is_first && size == 1 && label[0] == '*')
        return true;
    if (size == 0 || size > LABEL_BYTES_MAX || label[0] == '-' || label[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = label[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* Labels with dots between them. What only looks like an address, as 127.0.0.256, is no name: its
 * last label has digits alone. */
static bool is_dns_name(const char *name)
{
    bool is_first = true;

    if (strlen(name) > NAME_BYTES_MAX)
        return false;
    for (const char *label = name;; is_first = false) {
        size_t size = strcspn(label, ".");

        if (!is_label(label, size, is_first))
            return false;
        if (label[size] == '\0')
            return label[strspn(label, "0123456789")] != '\0' && !(is_first && label[0] == '*');
        label += size + 1;
    }
}

/* What is neither would make a certificate that no client can match, or one with names that nobody
 * asked for. */
bool certificate_is_name(const char *name)
{
    return is_address(name) || is_dns_name(name);
}

/* ---- making one ---- */

/* From OpenSSL's textual form. The values are ours, but for names, which were looked at. */
static void add_extension(X509 *certificate, X509 *signer, int kind, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, signer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    must(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Each was looked at before: none has a comma, which would begin another one. */
static void add_names(X509 *certificate, X509 *signer, const struct certificate_options *options)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    for (size_t i = 0; i < options->name_count; i++)
        buffer_printf(&text, "%s%s:%s", i ? "," : "", is_address(options->names[i]) ? "IP" : "DNS", options->names[i]);
    if (!text.size)
        return;
    buffer_append_u8(&text, '\0');
    add_extension(certificate, signer, NID_subject_alt_name, (const char *)text.data);
}

/* What each kind may be used for: an authority signs certificates and nothing else, and none of
 * those may sign further ones. */
static void add_extensions(X509 *certificate, X509 *signer, const struct certificate_options *options)
{
    bool is_authority = options->use == CERTIFICATE_AUTHORITY;

    add_extension(certificate, signer, NID_basic_constraints,
                  is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
    add_extension(certificate, signer, NID_key_usage,
                  is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!is_authority)
        add_extension(certificate, signer, NID_ext_key_usage,
                      options->use == CERTIFICATE_SERVER ? "serverAuth" : "clientAuth");
    add_extension(certificate, signer, NID_subject_key_identifier, "hash");
    add_extension(certificate, signer, NID_authority_key_identifier, "keyid");
    add_names(certificate, signer, options);
}

/* 127 bits that nobody can guess, never negative or zero. */
static void set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *number;

    random_bytes(bytes, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    must(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
    BN_free(number);
}

/* A common name alone. No client looks for the host in it any more; people read it. */
static void set_subject(X509_NAME *name, const char *subject)
{
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0) == 1);
}

/* Version 3, as extensions need it. The signature comes last, over all the rest. */
static X509 *fill(const struct certificate_options *options, EVP_PKEY *key, const struct certificate *signer)
{
    X509 *certificate = X509_new(), *signed_by = signer ? signer->certificate : certificate;

    must(certificate && X509_set_version(certificate, X509_VERSION_3) == 1);
    set_serial(certificate);
    must(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)options->from_s) != NULL);
    must(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)options->until_s) != NULL);
    set_subject(X509_get_subject_name(certificate), options->subject);
    must(X509_set_issuer_name(certificate, X509_get_subject_name(signed_by)) == 1);
    must(X509_set_pubkey(certificate, key) == 1);
    add_extensions(certificate, signed_by, options);
    must(X509_sign(certificate, signer ? signer->key : key, EVP_sha256()) > 0);
    return certificate;
}

/* Everything that can be wrong is told before a key is made. */
enum status certificate_new(const struct certificate_options *options, const struct certificate *signer,
                            struct certificate **result, struct error *err)
{
    struct certificate *certificate;

    assert(options->from_s < options->until_s);
    assert(options->use != CERTIFICATE_AUTHORITY || !options->name_count);
    if (!*options->subject || strlen(options->subject) > SUBJECT_BYTES_MAX)
        return error_set(err, ERR_INVALID, "a certificate's subject has 1 to %d characters", SUBJECT_BYTES_MAX);
    for (size_t i = 0; i < options->name_count; i++)
        if (!certificate_is_name(options->names[i]))
            return error_set(err, ERR_INVALID, "%s is neither an address nor a host's name", options->names[i]);
    certificate = xcalloc(1, sizeof(*certificate));
    certificate->key = EVP_EC_gen("P-256");
    must(certificate->key != NULL);
    certificate->certificate = fill(options, certificate->key, signer);
    *result = certificate;
    return OK;
}

/* Asked for when a key is encrypted: nobody is there to type it in. */
static int no_password(char *to, int size, int is_writing, void *context)
{
    return -1;
}

/* Both files are looked at even if the first one is bad: nothing depends on the order in which a
 * person mends them. */
enum status certificate_open(const char *certificate_file, const char *key_file, struct certificate **result,
                             struct error *err)
{
    struct certificate *certificate = xcalloc(1, sizeof(*certificate));
    FILE *text = fopen(certificate_file, "re"), *key = fopen(key_file, "re");
    enum status status = OK;

    if (!text || !key)
        status = error_set_os(err, errno, "%s or %s", certificate_file, key_file);
    if (text) {
        certificate->certificate = PEM_read_X509(text, NULL, no_password, NULL);
        fclose(text);
    }
    if (key) {
        certificate->key = PEM_read_PrivateKey(key, NULL, no_password, NULL);
        fclose(key);
    }
    if (!status && (!certificate->certificate || X509_check_ca(certificate->certificate) != 1))
        status = error_set(err, ERR_CONFIG, "%s is no certificate of an authority", certificate_file);
    if (!status && (!certificate->key || X509_check_private_key(certificate->certificate, certificate->key) != 1))
        status = error_set(err, ERR_CONFIG, "%s is not the key of %s", key_file, certificate_file);
    ERR_clear_error();
    if (status) {
        certificate_free(certificate);
        return status;
    }
    *result = certificate;
    return OK;
}

/* OpenSSL wipes the key's memory. */
void certificate_free(struct certificate *certificate)
{
    if (!certificate)
        return;
    X509_free(certificate->certificate);
    EVP_PKEY_free(certificate->key);
    free(certificate);
}

/* ---- as text ---- */

/* Copied out of OpenSSL's memory, which goes. */
static void take_text(BIO *bio, struct buffer *out)
{
    char *text;
    long size = BIO_get_mem_data(bio, &text);

    buffer_append(out, text, (size_t)size);
    BIO_free(bio);
}

/* The certificate alone, without those that signed it. */
void certificate_append(const struct certificate *certificate, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(bio && PEM_write_bio_X509(bio, certificate->certificate) == 1);
    take_text(bio, out);
}

/* PKCS #8, which Java and all others read. */
void certificate_append_key(const struct certificate *certificate, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(bio && PEM_write_bio_PKCS8PrivateKey(bio, certificate->key, NULL, NULL, 0, NULL, NULL) == 1);
    take_text(bio, out);
}
