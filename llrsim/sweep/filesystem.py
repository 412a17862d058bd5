"""What kind of disk a results folder is on."""

from pathlib import Path

_NETWORK = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "fuse.sshfs", "9p")


def is_network(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether the folder is on a network file system; False where the system does not list its mounts."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return False
    place = folder.resolve()
    points = [(fields[1].replace("\\040", " "), fields[2]) for fields in lines if len(fields) > 2]
    holding = [(len(point), kind) for point, kind in points if place.is_relative_to(point)]
    return bool(holding) and max(holding)[1].startswith(_NETWORK)
