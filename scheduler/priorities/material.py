"""What a Version is made of: the facts of a finished job, a thumbnail, and a movie of its frames.

Gathered when the message is delivered, from the rows and the published files, so that queueing stays tiny. Pixels are
decoded in child processes only; what cannot be made is left out with a note.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sqlmodel import Session, col, select

from scheduler.domain.costs import account
from scheduler.domain.frames import parse_frames
from scheduler.domain.versions import VersionFacts
from scheduler.imaging.facts import Verdict
from scheduler.settings.tracking import WriteBackSettings
from scheduler.store.store import Store
from scheduler.store.tables import Frame, Job
from scheduler.store.usage import load_usage

THUMBNAIL_PX = 640

MOVIE_FRAMES_MIN = 2
"""A still has a thumbnail and no movie."""


class Previews(Protocol):
    """What is needed of the imaging pool."""

    async def preview(self, path: Path, out: Path, width_px: int, kind: Literal["webp", "png"] = "webp") -> Verdict:
        """Write a small picture of a file."""
        ...


class Movies(Protocol):
    """What is needed of the movie maker."""

    async def movie(self, frames: Sequence[Path], out: Path, *, fps: float, width_px: int) -> Verdict:
        """Write an MP4 of files."""
        ...


@dataclass(frozen=True)
class Material:
    """A finished job; `frames` are where each lies and its SHA-256, `digest` is of all their contents."""

    facts: VersionFacts
    frames: tuple[tuple[str, str], ...]
    digest: str


@dataclass(frozen=True)
class Pictures:
    """Files to upload; None where there is none, and why."""

    thumbnail: Path | None = None
    movie: Path | None = None
    notes: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Studio:
    """Makes material. `prices` are US dollars for an hour of one worker, by pool."""

    store: Store
    previews: Previews
    movies: Movies
    settings: WriteBackSettings
    prices: Mapping[str, float]
    farm_name: str

    async def material(self, job: int, key: str, now_s: float) -> Material:
        """The facts of a job."""
        return await asyncio.to_thread(self._material, job, key, now_s)

    async def submitted_at(self, job: int) -> float:
        """When a job was submitted, in seconds since the epoch."""

        def read() -> float:
            with self.store.read() as session:
                return session.get_one(Job, job).submitted_at

        return await asyncio.to_thread(read)

    async def pictures(self, material: Material) -> Pictures:
        """A thumbnail of the middle frame that is there, and a movie of all. What is there already is used again."""
        frames = await asyncio.to_thread(self._files, material)
        notes: list[str] = []
        if not frames:
            return Pictures(notes=["No published frame is there to be shown."] if material.frames else [])
        folder = self.store.folders.previews / f"{material.facts.job:05d}"
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        thumbnail = await self._thumbnail(frames[len(frames) // 2], folder, material, notes)
        movie = await self._movie(frames, self.movie_path(material), notes)
        return Pictures(thumbnail, movie, notes)

    def movie_path(self, material: Material) -> Path:
        """Where the movie of these frames lies; other frames, another file."""
        return self.store.folders.previews / f"{material.facts.job:05d}" / f"movie.{material.digest}.mp4"

    async def _thumbnail(self, frame: Path, folder: Path, material: Material, notes: list[str]) -> Path | None:
        out = folder / f"thumbnail.{material.digest}.png"
        if await asyncio.to_thread(out.is_file):
            return out
        verdict = await self.previews.preview(frame, out, THUMBNAIL_PX, "png")
        if not verdict.ok:
            notes.append(f"There is no thumbnail: {verdict.message}")
        return out if verdict.ok else None

    async def _movie(self, frames: list[Path], out: Path, notes: list[str]) -> Path | None:
        if not self.settings.movie or len(frames) < MOVIE_FRAMES_MIN:
            return None
        if await asyncio.to_thread(out.is_file):
            return out
        wish = self.settings
        verdict = await self.movies.movie(frames, out, fps=wish.movie_fps, width_px=wish.movie_px)
        if not verdict.ok:
            notes.append(f"There is no movie: {verdict.message}")
        return out if verdict.ok else None

    def _material(self, job: int, key: str, now_s: float) -> Material:
        with self.store.read() as session:
            row = session.get_one(Job, job)
            published = list(
                session.exec(select(Frame).where(Frame.job_id == job).order_by(col(Frame.frame))).all()
            )  # fmt: skip
            facts = self._facts(session, row, key, now_s)
        content = "\n".join(f"{frame.frame} {frame.hash}" for frame in published)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        return Material(facts, tuple((frame.path, frame.hash) for frame in published), digest)

    def _files(self, material: Material) -> list[Path]:
        """The frames that are there, as files of this machine."""
        found: list[Path] = []
        for where, sha256 in material.frames:
            with suppress(FileNotFoundError):
                found.append(self.store.frames.copy(where, sha256))
        return [path for path in found if path.is_file()]

    def _facts(self, session: Session, row: Job, key: str, now_s: float) -> VersionFacts:
        job = row.id or 0
        numbers = parse_frames(row.frames, frames_max=max(row.frame_count, 1))
        return VersionFacts(
            job=job,
            key=key,
            code=row.tracking.get("version") or row.name,
            name=row.name,
            farm=self.farm_name,
            frames=row.frames,
            first=min(numbers),
            last=max(numbers),
            count=row.frame_count,
            output=row.output or "",
            account=account(load_usage(session, now_s=now_s, job=job), self.prices),
        )
