"""Builds the compiled kernel; everything else about the package is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FLAGS = {"msvc": ["/O2"]}  # all other compilers take those of GCC
GCC_FLAGS = ["-O3", "-fno-math-errno", "-fopenmp-simd"]


class build_kernel(build_ext):
    """Chooses the flags once the compiler is known."""

    def build_extensions(self):
        for extension in self.extensions:
            extension.extra_compile_args = FLAGS.get(self.compiler.compiler_type, GCC_FLAGS)
        super().build_extensions()


kernel = Extension(
    "skalign.solvers._kernel",
    ["skalign/solvers/_kernel.pyx"],
    include_dirs=["skalign/solvers"],
    depends=[
        "skalign/solvers/_loops.h",
        "skalign/solvers/_loops_body.h",
        "skalign/solvers/_factor_loops.h",
    ],
)

setup(
    ext_modules=cythonize([kernel], build_dir="build"),
    cmdclass={"build_ext": build_kernel},
)
