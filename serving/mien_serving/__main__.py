"""`python -m mien_serving artifact build --output DIR`: make the artifact that a revision is rolled out from.

Serving itself is started by Ray Serve, by the import paths in its configuration.
"""

import argparse
import json
import sys
from pathlib import Path

from mien_core.errors import MienError
from mien_serving.artifact import build
from mien_serving.face.model_files import installed_model_files


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the last line of its output is JSON with uri, digest and revision."""
    parser = argparse.ArgumentParser(prog="python -m mien_serving", description=__doc__)
    artifact = parser.add_subparsers(required=True).add_parser("artifact", help="what model revisions are made of")
    command = artifact.add_subparsers(required=True).add_parser("build", help="pack the installed face models")
    command.add_argument("--output", type=Path, required=True, help="the folder to write the artifact into")
    command.add_argument("--description", default="", help="free text; another one makes another revision")
    options = parser.parse_args(arguments)
    try:
        revision = build(installed_model_files().paths, options.output, options.description)
    except MienError as error:
        print(f"{error.code}: {error.detail}", file=sys.stderr)
        return 1
    print(json.dumps({"uri": revision.artifact_uri, "digest": revision.digest, "revision": revision.name}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
