"""`[storage]`: how blobs and frames travel to and from an object store; `server.storage` says which one it is."""

from __future__ import annotations

from pydantic import Field

from scheduler.settings.section import Section

MIB = 2**20


class StorageSettings(Section):
    """`[storage]`: transfers to and from the store that `server.storage` names."""

    single_max_bytes: int = Field(
        default=8 * MIB, ge=0, le=8 * MIB, description="largest file that is sent in one piece; larger ones go in parts"
    )
    part_bytes: int = Field(default=16 * MIB, ge=5 * MIB, le=512 * MIB, description="size of one part of a large file")
    parallel: int = Field(default=4, ge=1, le=64, description="parts that travel side by side, of all uploads")
    stale_upload_s: float = Field(
        default=86_400.0, ge=60, description="age at which an upload that was broken off is removed"
    )
    direct: bool = Field(default=True, description="may workers be given signed URLs of the store")
    url_s: float = Field(default=900.0, ge=10, le=43_200, description="how long a signed URL is valid")
    seal: bool = Field(
        default=True, description="are files sealed with keys of this farm before they go to a store beyond its disks"
    )
    copies_max_bytes: int = Field(
        default=10 * 2**30, ge=0, description="copies of objects that are kept in the data folder for decoders"
    )
