"""The bucket of one farm in S3: private, encrypted, without unfinished uploads. It is removed only when it is empty."""

from __future__ import annotations

from typing import Any

from scheduler.deploying.aws_design import bucket_name
from scheduler.deploying.aws_words import code_of, gone, tag_list, told
from scheduler.deploying.design import Found

ABORT_AFTER_DAYS = 7
DEFAULT_REGION = "us-east-1"
"""The one region that S3 does not want to be named."""


class Bucket:
    """Made by `AwsHands`, which explains what goes wrong."""

    def __init__(self, farm: str, region: str, s3: Any) -> None:
        self._farm, self._region, self._s3 = farm, region, s3

    def find(self, account: str) -> Found | None:
        """The bucket, if it is there and ours; what is in it keeps it there."""
        name = bucket_name(self._farm, account)
        try:
            tags = self._s3.get_bucket_tagging(Bucket=name)["TagSet"]
        except Exception as error:
            if gone(error) or "NoSuchTagSet" in str(error):
                return None
            raise
        if told(tags) != self._farm:
            return None
        full = bool(self._s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount"))
        return Found("bucket", name, "it holds blobs or frames; empty it, then give the command again" if full else "")

    def make(self, name: str) -> str:
        """The bucket, closed before anything can be put into it."""
        place = {"LocationConstraint": self._region}
        try:
            self._s3.create_bucket(
                Bucket=name, **({} if self._region == DEFAULT_REGION else {"CreateBucketConfiguration": place})
            )
        except Exception as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":  # begun by an earlier call; its tags come last
                raise
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        self._s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self._s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        abort = {"DaysAfterInitiation": ABORT_AFTER_DAYS}
        sweep = {"ID": "unfinished-uploads", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": abort}
        self._s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [sweep]})
        self._s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(self._farm, "bucket")})
        return name

    def remove(self, name: str) -> None:
        """S3 itself refuses to remove a bucket that is not empty."""
        try:
            self._s3.delete_bucket(Bucket=name)
        except Exception as error:
            if not gone(error):
                raise
