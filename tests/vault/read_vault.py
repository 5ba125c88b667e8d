#!/usr/bin/env python3
"""A second reader of the vault, written from docs/vault-format.md alone.

    read_vault.py FOLDER KEY          KEY is the vault's key in base64, or the path of a key file
    read_vault.py --self-test         reads the vault in tests/vault/golden and checks that damage is refused

Prints one JSON line per readable record, newest generation first, with the names of its secrets; `--show` prints the
secrets themselves. Exit code 0 when all files opened, 1 when one did not, 2 when the vault or the key is wrong.
Needs PyNaCl.
"""
import base64
import hashlib
import json
import pathlib
import struct
import sys

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as aead_open
from nacl.exceptions import CryptoError

MAGIC = b"KPVAULT1"
CHECK_TEXT = b"kiro-proxy vault check value"
RECORD, CHECK = 1, 2


class Refused(Exception):
    """The file or the vault is not what it claims to be."""


def open_sealed(data, key, want_id, want_generation, want_purpose):
    """The plain text of one sealed file."""
    if data[:8] != MAGIC:
        raise Refused("no magic")
    if len(data) < 10:
        raise Refused("cut")
    (id_length,) = struct.unpack(">H", data[8:10])
    head_length = 10 + id_length + 9
    if len(data) < head_length + 24 + 16:
        raise Refused("cut")
    record_id = data[10 : 10 + id_length]
    generation, purpose = struct.unpack(">QB", data[10 + id_length : head_length])
    if want_id is not None and record_id != want_id:
        raise Refused("another record")
    if (generation, purpose) != (want_generation, want_purpose):
        raise Refused("another generation or purpose")
    head, nonce, sealed = data[:head_length], data[head_length : head_length + 24], data[head_length + 24 :]
    try:
        return record_id, aead_open(sealed, head, nonce, key)
    except CryptoError as error:
        raise Refused("broken seal") from error


def read_header(folder):
    """The header, or its copy when the header is damaged."""
    trouble = "missing"
    for name in ("header", "header.copy"):
        try:
            header = json.loads((folder / name).read_bytes())
            fields = [header[name] for name in ("format", "version", "keyId", "kdf", "check")]
            text = "".join(f"{field}\n" for field in fields)
            if hashlib.sha256(text.encode()).hexdigest() != header["sum"]:
                raise Refused("sum")
            if fields[0] != "kiro-proxy-vault" or fields[1] != 1 or fields[3] != "none":
                raise Refused("unknown format")
            return header
        except (OSError, ValueError, KeyError, TypeError, Refused) as error:
            trouble = error
    raise Refused(f"header: {trouble}")


def read_key(text):
    """32 bytes from base64 or from a key file."""
    path = pathlib.Path(text)
    try:
        raw = path.read_bytes() if path.is_file() else text.encode()
    except OSError:
        raw = text.encode()
    key = raw if len(raw) == 32 else base64.b64decode(raw.strip(), validate=True)
    if len(key) != 32:
        raise Refused("the key has not 32 bytes")
    return key


def read_vault(folder, key):
    """Yields (id, generation, record or None, trouble or None) for every sealed file."""
    header = read_header(folder)
    if hashlib.sha256(key).digest()[:8].hex() != header["keyId"]:
        raise Refused("this is not the vault's key")
    _, text = open_sealed(base64.b64decode(header["check"]), key, b"header", 0, CHECK)
    if text != CHECK_TEXT:
        raise Refused("check value")
    found = [path.name.split(".") + [path] for path in folder.glob("*.sealed")]
    for slug, generation, _, path in sorted(found, key=lambda f: (f[0], -int(f[1]))):
        try:
            record_id, plain = open_sealed(path.read_bytes(), key, None, int(generation), RECORD)
            if hashlib.sha256(record_id).digest()[:16].hex() != slug:
                raise Refused("file name belongs to another record")
            record = json.loads(plain)
            if record.pop("v") != 1:
                raise Refused("record version")
            yield record_id.decode(), int(generation), record, None
        except Refused as error:
            yield path.name, int(generation), None, str(error)


def self_test():
    """The committed vault opens; every flipped byte and every truncation of its record is refused."""
    folder = pathlib.Path(__file__).parent / "golden"
    key = bytes(0x10 + n for n in range(32))
    records = list(read_vault(folder, key))
    assert records == [("account/golden", 7, {"refreshToken": "golden-refresh-token"}, None)], records
    (path,) = folder.glob("*.sealed")
    data = path.read_bytes()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:n] + bytes([data[n] ^ 0x41]) + data[n + 1 :] for n in range(len(data))]
    for bad in damaged:
        try:
            open_sealed(bad, key, b"account/golden", 7, RECORD)
        except Refused:
            continue
        raise AssertionError("damage was not noticed")
    print(f"vault reader: 1 record read, {len(damaged)} damaged copies refused")


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    show = "--show" in arguments
    arguments = [argument for argument in arguments if argument != "--show"]
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        whole = True
        for record_id, generation, record, trouble in read_vault(pathlib.Path(arguments[0]), read_key(arguments[1])):
            secrets = record if show or record is None else sorted(record)
            line = {"record": record_id, "generation": generation, "secrets": secrets, "trouble": trouble}
            print(json.dumps(line))
            whole = whole and trouble is None
        return 0 if whole else 1
    except (Refused, ValueError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
