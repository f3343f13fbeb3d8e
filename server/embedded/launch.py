"""The last step before an embedded server runs: take on an identity, tie it to its parent's life, and exec.

A program of its own (`python -I -S launch.py PARENT SIGNAL IDENTITY COMMAND…`) rather than a `preexec_fn`,
because that is not safe in a process that has threads. It imports nothing of Courtside.

IDENTITY is one of
  `same`            go on as the present user;
  `namespace:UID`   a user namespace in which the present user is called UID (files stay theirs outside);
  `user:UID`        become UID but keep the right to pass through folders (root without namespaces).
SIGNAL is what the kernel sends when PARENT dies. Exit status 97: that identity is refused here.
"""

from __future__ import annotations

import ctypes
import os
import sys

REFUSED = 97
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    """Raise `OSError` for a C call that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write(path: str, text: str) -> None:
    """Write a kernel file in one call, as the id maps demand."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def enter_namespace(uid: int) -> None:
    """Enter a user namespace in which this user and group are both called `uid`."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_NEWUSER))
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    write("/proc/self/gid_map", f"{uid} {outer_gid} 1")


def become(uid: int) -> None:
    """Become user and group `uid`, keeping CAP_DAC_OVERRIDE across the exec (an ambient capability).

    With it the server reaches its files inside a folder that only root may enter, and no folder is loosened.
    """
    # initdb asks access(2) for the program beside it, and that heeds a capability of an ordinary uid with this bit
    # alone. Where it may not be set (CAP_SETPCAP), Postgres is found in folders that everybody may enter.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    bits = 1 << CAP_DAC_OVERRIDE
    check(libc.capset(header, (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)))
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0))


def main(parent: int, signal_number: int, identity: str, command: list[str]) -> None:
    """Take on `identity`, ask for `signal_number` at the death of `parent`, and become `command`."""
    kind, _, uid = identity.partition(":")
    try:
        if kind == "namespace":
            enter_namespace(int(uid))
        elif kind == "user":
            become(int(uid))
    except (OSError, AttributeError, ValueError, OverflowError) as error:
        sys.stderr.write(f"{identity}: {error}\n")
        sys.exit(REFUSED)
    # After the identity, since a change of credentials clears it; and then see whether it came too late.
    check(libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0))
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
