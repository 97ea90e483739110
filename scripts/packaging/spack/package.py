# Spack recipe:
#   spack repo create tpinfer-repo && mkdir -p tpinfer-repo/packages/tpinfer
#   cp scripts/packaging/spack/package.py tpinfer-repo/packages/tpinfer/
#   spack repo add tpinfer-repo && spack dev-build tpinfer@0.1.0     # in the source folder
from spack.package import *


class Tpinfer(CMakePackage):
    """Tensor-parallel inference on CPU clusters under MPI: one HDF5 model file, any number of ranks,
    the same bits on each of them."""

    maintainers = []
    license("Apache-2.0")

    version("0.1.0")

    variant("tests", default=False, description="Build the tests and the benchmarks")

    depends_on("cxx", type="build")
    depends_on("c", type="build")
    depends_on("cmake@3.22:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("python@3:", type="build")

    depends_on("mpi")
    depends_on("hdf5~mpi+hl~cxx")
    depends_on("openblas threads=none")
    depends_on("eigen@3.4:")
    depends_on("highway@1:")
    depends_on("fmt@9:")
    depends_on("cli11@2.1:")
    depends_on("nlohmann-json@3.11:")
    depends_on("zlib-api")
    depends_on("libzip")
    depends_on("openssl")
    depends_on("googletest@1.12:", when="+tests")
    depends_on("benchmark", when="+tests")
    depends_on("py-numpy", type="build", when="+tests")
    depends_on("py-h5py", type="build", when="+tests")

    conflicts("%gcc@:11", msg="C++20 as GCC 12 has it is needed")

    generator("ninja")

    def cmake_args(self):
        return [
            self.define_from_variant("TPINFER_TESTS", "tests"),
            self.define_from_variant("TPINFER_BENCH", "tests"),
            self.define("TPINFER_PYTHON", self.spec["python"].command.path),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        tpinfer = Executable(join_path(self.prefix.bin, "tpinfer"))
        model = join_path(self.prefix.share, "tpinfer", "models", "fashion_mnist.h5")
        output = tpinfer("--model", model, "--check", "--quiet", output=str, error=str)
        assert output.startswith("check: PASS"), output
