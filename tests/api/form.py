"""What AWS's own model, as botocore has it, says of an answer: members, bounds, patterns and enums, which no client checks."""
import re

import botocore.session

MODELS = {}


def operation_of(service, operation):
    if service not in MODELS:
        MODELS[service] = botocore.session.get_session().get_service_model(service)
    return MODELS[service].operation_model(operation)


def faults_of(service, operation):
    """The names of the errors that it may answer with."""
    return {shape.name for shape in operation_of(service, operation).error_shapes}


def wrong_in(service, operation, answer):
    """All that the answer has against it, as texts."""
    shape = operation_of(service, operation).output_shape
    return list(faults(shape, answer, operation)) if shape else [] if not answer else [f"{operation} answers nothing, but here {answer}"]


def faults(shape, value, path):
    check = {"structure": structure, "list": sequence, "map": mapping, "string": string}.get(shape.type_name, number)
    yield from check(shape, value, path)


def structure(shape, value, path):
    if not isinstance(value, dict):
        yield f"{path} is no structure: {value}"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{path} has no {name}"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path} has no member {name} in the model"
        else:
            yield from faults(shape.members[name], member, f"{path}.{name}")


def bounds(shape, size, path):
    least, most = shape.metadata.get("min", size), shape.metadata.get("max", size)
    if not least <= size <= most:
        yield f"{path} is {size}, not {least} to {most}"


def sequence(shape, value, path):
    if not isinstance(value, list):
        yield f"{path} is no list: {value}"
        return
    if value:  # a minimum is for requests: their shapes are shared, and a list of none is answered as []
        yield from bounds(shape, len(value), path)
    for i, one in enumerate(value):
        yield from faults(shape.member, one, f"{path}[{i}]")


def mapping(shape, value, path):
    yield from bounds(shape, len(value), path)
    for name, one in value.items():
        yield from faults(shape.key, name, f"{path} key")
        yield from faults(shape.value, one, f"{path}[{name}]")


def string(shape, value, path):
    if not isinstance(value, str):
        yield f"{path} is no string: {value}"
        return
    yield from bounds(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        yield f"{path} is {value}, none of {shape.enum}"
    # Patterns are Java's: `\\s`, `\\S` and the like mean the same here.
    if "pattern" in shape.metadata and not re.fullmatch(shape.metadata["pattern"], value):
        yield f"{path} is {value!r}, which does not match {shape.metadata['pattern']}"


def number(shape, value, path):
    kinds = {"boolean": bool, "integer": int, "long": int}.get(shape.type_name, (int, float))
    if not isinstance(value, kinds) or isinstance(value, bool) != (shape.type_name == "boolean"):
        yield f"{path} is no {shape.type_name}: {value!r}"
    elif shape.type_name not in ("boolean", "timestamp"):
        yield from bounds(shape, value, path)
