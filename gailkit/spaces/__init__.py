"""Gymnasium spaces: which are supported, how large, how bounded, how their elements are held and written to a file."""

from gailkit.spaces.batches import as_batch, not_finite
from gailkit.spaces.checking import misfit
from gailkit.spaces.columns import number_sets
from gailkit.spaces.description import MAX_BOX_SIZE, space_from_json, space_to_json
from gailkit.spaces.elements import from_gymnasium, from_parts, in_parts, to_gymnasium
from gailkit.spaces.encoding import (
    box_center_and_scale,
    check_supported,
    clip_to_space,
    encoded_size,
    storage_dtype,
)
from gailkit.spaces.flattening import (
    Flat,
    flat_bytes,
    flatten_values,
    flattened_space,
    stated_space,
    unflatten_values,
)
from gailkit.spaces.minari import space_from_minari_json, space_to_minari_json
from gailkit.spaces.pictures import Picture, picture_of
from gailkit.spaces.stacking import Stacking, rows_before
from gailkit.spaces.structure import STORABLE, array_dtype, assemble, brief, is_composite, leaf, leaves
from gailkit.spaces.text import leave_out_text, text_parts, without_text

__all__ = [
    "MAX_BOX_SIZE",
    "STORABLE",
    "Flat",
    "Picture",
    "Stacking",
    "array_dtype",
    "as_batch",
    "assemble",
    "box_center_and_scale",
    "brief",
    "check_supported",
    "clip_to_space",
    "encoded_size",
    "flat_bytes",
    "flatten_values",
    "flattened_space",
    "from_gymnasium",
    "from_parts",
    "in_parts",
    "is_composite",
    "leaf",
    "leave_out_text",
    "leaves",
    "misfit",
    "not_finite",
    "number_sets",
    "picture_of",
    "rows_before",
    "space_from_json",
    "space_from_minari_json",
    "space_to_json",
    "space_to_minari_json",
    "stated_space",
    "storage_dtype",
    "text_parts",
    "to_gymnasium",
    "unflatten_values",
    "without_text",
]
