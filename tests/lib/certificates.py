"""Certificates of tests: authorities, and what they sign, good and bad. Of cryptography, so that what helenus makes is not what it is judged by.

`Authority(directory, name).issue(...)` writes NAME.crt and NAME.key in PEM, and NAME.p12 as Java reads it (its password is PASSWORD).
"""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSWORD = "changeit"
DAY = datetime.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def san(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        self.certificate = (x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(name_of(name)).public_key(self.key.public_key())
                            .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + 10 * DAY)
                            .add_extension(x509.BasicConstraints(True, 0), True)
                            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                            .sign(self.key, hashes.SHA256()))
        self.path = self.write(name + ".crt", self.certificate.public_bytes(serialization.Encoding.PEM))
        trusted = pkcs12.PKCS12Certificate(self.certificate, name.encode())
        self.truststore = self.write(name + ".trust.p12",
                                     pkcs12.serialize_java_truststore([trusted], serialization.BestAvailableEncryption(PASSWORD.encode())))

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def issue(self, name, names=(), for_client=False, days=(-1, 9), is_rsa=False):
        """Returns the paths of certificate and key."""
        key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        use = ExtendedKeyUsageOID.CLIENT_AUTH if for_client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (x509.CertificateBuilder().subject_name(name_of(name)).issuer_name(self.certificate.subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
                   .add_extension(x509.BasicConstraints(False, None), True).add_extension(x509.ExtendedKeyUsage([use]), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([san(n) for n in names]), False)
        certificate = builder.sign(self.key, hashes.SHA256())
        plain = serialization.NoEncryption()
        self.write(name + ".p12", pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [self.certificate],
                                                                      serialization.BestAvailableEncryption(PASSWORD.encode())))
        return (self.write(name + ".crt", certificate.public_bytes(serialization.Encoding.PEM)),
                self.write(name + ".key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)))
