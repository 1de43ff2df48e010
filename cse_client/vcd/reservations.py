"""The addresses that clusters have reserved in their networks.

A cluster's reservations are GENERAL metadata of its vApp: `cse.client.addresses` for its load
balancer, `cse.client.virtual_address` for its API. Both are JSON with the network's id and the
ranges, `{"network": "<uuid>", "ranges": ["A-B", "C-D"]}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cse_client import bounds
from cse_client.errors import NotFound
from cse_client.model import footprint
from cse_client.model.addons import (
    LOAD_BALANCER,
    VIRTUAL_ADDRESS,
    AddressRange,
    RecordedAddresses,
)
from cse_client.vcd import queries
from cse_client.vcd.errors import EDIT_RIGHT, Action
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.vcd.transport import Transport

__all__ = ["Reservations", "address_record", "parse_record", "record_text"]

_PURPOSES = {
    footprint.ADDRESSES: LOAD_BALANCER,
    footprint.VIRTUAL_ADDRESS: VIRTUAL_ADDRESS,
}


class Reservations:
    """Reads and changes what clusters have reserved; `write` writes metadata of a vApp."""

    def __init__(
        self, transport: Transport, write: Callable[[str, Mapping[str, str]], Task]
    ) -> None:
        self._transport = transport
        self._write = write

    def recorded(self) -> list[RecordedAddresses]:
        """Return the reservations of all clusters that this user sees; one request per 128."""
        records = queries.records(
            self._transport,
            "vApp",
            Action("list the clusters' addresses"),
            raw=(f"metadata:{footprint.CLUSTER_ID}==STRING:*",),
            fields=["name", *(f"metadata:{key}" for key in _PURPOSES)],
        )
        found = []
        for record in records:
            row = queries.vapp_record(record)
            for key, purpose in _PURPOSES.items():
                network_id, ranges = parse_record(row.metadata.get(key, ""))
                if ranges:
                    found.append(RecordedAddresses(row.name, row.href, network_id, ranges, purpose))
        return found

    def reserve(self, vapp_href: str, network_id: str, ranges: tuple[AddressRange, ...]) -> Task:
        """Record in a cluster's vApp which addresses its load balancer gives out."""
        return self._write(vapp_href, {footprint.ADDRESSES: record_text(network_id, ranges)})

    def release(self, vapp_href: str) -> Task | None:
        """Remove that record; None where there is none."""
        action = Action("write the metadata", right=EDIT_RIGHT, missing="the record", changes=True)
        try:
            reply = self._transport.delete(f"{vapp_href}/metadata/{footprint.ADDRESSES}", action)
        except NotFound:
            return None
        return reply.task(action)


def record_text(network_id: str, ranges: tuple[AddressRange, ...]) -> str:
    """Return what to write as a cluster's reservation."""
    value = {"network": network_id, "ranges": [str(one) for one in ranges]}
    return json.dumps(value, separators=(",", ":"))


def address_record(network_id: str, address: str) -> str:
    """Return what to write as the reservation of one address; empty for none."""
    return record_text(network_id, (AddressRange.of(address, address),)) if address else ""


def parse_record(value: str) -> tuple[str, tuple[AddressRange, ...]]:
    """Read a reservation: the network's id and the ranges; nothing where it is damaged."""
    try:
        raw = bounds.load_json(value)
        ranges = tuple(AddressRange.of(*one.split("-")) for one in raw["ranges"])
        return str(raw["network"]), ranges
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", ()
