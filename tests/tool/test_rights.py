#!/usr/bin/python3
"""Who owns a store's files, and who may use them: modes, groups, and root as a guest."""

import grp
import os
import stat

from support import (SMALL, TOOL, as_user, case, complaint, contains, equal, lines_of, main, may_be,
                     out, run)

OWNER = 65534  # any but root
GROUP = 65533
STRANGER = 65532


def modes(store):
    """Of the directory, and of all its files together."""
    files = {stat.S_IMODE(os.stat(f"{store}/{name}").st_mode) for name in os.listdir(store)}
    return oct(os.stat(store).st_mode & 0o7777), sorted(map(oct, files))


def owners(store):
    found = set()
    for folder, folders, files in os.walk(store):
        for name in [".", *folders, *files]:
            st = os.stat(os.path.join(folder, name))
            found.add((st.st_uid, st.st_gid))
    return found


def owned_store(tmp):
    """A store of OWNER, and how to be that one."""
    owner = as_user(OWNER, GROUP)
    os.chmod(tmp, 0o777)
    run("append", f"{tmp}/s", "--segment-size", SMALL, input=lines_of(1000, width=100), **owner)
    return f"{tmp}/s", owner


@case
def root_is_a_guest(tmp):
    """what root appends, trims or repairs stays the owner's, who can read it and go on"""
    store, owner = owned_store(tmp)
    os.unlink(f"{store}/wake")
    run("append", store, input=lines_of(2000, first=1001, width=100))
    run("trim", store, "--keep-size", "128K")
    equal(owners(store), {(OWNER, GROUP)})
    run("append", store, input=b"mine again\n", **owner)
    equal(out("get", store, "last", **owner), b"mine again")
    run("verify", store, **owner)
    newest = max(name for name in os.listdir(store) if name.endswith(".log"))
    with open(f"{store}/{newest}", "r+b") as file:
        at = file.read().index(b"mine again")
        file.seek(at)
        file.write(b"M")
    run("repair", "--yes", store)
    assert os.listdir(f"{store}/quarantine")
    equal(owners(store), {(OWNER, GROUP)})
    run("append", store, input=b"and again\n", **owner)


@case
def a_group_writes(tmp):
    """members of a group append to one store in turn, whoever made its files"""
    one = {**as_user(OWNER, OWNER, [GROUP]), "umask": 0o077}
    two = {**as_user(STRANGER, STRANGER, [GROUP]), "umask": 0o077}
    none = as_user(STRANGER, STRANGER)
    os.chmod(tmp, 0o777)
    store = f"{tmp}/s"
    run("append", store, "--mode=0660", f"--group={GROUP}", "--segment-size", SMALL,
        input=lines_of(1000, width=100), **one)
    equal(modes(store), ("0o2770", ["0o660"]))
    for turn in range(1, 5):
        run("append", store, input=lines_of(1000, first=1 + 1000 * turn, width=100),
            **(two if turn % 2 else one))
    equal({group for _, group in owners(store)}, {GROUP})
    equal(modes(store), ("0o2770", ["0o660"]))
    equal(out("read", store, **one), lines_of(5000, width=100))
    complaint("read", store, status=3, **none)


@case
def modes_whatever_the_umask(tmp):
    """directory and files get the mode that was asked for, in a copy too"""
    for mode, directory in (("0600", "0o700"), ("0640", "0o750"), ("0644", "0o755"),
                            ("0660", "0o770"), ("0664", "0o775")):
        for umask in (0o077, 0):
            store = f"{tmp}/{mode}-{umask}"
            run("append", store, "--mode", mode, "--segment-size", SMALL,
                input=lines_of(2000, width=100), umask=umask)
            run("copy", store, store + "-copy", umask=umask)
            run("copy", store, store + "-redacted", "--redact=1", umask=umask)
            run("repair", store, f"--salvage={store}-saved", umask=umask)
            for made in (store, store + "-copy", store + "-redacted", store + "-saved"):
                equal(modes(made), (directory, [oct(int(mode, 8))]), made)
    for wrong in ("0666", "0622", "4600", "", "640x"):
        contains(complaint("append", f"{tmp}/no", "--mode", wrong, status=2), "--mode")
        assert not os.path.exists(f"{tmp}/no")


@case
def a_setgid_directory(tmp):
    """a directory made inside of one with the setgid bit keeps the bit and the group"""
    guest = as_user(OWNER, STRANGER, [GROUP])
    os.mkdir(f"{tmp}/shared")
    os.chown(f"{tmp}/shared", OWNER, GROUP)
    os.chmod(f"{tmp}/shared", 0o2775)
    os.chmod(tmp, 0o755)
    run("append", f"{tmp}/shared/s", "--mode", "0640", input=b"1\n", umask=0o077, **guest)
    equal(modes(f"{tmp}/shared/s"), ("0o2750", ["0o640"]))
    equal(owners(f"{tmp}/shared/s"), {(OWNER, GROUP)})


@case
def a_shared_directory(tmp):
    """--group does not take a directory away from everyone who may write it"""
    shared = f"{tmp}/shared"
    os.mkdir(shared)
    os.chmod(shared, 0o1777)
    before = os.stat(shared)
    complaint("append", shared, "--group", os.getegid(), input=b"1\n", status=3)
    equal(os.listdir(shared), [])
    run("append", shared, "--group", os.getegid(), "--shared-dir-ok", input=b"1\n")
    after = os.stat(shared)
    equal((after.st_mode, after.st_gid), (before.st_mode, before.st_gid))


@case
def groups(tmp):
    """--group takes a name or a number, is 0640 if nothing else is said, and is refused in time"""
    mine = os.getegid()
    name = grp.getgrgid(mine).gr_name
    run("append", f"{tmp}/s", f"--group={name}", input=b"1\n")
    equal(modes(f"{tmp}/s"), ("0o2750", ["0o640"]))
    os.mkdir(f"{tmp}/empty", 0o700)
    run("append", f"{tmp}/empty", "--group", mine, input=b"1\n")
    equal(modes(f"{tmp}/empty"), ("0o2750", ["0o640"]))
    equal(run("append", f"{tmp}/s", "--group", mine, input=b"2\n").stderr, b"")
    said = run("append", f"{tmp}/s", "--mode=0600", input=b"3\n").stderr.decode()
    contains(said, "exists with files of mode 0640; --mode is not used")
    for wrong in ("no such group", "", "-1", "99999999999"):
        contains(complaint("append", f"{tmp}/no", f"--group={wrong}", status=2), "--group")
    assert not os.path.exists(f"{tmp}/no")
    if may_be(OWNER, GROUP, program=TOOL):
        said = run("append", f"{tmp}/s", "--group", GROUP, input=b"4\n").stderr.decode()
        contains(said, "exists with another group; --group is not used")
        os.chmod(tmp, 0o777)
        contains(complaint("append", f"{tmp}/no", f"--group={GROUP}", status=3, user=OWNER,
                           group=OWNER, extra_groups=[]), "group")
        assert not os.path.exists(f"{tmp}/no")


main()
