"""An installation of this build, moved after it was made, and commands that use it."""
import atexit
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

from programs import BIN, MPIEXEC, Result, environment

BUILD = BIN.resolve().parent


def script(text, env=None, cwd=None, timeout=250):
    """Runs lines of bash, which stop at the first failure: Result."""
    done = subprocess.run(["bash", "-euc", text], env=environment(env), cwd=cwd, timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return Result(done.returncode, done.stdout, done.stderr, 0)


@functools.cache
def prefix():
    """Where this build was installed, once per check script; it was installed elsewhere and moved."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tpinfer-installation-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = script(f"cmake --install '{BUILD}' --prefix '{folder}/first'")
    if done.status != 0:
        raise AssertionError(f"cmake --install: {done.stdout[-2000:]} {done.stderr}")
    (folder / "first").rename(folder / "moved")
    return folder / "moved"


def has_library():
    return any(BUILD.glob("lib/libtpinfer.so"))


def using(place, **more):
    """Variables with which a shell finds the installation and the launcher, and not the build."""
    path = [f"{place}/bin", str(pathlib.Path(shutil.which(MPIEXEC)).parent), "/usr/bin", "/bin"]
    return {"PATH": ":".join(path), "PKG_CONFIG_PATH": f"{place}/lib/pkgconfig",
            "CMAKE_PREFIX_PATH": str(place), "TPINFER_BIN": None, **more}


def mpirun(ranks):
    return f"'{MPIEXEC}' -n {ranks} --oversubscribe --bind-to none"
