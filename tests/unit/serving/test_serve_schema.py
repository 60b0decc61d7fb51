"""What core renders without Ray is what Ray understands."""

import importlib
import inspect
import json

from ray.serve.schema import ServeDeploySchema

from mien_core.rules.serve_config import Revision, ServeOptions, Shadowing, render, revision_name

DIGEST = "sha256:" + "a" * 64
REVISION = Revision(revision_name(DIGEST), "file:///models/face.zip", DIGEST)
OTHER_DIGEST = "sha256:" + "b" * 64
CANDIDATE = Revision(revision_name(OTHER_DIGEST), "file:///models/other.zip", OTHER_DIGEST)
SHADOW = Shadowing("rollout", 0, REVISION.name, CANDIDATE.name, 10)


def test_serve_accepts_the_rendered_configuration() -> None:
    """The configuration passes the schema of Serve's REST call, with fixed replicas and with autoscaling."""
    for options in (ServeOptions(), ServeOptions(max_replicas=4, gpus_per_replica=0.5)):
        config = render([REVISION], {REVISION.name: 1.0}, options)
        schema = ServeDeploySchema.model_validate(config)
        assert schema.http_options.port == options.http_port
        face = next(one for one in schema.applications if one.name == REVISION.application)
        assert face.route_prefix is None
        assert face.deployments[0].max_queued_requests == options.max_queued_requests


def test_the_builders_are_where_the_configuration_says() -> None:
    """Import paths, deployments' names and arguments in the configuration are those of the code."""
    config = render([REVISION, CANDIDATE], {REVISION.name: 1.0}, ServeOptions(), SHADOW)
    for application in config["applications"]:
        module, name = application["import_path"].split(":")
        builder = getattr(importlib.import_module(module), name)
        annotation = next(iter(inspect.signature(builder).parameters.values())).annotation
        arguments = application["args"]
        built = builder(annotation.model_validate(arguments) if hasattr(annotation, "model_validate") else arguments)
        deployment = built._bound_deployment
        assert [one["name"] for one in application["deployments"]] == [deployment.name]


def test_serve_says_what_was_put() -> None:
    """What Serve gives back of an application is what it was given, so a difference means something."""
    options = ServeOptions(max_replicas=4, gpus_per_replica=0.5)
    config = render([REVISION, CANDIDATE], {REVISION.name: 1.0}, options, SHADOW)
    kept = ServeDeploySchema.model_validate(json.loads(json.dumps(config))).applications
    assert [json.loads(json.dumps(one.model_dump(exclude_unset=True))) for one in kept] == config["applications"]
