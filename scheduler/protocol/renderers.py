"""The settings that each renderer knows, as data: they validate submissions and describe themselves to add-ons.

A renderer that is not in `RENDERERS` does not exist for the farm.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Format = Literal["png", "jpg", "exr"]

IMAGE_SIDE_MAX = 65_536
IMAGE_PIXELS_MAX = 400_000_000


class RendererSettings(BaseModel):
    """What every renderer of images understands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int | None = Field(default=None, ge=1, le=IMAGE_SIDE_MAX, description="pixels; none: as the scene says")
    height: int | None = Field(default=None, ge=1, le=IMAGE_SIDE_MAX, description="pixels; none: as the scene says")

    @model_validator(mode="after")
    def _not_too_many_pixels(self) -> RendererSettings:
        if self.width and self.height and self.width * self.height > IMAGE_PIXELS_MAX:
            raise ValueError(f"an image may have at most {IMAGE_PIXELS_MAX} pixels")
        return self


Vector = tuple[float, float, float]


class Camera(BaseModel):
    """A pinhole camera; `fov_deg` is the vertical field of view."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: Vector
    target: Vector = (0.0, 0.0, 0.0)
    up: Vector = (0.0, 1.0, 0.0)
    fov_deg: float = Field(default=40.0, gt=0.0, lt=180.0)


class KernelSettings(RendererSettings):
    """Ambient occlusion by Numba: the built-in scene, or a mesh (OBJ, PLY, GLB, glTF)."""

    width: int = Field(  # pyright: ignore[reportIncompatibleVariableOverride]  narrower, and frozen
        default=512, ge=1, le=IMAGE_SIDE_MAX, description="pixels"
    )
    height: int = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default=512, ge=1, le=IMAGE_SIDE_MAX, description="pixels"
    )
    subsamples: int = Field(default=2, ge=1, le=64, description="camera rays per pixel and axis")
    samples: int | None = Field(default=None, ge=1, le=4096, description="camera rays per pixel; overrides subsamples")
    ao_samples: int = Field(default=8, ge=1, le=64, description="occlusion rays per camera ray and axis")
    ao_distance: float | None = Field(default=None, gt=0.0, description="reach of occlusion; none: unlimited")
    seed: int = Field(default=0, ge=0, lt=2**31)
    camera: Camera | None = Field(default=None, description="none: placed to see the whole mesh")
    orbit_deg_per_frame: float = Field(default=0.0, description="turns the camera about the target's up axis")
    depth: Literal["half", "float"] = Field(default="half", description="EXR channel type")
    quality: int = Field(default=95, ge=1, le=100, description="JPEG quality")


class BlenderSettings(RendererSettings):
    """Overrides of what the .blend says; everything left out stays as the artist saved it."""

    engine: Literal["CYCLES", "EEVEE", "WORKBENCH"] | None = None
    samples: int | None = Field(default=None, ge=1, le=1_000_000)
    percentage: int | None = Field(default=None, ge=1, le=1000, description="resolution scale in percent")
    camera: str | None = Field(default=None, max_length=255)
    scene: str | None = Field(default=None, max_length=255)
    view_layer: str | None = Field(default=None, max_length=255)
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    color_mode: Literal["BW", "RGB", "RGBA"] | None = None
    color_depth: Literal["8", "16", "32"] | None = None
    exr_codec: str | None = Field(default=None, max_length=32)
    quality: int | None = Field(default=None, ge=1, le=100, description="JPEG quality")
    denoise: bool | None = None
    device: Literal["CPU", "GPU"] | None = None
    threads: int | None = Field(default=None, ge=1, le=1024)


MAYA_NODE = r"^[A-Za-z_][A-Za-z0-9_]*([:|][A-Za-z_][A-Za-z0-9_]*)*$"
"""A name of Maya's own, with namespaces (`:`) and parents (`|`): nothing else may reach the command line."""


class MayaSettings(RendererSettings):
    """Overrides of what the scene says, as far as Maya's command line takes them for the engine."""

    engine: Literal["file", "arnold", "sw", "hw2", "vray", "redshift", "renderman"] = Field(
        default="file", description="file: the one that the scene is set to"
    )
    camera: str | None = Field(default=None, max_length=255, pattern=MAYA_NODE)
    layer: str | None = Field(
        default=None, max_length=255, pattern=MAYA_NODE, description="render layer, as the artist named it"
    )
    project: str | None = Field(
        default=None,
        max_length=4096,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="folder of the project, as the artist sees it",
    )
    samples: int | None = Field(
        default=None, ge=1, le=100, description="camera samples (AA), squared per pixel; only with engine arnold"
    )

    @model_validator(mode="after")
    def _fits_the_engine(self) -> MayaSettings:
        if self.samples is not None and self.engine != "arnold":
            raise ValueError(f"samples: engine {self.engine} takes none on Maya's command line; set them in the scene")
        if self.engine == "renderman" and (self.width is None) != (self.height is None):
            raise ValueError("width, height: engine renderman takes both or none")
        return self


class NullSettings(RendererSettings):
    """The renderer that does nothing: for load tests and drills. `sleep_s` keeps a slot busy."""

    sleep_s: float = Field(default=0.0, ge=0.0, le=86_400.0)


class RendererInfo(BaseModel):
    """One renderer as the farm knows it."""

    name: str
    title: str
    endings: tuple[str, ...]
    settings: type[RendererSettings]
    scene: Literal["none", "optional", "required"]
    formats: tuple[Format, ...] = ("png", "jpg", "exr")
    tiles: bool = True
    samples: bool = True
    stock: bool = True
    """Is it taken to be on a machine that a pool launches, while nothing is known of its machines?"""
    whole: str = ""
    """Why its frames are not split, in words for people, where they are not."""


RENDERERS: dict[str, RendererInfo] = {
    info.name: info
    for info in (
        RendererInfo(
            name="kernel",
            title="Numba ambient occlusion",
            endings=(".obj", ".ply", ".glb", ".gltf"),
            settings=KernelSettings,
            scene="optional",
        ),
        RendererInfo(name="blender", title="Blender", endings=(".blend",), settings=BlenderSettings, scene="required"),
        RendererInfo(
            name="maya",
            title="Maya",
            endings=(".ma", ".mb"),
            settings=MayaSettings,
            scene="required",
            tiles=False,
            samples=False,
            stock=False,
            whole="Maya can render a region, but whether regions laid side by side are the frame depends on engine, "
            "filters and imagers, and the farm does not guess.",
        ),
        RendererInfo(
            name="null",
            title="Nothing, for load tests",
            endings=(),
            settings=NullSettings,
            scene="none",
            tiles=False,
            samples=False,
        ),
    )
}


def renderer_fields(name: str) -> dict[str, Any]:
    """The JSON schema of a renderer's settings, so that an add-on can draw fields it has never heard of."""
    return RENDERERS[name].settings.model_json_schema()
