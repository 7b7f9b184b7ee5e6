"""The identities of a disk's file, which qemu-img makes up anew each time.

Owns their replacing by such as come of the disk's own UUID, so that the same disk gives the same bytes: where they are
in a vmdk (VMware's Virtual Disk Format 5.0), a vhdx ([MS-VHDX]) and a vdi (QEMU's block/vdi.c). It must not touch what
the disk holds.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid5

from fuel_image.errors import BuildError

_VMDK_DESCRIPTOR, _VMDK_DESCRIPTOR_BYTES = 512, 20 * 512
_VMDK_CID = re.compile(rb"(?<=\nCID=)[0-9a-f]+(?=\n)")
_VDI_SIGNATURE, _VDI_SIGNATURE_PLACE = 0xBEDA107F, 0x40
_VDI_IDENTITIES = 0x188
"""That of the disk and that of its last snapshot."""
_VHDX_HEADERS, _VHDX_HEADER_BYTES = (0x10000, 0x20000), 4096
_VHDX_REGIONS = 0x30000
_VHDX_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
"""Signature, checksum, sequence number, GUIDs of the file, its data and its log, versions, the log's size and place."""
_VHDX_ENTRY = struct.Struct("<16sQI4x")
_VHDX_ITEM = struct.Struct("<16sII8x")
_VHDX_METADATA = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_VHDX_DISK = UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le
"""The item of the metadata that identifies the disk ("Page 83 data")."""
_CRC32C = 0x82F63B78


def of_vmdk(file: BinaryIO, uuid: UUID) -> None:
    """Give a vmdk the identity of its content that comes of *uuid*."""
    # QEMU's own has as few digits as it takes (block/vmdk.c), so what follows it moves
    text = _bytes(file, _VMDK_DESCRIPTOR, _VMDK_DESCRIPTOR_BYTES).rstrip(b"\0")
    text, found = _VMDK_CID.subn(uuid.hex[:8].encode(), text)
    _expect(found == 1 and len(text) <= _VMDK_DESCRIPTOR_BYTES, file)
    file.seek(_VMDK_DESCRIPTOR)
    file.write(text.ljust(_VMDK_DESCRIPTOR_BYTES, b"\0"))


def of_vdi(file: BinaryIO, uuid: UUID) -> None:
    """Give a vdi *uuid*, and another that comes of it for its last snapshot."""
    _expect(_read(file, "<I", _VDI_SIGNATURE_PLACE) == (_VDI_SIGNATURE,), file)
    file.seek(_VDI_IDENTITIES)
    file.write(uuid.bytes_le + uuid5(uuid, "snapshot").bytes_le)


def of_vhdx(file: BinaryIO, uuid: UUID) -> None:
    """Give a vhdx *uuid*, and others that come of it; its log, which holds nothing more to be done, is emptied."""
    headers = [_VHDX_HEADER.unpack(_bytes(file, place, _VHDX_HEADER.size)) for place in _VHDX_HEADERS]
    newest = max(header[2] for header in headers)
    for place, (signature, _, number, _, _, log, *versions, log_bytes, log_place) in zip(_VHDX_HEADERS, headers):
        _expect(signature == b"head" and not any(log), file)
        ids = uuid5(uuid, "file").bytes_le, uuid5(uuid, "data").bytes_le
        sequence = 1 + (number == newest)
        header = _VHDX_HEADER.pack(signature, 0, sequence, *ids, log, *versions, log_bytes, log_place)
        whole = header + _bytes(file, place + len(header), _VHDX_HEADER_BYTES - len(header))
        file.seek(place)
        file.write(whole[:4] + struct.pack("<I", _crc32c(whole)) + whole[8:])
        file.seek(log_place)
        file.write(bytes(log_bytes))
    metadata = _entry(file, _VHDX_REGIONS, b"regi", _VHDX_METADATA)
    file.seek(metadata + _entry(file, metadata, b"metadata", _VHDX_DISK))
    file.write(uuid.bytes_le)


def _entry(file: BinaryIO, table: int, signature: bytes, wanted: bytes) -> int:
    """Return the place that an entry of a vhdx's table of regions, or of metadata, tells."""
    _expect(_bytes(file, table, len(signature)) == signature, file)
    regions = signature == b"regi"
    count = _read(file, "<I", table + 8)[0] if regions else _read(file, "<H", table + 10)[0]
    row, first = (_VHDX_ENTRY, 16) if regions else (_VHDX_ITEM, 32)
    rows = [row.unpack(_bytes(file, table + first + number * row.size, row.size)) for number in range(count)]
    places = [int(place) for identity, place, _ in rows if identity == wanted]
    _expect(len(places) == 1, file)
    return places[0]


def _bytes(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _read(file: BinaryIO, form: str, place: int) -> tuple[int, ...]:
    return struct.unpack(form, _bytes(file, place, struct.calcsize(form)))


def _expect(holds: bool, file: BinaryIO) -> None:
    if not holds:
        name = Path(file.name).name
        raise BuildError(f"writing {name}: qemu-img made it otherwise than we know", advice="ask for a raw or qcow2")


def _crc32c(content: bytes) -> int:
    found = 0xFFFFFFFF
    for byte in content:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (_CRC32C if found & 1 else 0)
    return found ^ 0xFFFFFFFF
