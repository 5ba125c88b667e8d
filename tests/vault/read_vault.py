#!/usr/bin/env python3
"""A second reader of the vault, written from docs/vault-format.md alone.

    read_vault.py FOLDER KEY          KEY is the vault's key in base64, or the path of a key file
    read_vault.py FOLDER --passphrase [--recovery]    reads the (recovery) passphrase from standard input
    read_vault.py --self-test         reads the vaults in tests/vault and checks that damage is refused

Prints one JSON line per sealed file, newest generation first, with the names of its secrets; `--show` prints the
secrets themselves. Exit code 0 when all files opened, 1 when one did not, 2 when the vault or the key is wrong.
Needs PyNaCl.
"""
import base64
import hashlib
import json
import pathlib
import re
import struct
import sys

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as aead_open
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

MAGIC = b"KPVAULT1"
CHECK_TEXT = "kiro-proxy vault check value"
RECORD, CHECK, RECOVERY = 1, 2, 3
SOURCES = {"systemdCredential", "keyFile", "passphrase", "environment", "autoKeyFile"}


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


def summed(document, names):
    """The values of `names`, once their sum is found to fit."""
    fields = [document[name] for name in names]
    if hashlib.sha256("".join(f"{field}\n" for field in fields).encode()).hexdigest() != document["sum"]:
        raise Refused("sum")
    return fields


def read_header(folder):
    """The header, or its copy when the header is damaged."""
    trouble = "missing"
    for name in ("header", "header.copy"):
        try:
            header = json.loads((folder / name).read_bytes())
            fields = summed(header, ("format", "version", "keyId", "keySource", "kdf", "check"))
            if fields[:2] != ["kiro-proxy-vault", 2] or fields[3] not in SOURCES:
                raise Refused("unknown format")
            return header
        except (OSError, ValueError, KeyError, TypeError, Refused) as error:
            trouble = error
    raise Refused(f"header: {trouble}")


def derive(kdf, passphrase):
    """The key out of a passphrase."""
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([A-Za-z0-9+/]{22})", kdf)
    if not found:
        raise Refused(f"this key derivation is not known here: {kdf}")
    salt = base64.b64decode(found[3] + "==")
    return argon2id.kdf(32, passphrase, salt, opslimit=int(found[2]), memlimit=int(found[1]) * 1024)


def recovered(folder, header, passphrase):
    """The key out of its recovery copy."""
    try:
        copy = json.loads((folder / header["keyId"] / "recovery").read_bytes())
    except OSError as error:
        raise Refused("there is no recovery copy") from error
    fields = summed(copy, ("format", "version", "kdf", "sealed"))
    if fields[:2] != ["kiro-proxy-vault-recovery", 1]:
        raise Refused("unknown recovery copy")
    _, key = open_sealed(base64.b64decode(fields[3]), derive(fields[2], passphrase), b"recovery", 0, RECOVERY)
    return key


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
    if text.decode() != f"{CHECK_TEXT}\n{header['keySource']}\n{header['kdf']}\n":
        raise Refused("check value")
    found = [path.name.split(".") + [path] for path in (folder / header["keyId"]).glob("*.sealed")]
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
    """The committed vaults open; every flipped bit and every truncation of a record is refused."""
    folder = pathlib.Path(__file__).parent / "golden"
    key = bytes(0x10 + n for n in range(32))
    wanted = [("account/golden", 7, {"refreshToken": "golden-refresh-token"}, None)]
    records = list(read_vault(folder, key))
    assert records == wanted, records
    (path,) = folder.glob("*/*.sealed")
    data = path.read_bytes()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:n] + bytes([data[n] ^ 1 << bit]) + data[n + 1 :] for n in range(len(data)) for bit in range(8)]
    for bad in damaged:
        try:
            open_sealed(bad, key, b"account/golden", 7, RECORD)
        except Refused:
            continue
        raise AssertionError("damage was not noticed")

    folder = pathlib.Path(__file__).parent / "golden-passphrase"
    header = read_header(folder)
    key = derive(header["kdf"], b"correct horse battery staple")
    wanted = [("account/golden", 1, {"refreshToken": "golden-refresh-token"}, None)]
    records = list(read_vault(folder, key))
    assert records == wanted, records
    assert recovered(folder, header, b"the long way back home") == key
    for wrong in (lambda: list(read_vault(folder, derive(header["kdf"], b"another"))), lambda: recovered(folder, header, b"another")):
        try:
            wrong()
        except Refused:
            continue
        raise AssertionError("a wrong passphrase was not noticed")
    print(f"vault reader: 2 vaults read, by key, passphrase and recovery; {len(damaged)} damaged copies refused")


def main(arguments):
    if arguments == ["--self-test"]:
        self_test()
        return 0
    show, by_passphrase, recovery = (f"--{name}" in arguments for name in ("show", "passphrase", "recovery"))
    arguments = [argument for argument in arguments if not argument.startswith("--")]
    if len(arguments) != (1 if by_passphrase else 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        whole = True
        folder = pathlib.Path(arguments[0])
        if by_passphrase:
            passphrase, header = sys.stdin.readline().rstrip("\r\n").encode(), read_header(folder)
            key = recovered(folder, header, passphrase) if recovery else derive(header["kdf"], passphrase)
        else:
            key = read_key(arguments[1])
        for record_id, generation, record, trouble in read_vault(folder, key):
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
