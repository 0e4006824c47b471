"""Calls of crier.v1.Admin, by gRPC and by HTTP: what one answers, the other has to answer too."""

import json
import urllib.error
import urllib.request

import grpc
from google.protobuf import json_format

import faults
from model import admin

WAYS = ("grpc", "http")


class Failed(Exception):
    """`code`: as gRPC's, in small letters. `text`: for people. `status`: HTTP's; None: it was by gRPC."""

    def __init__(self, code, text, status=None):
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status = code, text, status


def _types(method):
    service = admin.DESCRIPTOR.services_by_name["Admin"]
    found = service.methods_by_name[method]
    return getattr(admin, found.input_type.name), getattr(admin, found.output_type.name)


def call(at, way, method, token=None, **request):
    """At this node. The answer is as protobuf's JSON mapping has it, and so are the request's fields. Raises
    Failed."""
    return (_by_grpc if way == "grpc" else _by_http)(at, method, request, token)


def _by_grpc(node, method, request, token):
    asks, answers = _types(method)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(node.admin, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            answer = channel.unary_unary(
                f"/crier.v1.Admin/{method}", request_serializer=asks.SerializeToString,
                response_deserializer=answers.FromString)(
                    json_format.ParseDict(request, asks()), timeout=faults.DEADLINE, metadata=metadata)
        except grpc.RpcError as error:
            raise Failed(error.code().name.lower(), error.details()) from error
    return json_format.MessageToDict(answer)


def _by_http(node, method, request, token):
    asked = urllib.request.Request(
        f"http://{node.admin}/crier.v1.Admin/{method}", json.dumps(request).encode(),
        {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})})
    try:
        with urllib.request.urlopen(asked, timeout=faults.DEADLINE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            said = json.load(error)
        raise Failed(said["code"], said["message"], error.code) from error


def pages(at, way, method, field, **request):
    """All of a list, page by page. Yields each page's entries."""
    token = ""
    while True:
        answer = call(at, way, method, **request, pageToken=token)
        if answer.get("silentNodes"):
            raise AssertionError(f"{answer['silentNodes']} nodes are silent")
        yield answer.get(field, [])
        token = answer.get("nextPageToken", "")
        if not token:
            return


def listed(at, way, method, field, **request):
    """The same, together."""
    return [entry for page in pages(at, way, method, field, **request) for entry in page]


def name_of(node, token=None):
    """What the node is called in the cluster."""
    return call(node, "http", "GetServerInfo", token)["node"]


def actions(node):
    """What its log has of what administrators did, each from the method's name on."""
    return [line.split(" admin: ", 1)[1] for line in node.lines() if " admin: " in line]
