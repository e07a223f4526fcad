"""What the check must say of each broken scene, and whether its fix makes that go away."""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    """What the check must say."""

    code: str  # "": nothing but notes
    severity: str = ""
    fixed: bool | None = None


SCENES: dict[str, Expected] = {
    "texture_moved": Expected("missing_image", "error", True),
    "texture_gone": Expected("missing_image", "error", False),
    "texture_of_a_library_gone": Expected("missing_image", "error", False),
    "texture_is_a_folder": Expected("missing_image", "error", False),
    "texture_is_a_link_to_itself": Expected("missing_image", "error", False),
    "texture_is_a_link_to_nowhere": Expected("missing_image", "error", False),
    "five_hundred_textures_gone": Expected("missing_more", "error", False),
    "library_moved": Expected("missing_library", "error", True),
    "library_gone": Expected("missing_library", "error", False),
    "library_of_a_library_gone": Expected("missing_library", "error", False),
    "libraries_in_a_circle": Expected(""),
    "udim_gone": Expected("missing_udim", "error", False),
    "udim_with_a_gap": Expected(""),
    "sequence_gone": Expected("missing_sequence", "error", False),
    "movie_clip_gone": Expected("missing_movie", "error", False),
    "font_gone": Expected("missing_font", "error", True),
    "sound_gone": Expected("missing_sound", "warning"),
    "volume_gone": Expected("missing_volume", "error", False),
    "mesh_cache_gone": Expected("missing_cache", "error", False),
    "fluid_cache_gone": Expected("missing_folder", "warning"),
    "ies_gone": Expected("missing_ies", "error", False),
    "shader_script_gone": Expected("missing_script", "error", False),
    "name_in_latin": Expected(""),
    "name_in_greek": Expected(""),
    "name_in_cyrillic": Expected(""),
    "name_in_japanese": Expected(""),
    "name_in_arabic": Expected(""),
    "name_with_a_newline": Expected(""),
    "name_with_direction_marks": Expected(""),
    "path_of_300_characters": Expected(""),
    "path_of_50_folders": Expected(""),
    "names_that_differ_in_case": Expected(""),
    "file_with_a_newline": Expected("odd_name", "note"),
    "no_active_camera": Expected("no_camera", "error", True),
    "no_camera_at_all": Expected("no_camera", "error", True),
    "no_view_layer": Expected("no_view_layer", "error", True),
    "range_that_is_none": Expected("bad_frames", "error", True),
    "range_that_is_empty": Expected("bad_frames", "error", True),
    "nothing_is_missing": Expected("no_frames", "error", True),
    "output_in_the_temporary_folder": Expected("output_default", "warning", True),
    "output_where_the_farm_may_not_write": Expected("output_outside", "error", True),
    "output_that_is_there": Expected("overwrites", "warning", True),
    "output_is_a_movie": Expected("movie", "warning"),
    "painted_and_not_saved": Expected("unsaved_image", "error", True),
    "cloth_not_baked": Expected("unbaked", "warning"),
    "script_at_the_start": Expected("scripts", "warning"),
    "driver_in_python": Expected("drivers", "warning"),
    "colours_of_its_own": Expected("ocio", "warning"),
    "nobody_denoises": Expected("denoiser", "error", True),
    "engine_of_an_add_on": Expected("engine", "error"),
    "newer_than_the_farm": Expected("version", "error"),
    "nobody_is_there": Expected("no_worker", "warning"),
    "larger_than_the_farm_takes": Expected("too_large", "error"),
    "never_saved": Expected("never_saved", "note"),
}

NAMES = {
    "latin": "Straße naïve.png",
    "greek": "Ελληνικά.png",
    "cyrillic": "Кириллица.png",
    "japanese": "日本語 テクスチャ.png",
    "arabic": "العربية.png",
}
