"""The kinds of resource that there are. Who adds one adds a line; manifests, permissions and the process follow."""

from mien_operator.crds.definition import Kind

KINDS: tuple[Kind, ...] = ()
