"""boto3 as these tests use it, unchanged but for what is asked here."""
import boto3
import botocore.session
from botocore.config import Config

REGION = "eu-north-1"
CBOR = "smithy-rpc-v2-cbor"


def session(cbor=False):
    """With cbor every service that can speak CBOR speaks nothing else: what botocore's loader gives is changed, so new releases do so."""
    core = botocore.session.get_session()
    loader = core.get_component("data_loader")
    load = loader.load_service_model

    def load_cbor(service, kind, *more, **named):
        model = load(service, kind, *more, **named)
        if kind != "service-2" or CBOR not in model["metadata"].get("protocols", ()):
            return model
        return {**model, "metadata": {**model["metadata"], "protocol": CBOR, "protocols": [CBOR]}}

    if cbor:
        loader.load_service_model = load_cbor
    return boto3.Session(botocore_session=core)


def client(server, service, key="AKIDEXAMPLE", session=boto3, region=REGION, **config):
    """Of a server of ours; the key says whose account it is."""
    return session.client(service, endpoint_url=f"http://127.0.0.1:{server.http_port}", region_name=region, aws_access_key_id=key,
                          aws_secret_access_key="any", config=Config(connect_timeout=5, read_timeout=20, **config))
