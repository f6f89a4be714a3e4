"""Argon2id in C with AVX2 (libsodium, as PyNaCl brings it): prints how many hashes a second so many processes make.

python rate.py PROCESSES SECONDS
"""

import sys
import time
from multiprocessing import Pool

from nacl.pwhash import argon2id

PASSWORD = b"correct horse battery staple"
SALT = b"a salt of 16 by."


def rate(seconds):
    """Countersign's parameters: 19 MiB, two passes; libsodium has one lane in any case."""
    argon2id.kdf(32, PASSWORD, SALT, opslimit=2, memlimit=19 * 1024 * 1024)
    started, hashes = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        argon2id.kdf(32, PASSWORD, SALT, opslimit=2, memlimit=19 * 1024 * 1024)
        hashes += 1
    return hashes / (time.monotonic() - started)


if __name__ == "__main__":
    processes, seconds = int(sys.argv[1]), float(sys.argv[2])
    with Pool(processes) as pool:
        print(f"{sum(pool.map(rate, [seconds] * processes)):.1f}")
