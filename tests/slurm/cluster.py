"""A Slurm cluster of this machine, for as long as a test needs it: Debian's slurmctld, slurmd and
munged. Each node is a host of its own: network, name, shared memory and temporary files.

  isolate()                        # first of all: this process goes on in namespaces of its own
  with Cluster(nodes=3) as slurm:
      slurm.run("srun", "-n", "6", "--mpi=pmix", program)
      job = slurm.sbatch("script.sh", "argument")
      slurm.wait(job)["JobState"]

Nothing outlives the test: its process, network, mount and IPC namespaces have no names, so that
they, the daemons, the ranks and all their files go with the last process, even after SIGKILL, and
two runs never meet.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from programs import environment, finish

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SPACES = ["unshare", "--pid", "--net", "--mount", "--uts", "--ipc", "--mount-proc", "--fork",
          "--kill-child"]
ISOLATED = "TPINFER_TEST_ISOLATED"
KILL_WAIT = 6  # seconds from SIGTERM to SIGKILL; 30 by default
ROOM = pathlib.Path("/run")  # a file system in memory that ends with the test

CONFIGURATION = """
ClusterName=tpinfer
SlurmctldHost=n1(10.77.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=6
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin={task}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait={kill_wait}
SlurmdTimeout=10
SlurmctldTimeout=30
MinJobAge=600
JobRequeue=1
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=100000,batch_sched_delay=1
{node_lines}
PartitionName=low Nodes=ALL Default=YES MaxTime=60 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=ALL MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
"""
# What a host of its own sees: its name, the names of all, its own shared memory, and a folder of
# its own for the PMIx files of Slurm and the session files of Open MPI.
HOST = """
hostname "$0" && mount --bind "$1" /etc/hosts && ip link set lo up &&
mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run/pmix &&
echo ready && exec sleep infinity
"""


def _skip(reason):
    print(f"SKIP: {reason}", flush=True)
    sys.exit(77)


def needed():
    """Exits with 77 (skipped) and the reason where Slurm or namespaces cannot be had."""
    missing = [name for name in (*DAEMONS, "srun", "sbatch", "unshare", "nsenter", "setpriv",
                                 "ip")
               if shutil.which(name, path=PATH) is None]
    if missing:
        _skip(f"no {', '.join(missing)}; scripts/setup installs them")
    if os.geteuid() != 0:
        _skip("Slurm's daemons want root here")
    if subprocess.run([*SPACES, "true"], capture_output=True).returncode != 0:
        _skip("namespaces cannot be made here (CAP_SYS_ADMIN is missing)")


def isolate():
    """Starts this script again as the child of an init of its own, in new process, network, mount,
    host name and IPC namespaces with a private /run and /dev/shm; returns there."""
    if ISOLATED in os.environ:
        return
    needed()
    os.environ.update({ISOLATED: "1", "PATH": PATH})
    prepare = ("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && ip link set lo up && "
               "mkdir /run/lock /run/pmix /run/tmp || exit 77; export TMPDIR=/run/tmp; "
               '"$@"; exit $?')  # bash stays, as the init that waits for orphans
    # unshare blocks SIGTERM and SIGINT: they are taken here, and the init dies with this process.
    inner = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *SPACES, "bash", "-c", prepare,
                              "bash", sys.executable, *sys.argv])

    def end(number, _):
        os.kill(inner.pid, signal.SIGKILL)
        os._exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    sys.exit(inner.wait())


class Cluster:
    """Slurm while the block lasts, on hosts n1, n2, ... Each says to have `cores` cores."""

    def __init__(self, nodes=1, cores=8, task="task/none"):
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self.cores = cores
        self.task = task
        self.folder = ROOM / f"slurm-{time.monotonic_ns()}"
        self.hosts = {}  # name -> the process that holds its namespaces
        self.daemons = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Ends the daemons and everything that they or their jobs started."""
        mine = f"SLURM_CONF={self.folder}/slurm.conf"
        for process in [*self.daemons.values(), *self.hosts.values()]:
            process.kill()
            process.wait()
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if mine in (path / "environ").read_text(errors="replace").split("\0"):
                    os.kill(int(path.name), signal.SIGKILL)
            except OSError:
                pass  # it has gone
        for i in range(len(self.hosts)):
            subprocess.run(["ip", "link", "delete", f"port{i + 1}"], capture_output=True)
        subprocess.run(["ip", "link", "delete", "bridge"], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self):
        self.folder.mkdir(parents=True)
        (self.folder / "state").mkdir()
        self._make_hosts()
        self._configure()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._daemon("munged", None, "munged", "--foreground", "--force", f"--key-file={key}",
                     f"--socket={self.folder}/munge.sock", f"--pid-file={self.folder}/munged.pid",
                     f"--log-file={self.folder}/munged.log",
                     f"--seed-file={self.folder}/munge.seed")
        self._until((self.folder / "munge.sock").exists, "munged listens")
        self._daemon("slurmctld", self.names[0], "slurmctld", "-D", "-c")
        for name in self.names:
            self.start_slurmd(name)
        self._until(lambda: self.states() == ["idle"] * len(self.names), "all nodes are idle")

    def _make_hosts(self):
        """One bridge in this namespace, one port on it per host, no way out."""
        count = len(self.names)
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"10.77.0.{i + 1} n{i + 1}\n" for i in range(count)))
        commands = ["ip link add bridge type bridge", "ip link set bridge up"]
        for name in self.names:
            holder = subprocess.Popen(
                ["unshare", "--net", "--uts", "--mount", "--ipc", "sh", "-c", HOST, name,
                 str(hosts)], stdout=subprocess.PIPE, text=True, env=self._environment())
            self.hosts[name] = holder
            if holder.stdout.readline() != "ready\n":
                raise RuntimeError(f"host {name} cannot be made")
        for i, name in enumerate(self.names):
            pid = self.hosts[name].pid
            commands += [f"ip link add port{i + 1} type veth peer name eth0 netns {pid}",
                         f"ip link set port{i + 1} master bridge up",
                         f"nsenter --target {pid} --net ip addr add 10.77.0.{i + 1}/24 dev eth0",
                         f"nsenter --target {pid} --net ip link set eth0 up"]
        for line in commands:
            subprocess.run(line.split(), check=True)

    def _configure(self):
        nodes = [f"NodeName={name} NodeAddr=10.77.0.{i + 1} CPUs={self.cores} Boards=1 "
                 f"SocketsPerBoard=1 CoresPerSocket={self.cores} ThreadsPerCore=1 RealMemory=2000"
                 for i, name in enumerate(self.names)]
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            folder=self.folder, task=self.task, kill_wait=KILL_WAIT, node_lines="\n".join(nodes)))
        (self.folder / "mpi.conf").write_text("PMIxCliTmpDirBase=/run/pmix\n")
        (self.folder / "cgroup.conf").write_text("")

    def _environment(self, extra=None):
        return environment({"SLURM_CONF": f"{self.folder}/slurm.conf",
                            "OMPI_MCA_btl_tcp_if_include": "eth0",
                            "OMPI_MCA_oob_tcp_if_include": "eth0", **(extra or {})})

    def _inside(self, host, command):
        """The command, on that host."""
        if host is None:
            return [*map(str, command)]
        return ["nsenter", "--target", str(self.hosts[host].pid), "--net", "--uts", "--mount",
                "--ipc", f"--wd={os.getcwd()}", *map(str, command)]

    def _daemon(self, key, host, *command):
        log = open(self.folder / f"{key}.out", "wb")
        self.daemons[key] = subprocess.Popen(
            self._inside(host, command), env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)

    def start_slurmd(self, name):
        """Starts the node's daemon, also again after kill_node."""
        subprocess.run(["ip", "link", "set", f"port{name[1:]}", "up"], check=True)
        self._daemon(f"slurmd {name}", name, "slurmd", "-D", "-N", name)

    def kill_node(self, name):
        """The node goes down at once, as without power: it is off the network before slurmd and
        everything that runs there are killed and its files are gone."""
        subprocess.run(["ip", "link", "set", f"port{name[1:]}", "down"], check=True)
        daemon = self.daemons.pop(f"slurmd {name}")
        daemon.kill()
        daemon.wait()
        space = os.readlink(f"/proc/{self.hosts[name].pid}/ns/net")
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (os.readlink(path / "ns/net") == space
                        and int(path.name) != self.hosts[name].pid
                        and (path / "comm").read_text().strip() != "slurmctld"):
                    os.kill(int(path.name), signal.SIGKILL)
            except OSError:
                pass
        self.run("find", "/dev/shm", "/run/pmix", "-mindepth", "1", "-delete", host=name)
        shutil.rmtree(self.folder / f"spool-{name}", ignore_errors=True)  # a node without disks

    def _until(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not within {seconds} s\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        """The ends of the daemons' logs, for whoever looks for a failure."""
        return "".join(f"--- {path.name}\n" + path.read_text(errors="replace")[-1500:]
                       for path in sorted(self.folder.glob("*.log")))

    def states(self):
        """The nodes' states, "idle", "allocated", "down*", as sinfo says."""
        listed = self.run("sinfo", "-h", "-N", "-p", "low", "-o", "%T")
        return listed.stdout.split()

    def start(self, *command, env=None, host=None, **options):
        """A running command (subprocess.Popen) on the first node; end it with programs.finish."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self._inside(host or self.names[0], command),
                                env=self._environment(env), **options)

    def run(self, *command, timeout=60, env=None, host=None, **options):
        """Runs a command on the first node: Result(status, stdout, stderr, seconds)."""
        return finish(self.start(*command, env=env, host=host, **options), timeout)

    def sbatch(self, *arguments, env=None, cwd=None):
        """Submits a batch job and returns its number."""
        result = self.run("sbatch", "--parsable", *arguments, env=env, cwd=cwd)
        if result.status != 0:
            raise RuntimeError(f"sbatch: {result.stderr}")
        return int(result.stdout.split(";")[0])

    def job(self, number):
        """What scontrol knows of a job, as a dict: JobState, ExitCode, Restarts, Reason, ..."""
        text = self.run("scontrol", "--oneliner", "show", "job", number).stdout
        return dict(re.findall(r"(\S+?)=(\S*)", text.splitlines()[0])) if text.strip() else {}

    def wait(self, number, states=("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL",
                                   "PREEMPTED"), seconds=60, condition=lambda job: True):
        """Waits until the job is in one of these states and the condition holds: its dict."""
        found = {}

        def there():
            found.update(self.job(number))
            return found.get("JobState") in states and condition(found)
        self._until(there, f"job {number} is {' or '.join(states)}, not {found}", seconds)
        return found
