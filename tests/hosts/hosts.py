"""Several hosts on one machine, as network namespaces.

  with Hosts(3) as hosts:                     # named hosts.names, such as tph4711h1
      run(["--version"], np=6, **hosts.launch(ranks_each=2))

Each host has its own network interface, host name, /etc/hosts, /dev/shm and System V shared memory;
files are shared as on a cluster file system, unless hosts.change() puts others there. Processes
keep their numbers and are seen from outside. Ranks start as with ssh: with an environment of their
own, into which only the launcher's own variables come. Everything is removed at the end; what a
killed test left is removed by the next one.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))

from models import Skipped
from programs import MARK, environment, kill_our_processes

PREFIX = "tph"

# An rsh: agent HOST COMMAND... hands words that a shell reads; agent HOST -- WORD... runs them.
_AGENT = """#!/bin/bash
host=$1; shift
[ -e /run/netns/"$host" ] || {{ echo "agent: $host: no such host" >&2; exit 255; }}  # as ssh does
mounts={folder}/$host.mounts
prepare='hostname "$0"; mount --bind {folder}/hosts /etc/hosts; mount -t tmpfs tmpfs /dev/shm'
prepare+='; if [ -e "$1" ]; then . "$1"; fi; shift; exec "$@"'
inside=(nsenter --net=/run/netns/"$host" unshare --uts --mount --ipc sh -c "$prepare" "$host" "$mounts")
if [ "$1" = -- ]; then shift; exec "${{inside[@]}}" "$@"; fi
exec env -i PATH="$PATH" HOME="$HOME" "{mark}" "${{inside[@]}}" sh -c "$*"
"""


def _ip(*words, check=True):
    done = subprocess.run(["ip", *words], stderr=subprocess.PIPE, text=True, env=environment())
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


def need_namespaces():
    """Skips the check where this user cannot make hosts."""
    missing = [tool for tool in ("ip", "nsenter", "unshare", "mount") if not shutil.which(tool)]
    if missing:
        raise Skipped(f"no {missing[0]}; install iproute2 and util-linux")
    if os.geteuid() != 0:
        raise Skipped("network namespaces need root")
    name = f"{PREFIX}{os.getpid()}t"
    try:
        _ip("netns", "add", name)
    except RuntimeError as error:
        raise Skipped(f"no network namespaces here: {error}") from error
    finally:
        _ip("netns", "delete", name, check=False)
    if subprocess.run(["unshare", "--uts", "--mount", "--ipc", "true"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped("no UTS, mount and IPC namespaces here")


def _remove(name):
    _ip("netns", "delete", name, check=False)
    for path in pathlib.Path(tempfile.gettempdir()).glob(f"ompi.{name}.*"):
        shutil.rmtree(path, ignore_errors=True)  # Open MPI's own, of a killed daemon


def _remove_stale():
    for path in pathlib.Path("/run/netns").glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)", path.name)
        if owner and not pathlib.Path("/proc", owner[1]).exists():
            _remove(path.name)


class Hosts:
    """`count` hosts joined by a switch. link: options of switch.py, such as {"delay-ms": 2}; none
    is the kernel's own bridge, which is as fast as memory."""

    def __init__(self, count, link=None):
        need_namespaces()
        _remove_stale()
        base = f"{PREFIX}{os.getpid()}"
        self.names = [f"{base}h{i + 1}" for i in range(count)]
        self._bridge = f"{base}s"
        self._link = link
        self._switch = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tpinfer-hosts-"))
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        kill_our_processes()
        if self._switch:
            self._switch.communicate()
        for name in [*self.names, self._bridge]:
            _remove(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self):
        self.agent = self.folder / "agent"
        self.agent.write_text(_AGENT.format(folder=self.folder, mark=MARK))
        self.agent.chmod(0o755)
        addresses = [f"10.77.0.{i + 1}" for i in range(len(self.names))]
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for address, name in zip(addresses, self.names)))
        for name in self.names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        self._start_switch() if self._link else self._make_bridge()
        for name, address in zip(self.names, addresses):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")

    def _make_bridge(self):
        _ip("netns", "add", self._bridge)
        _ip("-n", self._bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", self._bridge, "link", "set", "br0", "up")
        for index, name in enumerate(self.names):
            port = f"port{index + 1}"
            _ip("link", "add", port, "netns", self._bridge, "type", "veth", "peer", "name", "eth0",
                "netns", name)
            _ip("-n", self._bridge, "link", "set", port, "master", "br0", "up")

    def _start_switch(self):
        options = [f"--{key}={value}" for key, value in self._link.items()]
        program = pathlib.Path(__file__).with_name("switch.py")
        self._switch = subprocess.Popen([sys.executable, str(program), *options, *self.names],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment())
        if self._switch.stdout.readline() != "ready\n":
            raise RuntimeError("switch.py did not start")

    def launch(self, ranks_each=1, hosts=None, first=0):
        """Arguments for harness.run() and start(): ranks on `hosts` (all of them), with mpirun
        running on host number `first`."""
        names = self.names if hosts is None else hosts
        listed = ",".join(f"{name}:{ranks_each}" for name in names)
        return {"prefix": [self.agent, self.names[first], "--"],
                "launcher": ["--mca", "plm_rsh_agent", str(self.agent), "--host", listed]}

    def change(self, index, *commands):
        """What else a shell does when something starts on a host: mounts that only it sees."""
        (self.folder / f"{self.names[index]}.mounts").write_text(
            "".join(" ".join(shlex.quote(str(word)) for word in command) + "\n"
                    for command in commands))

    def give_up_after(self, retries):
        """How often TCP of all hosts sends again before it takes a connection for dead, with waits
        of 0.2, 0.4, 0.8 s ...: Linux' own 15 are about 15 minutes."""
        for name in self.names:
            subprocess.run([self.agent, name, "--", "sh", "-c",
                            f"echo {retries} > /proc/sys/net/ipv4/tcp_retries2"], check=True)

    def cut(self, index):
        """Partitions a host: nothing reaches it and nothing leaves it, and nobody is told."""
        if self._switch:
            self._order("cut", index)
        else:
            _ip("-n", self._bridge, "link", "set", f"port{index + 1}", "nomaster")

    def heal(self, index):
        if self._switch:
            self._order("heal", index)
        else:
            _ip("-n", self._bridge, "link", "set", f"port{index + 1}", "master", "br0")

    def _order(self, word, index):
        self._switch.stdin.write(f"{word} {self.names[index]}\n")
        self._switch.stdin.flush()
