"""Builds the compiled kernel; everything else about the package is in pyproject.toml."""

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    ext_modules=cythonize(
        [Extension("skalign.solvers._kernel", ["skalign/solvers/_kernel.pyx"], extra_compile_args=["-O3"])],
        build_dir="build",
    )
)
