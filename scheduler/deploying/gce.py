"""Google's hands: makes, finds and removes the pieces of `gce_design`. Decides nothing.

Networks, templates and instances go through `google-cloud-compute`; that distribution knows neither accounts nor
buckets, so those take a few REST calls (`gce_rest`). Operations are waited for with clients that are given the
endpoint too: `Operation.result()` would always ask Google itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scheduler.deploying.design import LABEL, LABEL_PIECE, Found, Piece
from scheduler.deploying.gce_design import RANGE, account_email, bucket_name, description, resource_name
from scheduler.deploying.gce_rest import Rest
from scheduler.deploying.gce_words import explained
from scheduler.errors import Refused

Ids = Mapping[str, str]


class GceHands:
    """The pieces of one farm in one project. `endpoint` is for tests and private clouds."""

    @explained
    def __init__(self, farm: str, project: str, zone: str, *, endpoint: str | None = None) -> None:
        from google.cloud import compute_v1

        self._farm, self._project, self._zone = farm, project, zone
        self._region, self._types = zone.rpartition("-")[0], compute_v1
        options: dict[str, Any] = {}
        if endpoint is not None:
            from google.auth.credentials import AnonymousCredentials

            options = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": endpoint}}
        self._clients: Mapping[str, Any] = {  # their methods take differently named arguments
            "network": compute_v1.NetworksClient(**options),
            "subnetwork": compute_v1.SubnetworksClient(**options),
            "router": compute_v1.RoutersClient(**options),
            "firewall-scheduler": compute_v1.FirewallsClient(**options),
            "instance-template": compute_v1.InstanceTemplatesClient(**options),
            "scheduler": compute_v1.InstancesClient(**options),
        }
        self._global = compute_v1.GlobalOperationsClient(**options)
        self._regional = compute_v1.RegionOperationsClient(**options)
        self._zonal = compute_v1.ZoneOperationsClient(**options)
        self._rest = Rest(project, endpoint)
        self._makers: Mapping[str, Callable[[Piece, Ids], str]] = {
            "network": self._network,
            "subnetwork": self._subnetwork,
            "router": self._router,
            "firewall-scheduler": self._firewall,
            "worker-account": self._account,
            "scheduler-account": self._account,
            "bucket": self._bucket,
            "instance-template": self._template,
            "scheduler": self._scheduler,
        }

    @explained
    def find(self) -> Sequence[Found]:
        """See `hands.Hands`. Every piece has one name, so each is asked for by it and is ours if it says so."""
        found: list[Found] = []
        for piece in self._makers:
            name = self._name(piece)
            if piece.endswith("-account"):
                account = self._rest.account(account_email(self._farm, piece, self._project))
                said = account.get("description", "") if account else ""
            elif piece == "bucket":
                bucket = self._rest.bucket(bucket_name(self._farm, self._project))
                name, said = bucket_name(self._farm, self._project), _label(bucket)
            else:
                said = self._said(piece, name)
            if said == description(self._farm):
                found.append(Found(piece, name, self._why_kept(piece, name)))
        return found

    @explained
    def make(self, piece: Piece, ids: Ids) -> str:
        """See `hands.Hands`."""
        return self._makers[piece.name](piece, ids)

    @explained
    def remove(self, found: Found) -> None:
        """See `hands.Hands`."""
        from google.api_core.exceptions import NotFound

        if found.piece.endswith("-account"):
            self._rest.remove_account(account_email(self._farm, found.piece, self._project))
        elif found.piece == "bucket":
            self._rest.remove_bucket(found.id)
        else:
            argument = {"instance-template": "instance_template", "scheduler": "instance"}.get(
                found.piece, found.piece.partition("-")[0]
            )
            try:
                self._wait(self._clients[found.piece].delete_unary(**self._where(found.piece), **{argument: found.id}))
            except NotFound:
                return

    # ---- what is there ----------------------------------------------------------------------------------------------

    def _name(self, piece: str) -> str:
        return resource_name(self._farm, piece)

    def _where(self, piece: str) -> dict[str, str]:
        if piece in ("subnetwork", "router"):
            return {"project": self._project, "region": self._region}
        if piece == "scheduler":
            return {"project": self._project, "zone": self._zone}
        return {"project": self._project}

    def _said(self, piece: str, name: str) -> str:
        """The description of a thing; empty where there is no such thing."""
        from google.api_core.exceptions import NotFound

        argument = {"instance-template": "instance_template", "scheduler": "instance"}.get(
            piece, piece.partition("-")[0]
        )
        try:
            return str(self._clients[piece].get(**self._where(piece), **{argument: name}).description)
        except NotFound:
            return ""

    def _why_kept(self, piece: str, name: str) -> str:
        """A network in which machines still run is not pulled from under them; nor is a bucket that is not empty."""
        if piece == "bucket" and self._rest.holds_something(name):
            return "it holds blobs or frames; empty it, then give the command again"
        if piece != "subnetwork":
            return ""
        pages = self._clients["scheduler"].aggregated_list(project=self._project)
        ours, link = self._name("scheduler"), f"/{self._region}/subnetworks/{name}"
        others = [
            each.name
            for _zone, listed in pages
            for each in listed.instances
            if each.name != ours and any(nic.subnetwork.endswith(link) for nic in each.network_interfaces)
        ]
        return f"{len(others)} instances that this command did not start still run in it" if others else ""

    # ---- making -----------------------------------------------------------------------------------------------------

    def _wait(self, operation: Any) -> None:
        """Come back when it is done.

        Raises:
            Refused: it failed, with Google's words.
        """
        while operation.status != self._types.Operation.Status.DONE:
            known: dict[str, Any] = {"project": self._project, "operation": operation.name}
            if operation.zone:
                operation = self._zonal.wait(zone=self._zone, **known)
            elif operation.region:
                operation = self._regional.wait(region=self._region, **known)
            else:
                operation = self._global.wait(**known)
        for error in operation.error.errors:
            raise Refused(f"Google Cloud refuses: {error.message}", code=error.code.lower() or "refused")

    def _insert(self, piece: Piece, **resource: Any) -> str:
        self._wait(self._clients[piece.name].insert_unary(**self._where(piece.name), **resource))
        return self._name(piece.name)

    def _own(self, piece: Piece) -> dict[str, Any]:
        return {"name": self._name(piece.name), "description": description(self._farm)}

    def _network(self, piece: Piece, _ids: Ids) -> str:
        types = self._types
        made = types.Network(**self._own(piece), auto_create_subnetworks=False)
        made.routing_config = types.NetworkRoutingConfig(routing_mode="REGIONAL")
        return self._insert(piece, network_resource=made)

    def _subnetwork(self, piece: Piece, ids: Ids) -> str:
        made = self._types.Subnetwork(
            **self._own(piece), network=self._network_link(ids), ip_cidr_range=RANGE, private_ip_google_access=True
        )
        return self._insert(piece, subnetwork_resource=made)

    def _router(self, piece: Piece, ids: Ids) -> str:
        nat = self._types.RouterNat(
            name=self._name(piece.name),
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        )
        made = self._types.Router(**self._own(piece), network=self._network_link(ids), nats=[nat])
        return self._insert(piece, router_resource=made)

    def _firewall(self, piece: Piece, ids: Ids) -> str:
        allowed = self._types.Allowed(I_p_protocol="tcp", ports=[str(piece.spec["port"])])
        made = self._types.Firewall(
            **self._own(piece), network=self._network_link(ids), direction="INGRESS", allowed=[allowed],
            source_ranges=[piece.spec["source"]],
            target_service_accounts=[account_email(self._farm, "scheduler-account", self._project)],
        )  # fmt: skip
        return self._insert(piece, firewall_resource=made)

    def _account(self, piece: Piece, _ids: Ids) -> str:
        self._rest.make_account(self._name(piece.name), piece.words, description(self._farm))
        return self._name(piece.name)

    def _bucket(self, piece: Piece, _ids: Ids) -> str:
        self._rest.make_bucket(piece.spec["name"], self._region, {LABEL: self._farm, LABEL_PIECE: "bucket"})
        return str(piece.spec["name"])

    def _template(self, piece: Piece, ids: Ids) -> str:
        properties = self._types.InstanceProperties(
            machine_type=piece.spec["type"], **self._machine(piece, ids, "worker-account", 50)
        )
        properties.scheduling = self._types.Scheduling(
            provisioning_model="SPOT", instance_termination_action="DELETE", automatic_restart=False,
            on_host_maintenance="TERMINATE",
        )  # fmt: skip
        made = self._types.InstanceTemplate(**self._own(piece), properties=properties)
        return self._insert(piece, instance_template_resource=made)

    def _scheduler(self, piece: Piece, ids: Ids) -> str:
        spec = piece.spec
        made = self._types.Instance(
            **self._own(piece), machine_type=f"zones/{self._zone}/machineTypes/{spec['type']}",
            **self._machine(piece, ids, "scheduler-account", spec["disk_gib"]),
        )  # fmt: skip
        script = self._types.Items(key="startup-script", value=spec["script"])
        made.metadata = self._types.Metadata(items=[script, *made.metadata.items])
        return self._insert(piece, instance_resource=made)

    def _machine(self, piece: Piece, ids: Ids, account: str, disk_gib: int) -> dict[str, Any]:
        """What templates and instances have in common: no public address, shielded, one account, labelled."""
        types = self._types
        boot = types.AttachedDiskInitializeParams(source_image=piece.spec["image"], disk_size_gb=disk_gib)
        subnetwork = f"projects/{self._project}/regions/{self._region}/subnetworks/{ids['subnetwork']}"
        email = account_email(self._farm, account, self._project)
        return {
            "labels": {LABEL: self._farm, LABEL_PIECE: piece.name},
            "disks": [types.AttachedDisk(boot=True, auto_delete=True, initialize_params=boot)],
            "network_interfaces": [types.NetworkInterface(subnetwork=subnetwork)],
            "service_accounts": [
                types.ServiceAccount(email=email, scopes=["https://www.googleapis.com/auth/cloud-platform"])
            ],
            "shielded_instance_config": types.ShieldedInstanceConfig(
                enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
            ),
            "metadata": types.Metadata(items=[types.Items(key="block-project-ssh-keys", value="true")]),
        }

    def _network_link(self, ids: Ids) -> str:
        return f"projects/{self._project}/global/networks/{ids['network']}"


def _label(bucket: Mapping[str, Any] | None) -> str:
    """A bucket's label as descriptions have it."""
    return f"{LABEL}={bucket.get('labels', {}).get(LABEL, '')}" if bucket else ""
