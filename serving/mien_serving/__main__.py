"""`python -m mien_serving artifact build --output DIR`: make the artifact that a revision is rolled out from.

`python -m mien_serving assets`: put the overlays for AR into the bucket; what is there already stays untouched.
Serving itself is started by Ray Serve, by the import paths in its configuration.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from mien_core.adapters.s3 import S3ObjectStore
from mien_core.errors import MienError
from mien_core.settings import S3Settings, ServiceSettings, load
from mien_serving import assets
from mien_serving.artifact import build
from mien_serving.face.model_files import ModelFiles, installed_model_files


class AssetsSettings(ServiceSettings):
    """What publishing the overlays needs: the bucket alone."""

    s3: S3Settings = S3Settings()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the last line of its output is JSON: of an artifact uri, digest and revision."""
    parser = argparse.ArgumentParser(prog="python -m mien_serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    artifact = commands.add_parser("artifact", help="what model revisions are made of")
    command = artifact.add_subparsers(required=True).add_parser("build", help="pack face models")
    command.add_argument("--output", type=Path, required=True, help="the folder to write the artifact into")
    command.add_argument("--models", type=Path, help="the folder with the models' files (default: the installed ones)")
    command.add_argument("--description", default="", help="free text; another one makes another revision")
    commands.add_parser("assets", help="put the overlays for AR into the bucket")
    options = parser.parse_args(arguments)
    try:
        print(json.dumps(asyncio.run(_assets()) if options.command == "assets" else _artifact(options)))
    except MienError as error:
        print(f"{error.code}: {error.detail}", file=sys.stderr)
        return 1
    return 0


def _artifact(options: argparse.Namespace) -> dict[str, str]:
    files = installed_model_files() if options.models is None else ModelFiles.from_directory(options.models)
    revision = build(files.paths, options.output, options.description)
    return {"uri": revision.artifact_uri, "digest": revision.digest, "revision": revision.name}


async def _assets() -> dict[str, list[str]]:
    store = S3ObjectStore(load(AssetsSettings).s3)
    try:
        return {"written": await assets.publish(store)}
    finally:
        await store.close()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The object store's own threads may still let go of things of Python's while the interpreter is being taken apart,
    # which aborts a process that has done its work.
    os._exit(code)
