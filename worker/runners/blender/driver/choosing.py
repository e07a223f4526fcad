"""Which scene, view layers, camera, engine and device a task uses: names are looked up, and a wrong one is refused."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

import bpy

from worker.runners.blender.driver.journal import Journal
from worker.runners.blender.driver.opening import gpu_devices, require_denoiser
from worker.runners.blender.driver.refusals import Refused

NAMES_MAX = 50
"""Known names that are sent back with an unknown one."""

GPU_KINDS = ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI")
"""Kinds of GPU, best first: an NVIDIA card is both of the first two."""


def choose_scene(name: str | None) -> Any:
    """The named scene, or the one that was open when the file was saved."""
    return bpy.context.scene if name is None else _named(bpy.data.scenes, name, "scene")


def choose_view_layer(journal: Journal, scene: Any, name: str | None) -> None:
    """Render only the named view layer; without a name, those that the artist left on."""
    if name is not None:
        chosen = _named(scene.view_layers, name, "view layer")
        for layer in scene.view_layers:
            journal.set(layer, "use", layer == chosen)
    elif not any(layer.use for layer in scene.view_layers) and not has_strips(scene) and not composites(scene):
        raise Refused("no_view_layer")


def choose_camera(journal: Journal, scene: Any, name: str | None) -> None:
    """Look through the named camera, whatever cameras the timeline's markers call for."""
    if name is None:
        return
    camera = _named(scene.objects, name, "camera", [item.name for item in scene.objects if item.type == "CAMERA"])
    if camera.type != "CAMERA":
        raise Refused("not_a_camera", name=name, kind=camera.type.lower())
    for marker in scene.timeline_markers:
        journal.set(marker, "camera", None)  # which may switch the scene to another marker's camera
    journal.override(scene, "camera", camera)


def choose_engine(journal: Journal, scene: Any, name: str | None, known: list[str]) -> None:
    """Set the engine by the farm's name for it (CYCLES, EEVEE, WORKBENCH)."""
    if name is None:
        return
    candidates = {"EEVEE": ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"), "WORKBENCH": ("BLENDER_WORKBENCH",)}.get(
        name, (name,)
    )
    engine = next((candidate for candidate in candidates if candidate in known), None)
    if engine is None:
        raise Refused("unknown_engine", name=name, known=known)
    journal.override(scene.render, "engine", engine)


def choose_samples(journal: Journal, scene: Any, samples: int | None) -> None:
    """Samples per pixel, in the terms of the engine that is set."""
    if samples is None:
        return
    if scene.render.engine == "CYCLES":
        journal.override(scene.cycles, "samples", samples)
        journal.override(scene.cycles, "use_layer_samples", "IGNORE")
    elif scene.render.engine in ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"):
        journal.override(scene.eevee, "taa_render_samples", samples)
    elif scene.render.engine == "BLENDER_WORKBENCH":
        steps = (("OFF", 1), ("5", 5), ("8", 8), ("11", 11), ("16", 16), ("32", 32))
        journal.set(scene.display, "render_aa", next((name for name, n in steps if n >= samples), "32"))


def choose_denoising(journal: Journal, scene: Any, denoise: bool | None) -> None:
    """Switch Cycles' denoising, and refuse where it is on and this build has none."""
    if scene.render.engine != "CYCLES":
        return
    if denoise is not None:
        journal.override(scene.cycles, "use_denoising", denoise)
    if scene.cycles.use_denoising:
        require_denoiser()


def check_compositor(scene: Any) -> None:
    """A Denoise node passes the picture on as it is where this build cannot denoise; that is refused."""
    if any(node.type == "DENOISE" and not node.mute for node in compositor_nodes(scene)):
        require_denoiser()


def choose_device(journal: Journal, scene: Any, device: str | None) -> str:
    """Let Cycles compute on CPU or GPU; returns a remark for the log, or nothing.

    A scene that was saved for GPU falls back to the CPU, for the picture is the same; a task that asks for one is not.
    """
    if scene.render.engine != "CYCLES":
        return ""
    wanted = device or scene.cycles.device
    if wanted == "GPU":
        kinds = {kind for _, kind in gpu_devices()}
        kind = next((kind for kind in GPU_KINDS if kind in kinds), None)
        if kind is not None:
            preferences = bpy.context.preferences.addons["cycles"].preferences
            preferences.compute_device_type = kind
            preferences.get_devices()
            for found in preferences.devices:
                found.use = found.type == kind
        elif device == "GPU":
            raise Refused("no_gpu")
        else:
            wanted = "CPU"
    remark = "The scene asks for a GPU, and this worker has none: rendering on the CPU." * (
        wanted != scene.cycles.device
    )
    journal.override(scene.cycles, "device", wanted)
    return remark if device is None else ""


def compositor_tree(scene: Any) -> Any:
    """The node tree of the compositor, or None. It belongs to the scene up to Blender 4.5 and is a group since 5.0."""
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def composites(scene: Any) -> bool:
    """Whether rendering this scene runs compositor nodes."""
    return bool(scene.render.use_compositing and compositor_tree(scene))


def compositor_nodes(scene: Any) -> list[Any]:
    """The nodes that rendering this scene runs, those in groups among them."""
    found: list[Any] = []
    trees = [compositor_tree(scene)] if composites(scene) else []
    for tree in trees:  # which grows on the way
        found += tree.nodes
        inner = [node.node_tree for node in tree.nodes if node.type == "GROUP" and node.node_tree]
        trees += [group for group in inner if group not in trees]
    return found


def has_strips(scene: Any) -> bool:
    """Whether the frame comes from the video sequencer."""
    editor = scene.sequence_editor
    if not scene.render.use_sequencer or editor is None:
        return False
    return len(editor.strips if hasattr(editor, "strips") else editor.sequences) > 0


def mute_file_outputs(journal: Journal, scene: Any) -> list[str]:
    """Switch off compositor nodes that would write files of their own; returns their names."""
    nodes = [node for node in compositor_nodes(scene) if node.type == "OUTPUT_FILE" and not node.mute]
    for node in nodes:
        journal.set(node, "mute", True)
    return [node.name for node in nodes]


def _named(collection: Any, name: str, kind: str, known: list[str] | None = None) -> Any:
    found = collection.get(name)
    if found is None:
        names = [item.name for item in collection] if known is None else known
        raise Refused("unknown_name", kind=kind, name=name, known=names[:NAMES_MAX])
    return found
