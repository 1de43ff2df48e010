"""Machines whose disk is a whole installed system: a tree made by debootstrap, or a captured one.

Nothing of this machine's /usr is seen there. What no namespace can offer, the service manager and
VMware Tools for instance, is mounted over the system's own programs while the machine runs, so that
the disk stays as its packages left it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.model import Image
from cse_client.simulator.guest.real.template import kubelet_configuration
from cse_client.simulator.guest.toolbox import Toolbox
from cse_client.simulator.guest.units import builtin_unit_files

__all__ = ["PROGRAMS", "copy_tree", "make_tree_toolbox", "mounts", "tree_units"]

#: Where a program lies that something is mounted over.
PROGRAMS = "/.real"

#: At the top of a disk: made anew at each boot, or the simulator's own.
_VOLATILE = frozenset(
    [".guest", ".host", ".old", ".real", ".sim", "dev", "lost+found", "proc", "run", "sys", "tmp"]
)
#: Files that are replaced, never changed in place, so that hard links are enough.
_REPLACED = ("usr/", "var/lib/containerd/")
_CHANGED = ("usr/local/",)
_FOLDERS = (
    *(".guest/jobs", ".real", ".sim", "dev", "etc/cni/net.d", "proc", "run", "sys/class/net"),
    *("sys/fs/cgroup", "tmp", "var/log/journal", "var/log/vmware-imc"),
)

#: Stand-ins that other machines need, because they lack what these are parts of.
_GENUINE = frozenset(["apt", "apt-get", "apt-mark", "date", "resolvconf", "sudo", "update-grub"])
# Its boot stages never run here, so that the genuine one would wait for them for ever.
_CLOUD_INIT = f"""#!/usr/bin/bash
[ "${{1-}}" = clean ] && exec {PROGRAMS}/cloud-init "$@"
"""
# It would trim this machine's own file system.
_FSTRIM = "#!/usr/bin/bash\nexit 0\n"
# cgroup v1, without systemd: see docs/simulator.md.
_KUBELET = f"""#!/usr/bin/bash
exec {PROGRAMS}/kubelet "$@" --config-dir=/.sim/kubelet.conf.d
"""
_RUNC = f"""#!/usr/bin/bash
words=() file= last= score=$(</proc/self/oom_score_adj)
for word; do
  case $last in --bundle) file=$word/config.json ;; --process) file=$word ;; esac
  last=$word
  [ "$word" = --systemd-cgroup ] || words+=("$word")
done
# Not everybody who is root may make a process less likely to be killed.
[ -z "$file" ] || sed -i -E "s/(\\"oomScoreAdj\\": *)-[0-9]+/\\1$score/" "$file"
exec {PROGRAMS}/runc "${{words[@]}}"
"""

# dpkg renames new files over old ones, which a mount over one of them forbids: the mounts over what
# an upgrade replaces are taken away while dpkg works, and made over the new programs afterwards.
_PACKAGES = f"""#!/usr/bin/bash
for inside in /usr/bin/kubeadm /usr/bin/kubelet /usr/sbin/runc; do
  name=${{inside##*/}}
  if [ "$1" = before ]; then
    mountpoint -q "$inside" || continue
    umount -l "$inside"
    : >"/run/.wrapped-$name"
  elif [ -e "/run/.wrapped-$name" ]; then
    rm "/run/.wrapped-$name"
    umount -l "{PROGRAMS}/$name"
    mount --bind "$inside" "{PROGRAMS}/$name"
    # or what is mounted over the one would be mounted over the other, too
    mount --make-private "{PROGRAMS}/$name"
    for wrapper in "/.sim/bin/$name" "/.sim/sbin/$name"; do
      [ ! -e "$wrapper" ] || mount --bind "$wrapper" "$inside"
    done
  fi
done
"""
# dpkg(1): its hooks are commands for a shell.
_DPKG_HOOKS = """pre-invoke=bash /.sim/packages before
post-invoke=bash /.sim/packages after
"""
_DPKG_CONFIGURATION = "/etc/dpkg/dpkg.cfg.d/machine"

_NOT_RUN = (
    *("cloud-config", "cloud-init-local", "cloud-init-main", "cloud-init-network"),
    *("console-getty", "dbus", "e2scrub_reap", "getty@tty1", "networking", "rpcbind"),
    *("systemd-logind", "systemd-pstore", "vgauth"),
)
_GENUINE_UNITS = frozenset(["containerd.service", "kubelet.service", "ssh.service"])
_WRAPPED = frozenset(["cloud-init", "kubeadm", "kubelet", "runc"])


def copy_tree(source: Path, target: Path) -> None:
    """Copy the disk of a machine that is off, without what exists only while it runs.

    Raises:
        OSError: a part cannot be copied, or `target` is there already.
    """
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        inside = here.relative_to(source)
        if here == source:
            folders[:] = [name for name in folders if name not in _VOLATILE]
        copied = target / inside
        copied.mkdir(parents=True)
        _own(here, copied)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            _copy(here / name, copied / name, linked=_linked(inside / name))
    for name in _FOLDERS:
        (target / name).mkdir(parents=True, exist_ok=True)


def _linked(inside: Path) -> bool:
    text = inside.as_posix()
    if text.startswith(_CHANGED) or text.endswith(".db"):
        return False
    return text.startswith(_REPLACED)


def _copy(source: Path, target: Path, *, linked: bool) -> None:
    if not (source.is_symlink() or source.is_file()):
        return  # a socket of a service, or a device
    if linked:
        with contextlib.suppress(OSError):  # another file system
            os.link(source, target, follow_symlinks=False)
            return
    shutil.copy2(source, target, follow_symlinks=False)
    _own(source, target)


def _own(source: Path, target: Path) -> None:
    there = source.lstat()
    os.chown(target, there.st_uid, there.st_gid, follow_symlinks=False)
    if not source.is_symlink():
        target.chmod(stat.S_IMODE(there.st_mode))  # after chown, which takes the set-uid bit away


def make_tree_toolbox(folder: Path, own: Mapping[str, str]) -> Toolbox:
    """Return the programs that are mounted over a system's own.

    Args:
        folder: an empty folder, to be filled.
        own: the scripts of stand-ins, by the command's name.
    """
    scripts = {name: text for name, text in own.items() if name not in _GENUINE}
    scripts["cloud-init"] = _CLOUD_INIT + scripts["cloud-init"]
    scripts.update({"fstrim": _FSTRIM, "kubelet": _KUBELET, "runc": _RUNC})
    toolbox = Toolbox(folder, own=scripts, links={}, absent=frozenset(), units={}, whole=True)
    (folder / "packages").write_text(_PACKAGES, encoding="utf-8")
    (folder / "dpkg.cfg").write_text(_DPKG_HOOKS, encoding="utf-8")
    (folder / "kubelet.conf.d").mkdir()
    text = kubelet_configuration()
    (folder / "kubelet.conf.d" / "10-machine.conf").write_text(text, encoding="utf-8")
    return toolbox


def mounts(disk: Disk, toolbox: Path) -> list[tuple[str, str]]:
    """Return what to mount over a disk's programs: (file of this machine, file in the guest).

    Names that are links to one program, as poweroff is to systemctl, lead to one stand-in, which
    acts by the name that it was called by.
    """
    found: dict[str, Path] = {}
    for script in sorted([*(toolbox / "bin").iterdir(), *(toolbox / "sbin").iterdir()]):
        for folder in ("/usr/sbin", "/usr/bin"):
            program = disk.path(f"{folder}/{script.name}")
            if program.is_file():
                found.setdefault(f"/{program.relative_to(disk.root)}", script)
    wanted = []
    for inside, script in found.items():
        if script.name in _WRAPPED:
            kept = f"{PROGRAMS}/{script.name}"
            disk.write(kept, "")
            wanted.append((str(disk.path(inside)), kept))
        wanted.append((str(script), inside))
    if disk.exists("/etc/dpkg"):
        disk.write(_DPKG_CONFIGURATION, "")
        wanted.append((str(toolbox / "dpkg.cfg"), _DPKG_CONFIGURATION))
    return wanted


def tree_units(image: Image) -> dict[str, str]:
    """Return the unit files of services that no process runs for."""
    files = {
        name: text for name, text in builtin_unit_files(image).items() if name not in _GENUINE_UNITS
    }
    files.update({f"{name}.service": f"[Unit]\nDescription={name}\n" for name in _NOT_RUN})
    return files
