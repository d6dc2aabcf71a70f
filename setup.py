"""Builds the compiled kernel; everything else about the package is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

kernel = Extension(
    "skalign.solvers._kernel",
    ["skalign/solvers/_kernel.pyx"],
    extra_compile_args=["-O3", "-fno-math-errno"],
)

setup(ext_modules=cythonize([kernel], build_dir="build"))
